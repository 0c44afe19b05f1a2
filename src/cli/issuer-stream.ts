// An answer of the issuer that is too long for the calls of client/issuer-call.ts: its status is judged as theirs is, its
// body is left to be read as it comes.
import { reach, refusalOf } from "../client/issuer-call.ts"
import { Unreachable } from "../remote/exchange.ts"
import type { Context } from "./context.ts"
import { type CallerFlags, issuerOf } from "./options.ts"

export interface Streamed {
  /** The issuer's name. */
  readonly issuer: string
  /** With 200. */
  readonly answer: Response
}

/** Throws ClientError for every other answer, and for none. */
export async function openStream(context: Context, flags: CallerFlags, path: string): Promise<Streamed> {
  const { issuer, headers: headersOf } = issuerOf(context, flags)
  const base = issuer.replace(/\/$/, "")
  const headers = await headersOf("GET", path)
  const answer = await reach(base, () =>
    fetch(`${base}${path}`, { headers, redirect: "error" }).catch((cause: unknown) => {
      throw new Unreachable(`no answer from ${base}`, { cause })
    }),
  )
  if (answer.status === 200) return { issuer, answer }
  throw refusalOf({ status: answer.status, headers: answer.headers, text: await answer.text() })
}
