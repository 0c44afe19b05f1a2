// An issuer in the middle of a day: agents that used what they were given and agents that did not, refusals, a question that
// waits, a verifier gone quiet. For pages and reports that show all of it.
import { approvalTexts } from "./approvals.ts"
import { type House, openHouse, START } from "./issuer-house.ts"
import { POLICIES } from "./policies.ts"
import { createReporter, reportedToken } from "./reporter.ts"

export interface BusyHouse {
  readonly house: House
  /** One that goes on. */
  readonly task: string
  /** The verifier instance that says nothing any more. */
  readonly silent: string
}

const HOUR = 3_600_000
/** Uses of each of its hours. */
const USES = [3, 5, 2, 8, 4]

/** Five hours of work, and 31 seconds in which nothing was heard. */
export async function openBusyHouse(): Promise<BusyHouse> {
  const house = await openHouse({ dev: true, files: approvalTexts(POLICIES) })
  const reporter = createReporter(house)
  let task = ""
  for (const [index, uses] of USES.entries()) {
    const token = await startTask(house, `SUP-${index + 1}`)
    task = token.task
    const allowed = Array.from({ length: uses }, (_, n) =>
      reporter.use(token, { resource: ["tickets", `SUP-${index + 1}`, ...(n % 2 ? ["comments"] : [])] }),
    )
    const refused = {
      decision: "refused",
      code: "operation_not_granted",
      operation: "tickets:close",
    } as const
    await reporter.report([...allowed, reporter.use(token, { ...refused, count: index + 1 })])
    if (index < USES.length - 1)
      await house.ask("POST", `/tasks/${task}/complete`, { as: "support-orchestrator" })
    if (index < USES.length - 1) house.clock.advance(HOUR)
  }
  const question = { task_id: task, operation: "tickets:close", resource: "tickets/SUP-5", reason: "Solved" }
  await house.ask("POST", "/approvals", { as: "support-orchestrator", json: question })
  // What comes now is counted by another look than what came before it in this hour.
  await house.issuer.sweep()
  const unknown = { ...START, type: "no-such-task" }
  await house.ask("POST", "/tasks", { as: "support-orchestrator", json: unknown })
  for (let at = 0; at < 7; at++) {
    house.clock.advance(10_000)
    await house.issuer.sweep()
  }
  return { house, task, silent: reporter.instance }
}

async function startTask(house: House, ticket: string) {
  const json = { ...START, inputs: { ticket } }
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
  const [token] = body.tokens as readonly { readonly access_token: string }[]
  if (!token) throw new Error(`not started: ${JSON.stringify(body)}`)
  return reportedToken(token.access_token)
}
