// An incident to ask about, in an issuer of its own: a task that read and was refused, closed a ticket once a person agreed,
// and ended; since then another policy is in force, in which its rules stand elsewhere.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { toInstant } from "../../src/time.ts"
import type { UseRecord } from "../../src/token/batch.ts"
import { approvalTexts } from "./approvals.ts"
import { signBatch, useBatch, useRecord } from "./batch.ts"
import { type CallerName, type House, openHouse, START } from "./issuer-house.ts"
import { POLICIES } from "./policies.ts"

export interface Incident {
  readonly house: House
  readonly task: string
  /** The token that read. */
  readonly jti: string
  readonly approval: string
  /** The digest that decided, in force no more. */
  readonly policy: string
}

interface Answered {
  readonly task_id: string
  readonly id: string
  readonly tokens: readonly { readonly access_token: string }[]
}

export async function openIncident(): Promise<Incident> {
  const house = await openHouse({ dev: true, files: approvalTexts(POLICIES) })
  const post = async (as: CallerName, path: string, json: object = {}) => {
    const { status, body } = await house.ask("POST", path, { as, json })
    if (status > 299) throw new Error(JSON.stringify(body))
    return body as unknown as Answered
  }
  const policy = house.issuer.policyDigest()
  const started = await post("support-orchestrator", "/tasks", START)
  const jti = jtiOf(started)
  const { task_id: task } = started
  house.clock.advance(60_000)
  const question = { task_id: task, operation: "tickets:close", resource: "tickets/SUP-1042" }
  const { id: approval } = await post("support-orchestrator", "/approvals", { ...question, reason: "Solved" })
  await post("operations-team", `/approvals/${approval}`, { decision: "grant", reason: "Agreed" })
  const closing = jtiOf(await post("support-orchestrator", `/tasks/${task}/tokens`, { approval }))
  const use = (change: Partial<UseRecord>): UseRecord => ({ ...useOf(house, task, jti), ...change })
  await report(house, [
    use({}),
    use({}),
    use({ decision: "refused", code: "operation_not_granted", operation: "tickets:close", count: 7 }),
    use({ jti: closing, operation: "tickets:close" }),
  ])
  house.clock.advance(60_000)
  await post("support-orchestrator", `/tasks/${task}/complete`)
  const file = join(house.policyFolder, "support.yaml")
  writeFileSync(file, `# One line\n# and another\n${readFileSync(file, "utf8")}`)
  await post("operations-team", "/policy/reload")
  return { house, task, jti, approval, policy }
}

export const jtiOf = ({ tokens }: Pick<Answered, "tokens">): string =>
  String(decodeJwt(tokens[0]?.access_token ?? "").jti)

export const useOf = ({ clock }: House, task: string, jti: string): UseRecord =>
  useRecord(clock.now(), { task, jti, method: "GET", route: "/tickets/:id", status: 200, duration_ms: 3 })

export async function report(house: House, uses: UseRecord[]): Promise<void> {
  const now = house.clock.now()
  const batch = useBatch(now, { applied_at: toInstant(now), uses })
  const { status } = await house.call("POST", "/uses", {
    as: "tickets",
    headers: { "content-type": "application/jwt" },
    body: signBatch(batch, house.proofKeyOf("tickets")),
  })
  if (status !== 200) throw new Error(`the batch was answered ${status}`)
}
