// A person decides an approval: once, never on a question of their own, and only while policy as of now names them and
// would still let the task do it. One transaction with its entry.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { type Chain, chainTo, factsFor } from "./approval-chain.ts"
import { type ApprovalRow, decideApproval } from "./approval-statements.ts"
import { type Approval, findApproval, isDecider, viewApproval } from "./approval-view.ts"
import { approvableFor, mayDecide } from "./approved.ts"
import { type Attempt, type Settled, settleDecision } from "./commit.ts"
import { isOpen } from "./finish.ts"
import type { Parts } from "./parts.ts"
import { passAgain, refusingOf } from "./renew.ts"
import { noLock, type TaskRow, taskById } from "./statements.ts"

/** A person who signed in, or with --dev whoever has the key. */
export interface Decider {
  /** The name of staff in the policy. */
  readonly name: string
  /** `provider/subject`; with a key, the name again. */
  readonly person: string
}

export type Decided = "grant" | "deny"

/** Decides once. The same decision of the same person again is an answer, not a refusal. */
export async function decideOnApproval(
  parts: Parts,
  decider: Decider,
  id: string,
  decision: Decided,
  reason?: string,
): Promise<Approval | Refusal> {
  let task: TaskRow | undefined
  const decide = async () => {
    const row = await findApproval(parts, id)
    if (!row || !isDecider(row, decider.name)) return refuse("not_found", "[approval] not for this approver")
    const [found] = await parts.engine.query(taskById, { task_id: row.task_id })
    if (!found) return refuse("not_found", "[task]")
    task = found
    return planDecision(parts, { decider, row, task: found, decision, reason })
  }
  return settleDecision<Approval>(parts, decide, () => task && refusingOf("task.refused", task))
}

interface Deciding {
  readonly decider: Decider
  readonly row: ApprovalRow
  readonly task: TaskRow
  readonly decision: Decided
  readonly reason: string | undefined
}

/** A person never says yes to a question of their own, nor to one that their own task asks. */
export const isOwnQuestion = (
  { name, person }: Decider,
  { requestedBy, sub }: Pick<Approval, "requestedBy" | "sub">,
): boolean => [requestedBy, sub].some((one) => one === name || one === person)

async function planDecision(
  parts: Parts,
  deciding: Deciding,
): Promise<Attempt<Approval> | Settled<Approval> | Refusal> {
  const { decider, row, task, decision } = deciding
  if (isOwnQuestion(decider, { requestedBy: row.requested_by, sub: row.sub }))
    return refuse("approver_not_allowed", "[approval] the requester, or the task's user")
  const state = decision === "grant" ? "granted" : "denied"
  const again = row.state === state || (state === "granted" && row.state === "collected")
  if (again && row.decided_by === decider.person) return { settled: viewApproval(row) }
  if (row.state !== "requested") return refuse("approval_decided", `[approval] it is ${row.state}`)
  if (!isOpen(task)) return refuse("task_ended", `[state] the task is ${task.state}`)
  const chain = await chainTo(parts, task, row.delegation)
  if (chain instanceof Refused) return chain
  if (decision === "deny") return decisionOf(parts, deciding, { chain, now: parts.ledger.at() })
  const passed = await passAgain(parts, { ...task, jkt: chain.jkt }, { links: chain.links })
  if (passed instanceof Refused) return passed
  const grant = approvableFor(passed.approvable, row.operation, row.resource.split("/"))
  if (!grant) return refuse("access_denied", "[approval] the task may not do it any more")
  if (!mayDecide(passed.policy, grant, decider.name))
    return refuse("approver_not_allowed", "[approval] not among those who decide now")
  const { now } = passed
  const guards = [...passed.guards, ...chain.guards]
  const until = Math.min(now + grant.approval.validSeconds * 1000, task.deadline)
  return decisionOf(parts, deciding, { chain, now, guards, until })
}

function decisionOf(
  parts: Parts,
  { decider, row, task, decision, reason }: Deciding,
  at: {
    readonly chain: Chain
    readonly now: number
    readonly guards?: readonly Step[]
    readonly until?: number
  },
): Attempt<Approval> {
  const { chain, now, guards = [], until } = at
  const granted = decision === "grant"
  const decided = {
    state: granted ? ("granted" as const) : ("denied" as const),
    expires_at: until ?? now,
    decided_by: decider.person,
    decided_as: decider.name,
  }
  const values = { approval_id: row.approval_id, now, ...decided }
  const { api, operation, resource } = row
  const body = {
    approval: row.approval_id,
    as: decider.name,
    by: decider.person,
    ...(until !== undefined && { until }),
    ...(reason !== undefined && { reason }),
  }
  const told = factsFor(granted ? "approval.granted" : "approval.denied", task, chain.links.at(-1))
  const outcome = granted ? ("allowed" as const) : ("refused" as const)
  return {
    steps: [
      ...guards,
      notLocked(decider, now),
      { statement: decideApproval, values, rows: 1 },
      ...parts.ledger.steps(
        { ...told, at: now, api, operation, resource, outcome, body },
        task.key ?? "erased",
      ),
    ],
    answer: () => viewApproval({ ...row, ...decided, decided_at: now }),
  }
}

/** Who has left says neither yes nor no. */
const notLocked = ({ person }: Decider, now: number): Step => ({
  statement: noLock,
  values: { now, agent: "", instance: "", orchestrator: "", sub: person, api: "" },
  rows: 0,
})
