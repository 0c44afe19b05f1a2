// A form of the console, sent as a program of staff sends it.
import type { CallerName, House } from "./issuer-house.ts"

export interface Sent {
  readonly status: number
  /** Where the outcome is seen; null where it was refused. */
  readonly location: string | null
  readonly text: string
}

export async function sendForm(
  house: House,
  path: string,
  members: Readonly<Record<string, string>>,
  as: CallerName = "operations-team",
): Promise<Sent> {
  const headers = { "content-type": "application/x-www-form-urlencoded" }
  const answer = await house.call("POST", path, {
    as,
    headers,
    body: new URLSearchParams(members).toString(),
  })
  return { status: answer.status, location: answer.headers.get("location"), text: await answer.text() }
}

/** The text of a page, which must be there. */
export async function openPage(
  house: House,
  path: string,
  as: CallerName = "operations-team",
): Promise<string> {
  const answer = await house.call("GET", path, { as })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text}`)
  return text
}
