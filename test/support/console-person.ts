// An issuer of development whose name is its own address, and a person who signs in at its console with a link, as a browser
// sees it: cookies, origins and forms are the real ones.
import { type Listening, listen } from "../../src/cli/server.ts"
import { PEOPLE } from "./console-house.ts"
import { ASSERTION_TYPE, type CallerName, type House, openHouse, START } from "./issuer-house.ts"

export interface ConsolePerson {
  readonly origin: string
  /** A running task that waits for an approval; answers their ids. */
  ask(reason: string): Promise<{ readonly task: string; readonly approval: string }>
  /** The address that signs in, once, as who operates and approves here. */
  link(): Promise<string>
  remove(): Promise<void>
}

export async function openConsolePerson(): Promise<ConsolePerson> {
  const server: Listening = await listen("127.0.0.1", 0)
  const origin = `http://127.0.0.1:${server.port}`
  const house: House = await openHouse({ ...PEOPLE, issuer: origin })
  server.serve(house.issuer.fetch)
  const post = async (as: CallerName, path: string, json: object) => {
    const client_assertion = house.assertion(as, { issuer: origin })
    const form = { grant_type: "client_credentials", client_assertion_type: ASSERTION_TYPE, client_assertion }
    const { access_token } = (await (await house.form(form)).json()) as { access_token: string }
    const { status, body } = await house.ask("POST", path, { token: access_token, json })
    if (status !== 201) throw new Error(`${path}: ${JSON.stringify(body)}`)
    return body
  }
  const as = "support-orchestrator"
  return {
    origin,
    async ask(reason) {
      const { task_id } = await post(as, "/tasks", START)
      const question = { task_id, operation: "tickets:close", resource: "tickets/SUP-1042", reason }
      const { id } = await post(as, "/approvals", question)
      return { task: String(task_id), approval: String(id) }
    },
    link: async () => String((await post("operations-team", "/console/links", {})).url),
    async remove() {
      await server.drain(100)
      await house.remove()
    },
  }
}
