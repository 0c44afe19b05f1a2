// A granted approval becomes a token of its own: that operation, that resource, those parameters, until it ends. It passes
// the one gate as every mint does, and is used up in the transaction that writes the token, or not at all.
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Requester } from "./approval.ts"
import { chainAlive, refusingFor } from "./approval-chain.ts"
import { type ApprovalRow, collectApproval } from "./approval-statements.ts"
import { findApproval } from "./approval-view.ts"
import type { Approved } from "./approved.ts"
import { type Attempt, type Once, settleDecision } from "./commit.ts"
import { planMint, signTokens } from "./mint.ts"
import type { Parts } from "./parts.ts"
import { notActive, passAgain, type Renewed } from "./renew.ts"
import { GENERATION, keepTask, type TaskRow, taskById } from "./statements.ts"
import { usedUp } from "./use-left.ts"

/** Collects for whoever may ask for the task; an approval of another task answers like a missing one. */
export async function collectApproved(
  parts: Parts,
  requester: Requester,
  { taskId, id }: { readonly taskId: string; readonly id: string },
  once?: Once,
): Promise<Renewed | Refusal> {
  let task: TaskRow | undefined
  const decide = async () => {
    const [found] = await parts.engine.query(taskById, { task_id: taskId })
    task = found && requester.mayAskFor(found) ? found : undefined
    if (!task) return refuse("not_found", "[task] no such task of this requester")
    return planCollection(parts, requester, task, await findApproval(parts, id))
  }
  const refusing = () => task && refusingFor("token.refused", task, requester.holder)
  return settleDecision<Renewed>(parts, decide, refusing, once)
}

async function planCollection(
  parts: Parts,
  requester: Requester,
  task: TaskRow,
  row: ApprovalRow | undefined,
): Promise<Attempt<Renewed> | Refusal> {
  const stopped = notActive(task)
  if (stopped) return (await usedUp(parts, task)) ?? stopped
  if (!row) return refuse("approval_invalid", "[approval] none")
  const approved = approvedBy(row, task, requester)
  if (approved instanceof Refused) return approved
  if (!task.key) return refuse("task_ended", "[erased] the task's key was erased")
  const chain = await chainAlive(parts, task, row.delegation)
  if (chain instanceof Refused) return chain
  const { links, until } = chain
  const jkt = chain.jkt ?? requester.provenJkt ?? null
  const passed = await passAgain(parts, { ...task, jkt }, { approved, links, until })
  if (passed instanceof Refused) return passed
  const plan = planMint(parts, passed, {
    taskId: task.task_id,
    taskKey: task.key,
    reference: task.reference,
    floor: task.iat_floor,
    generation: GENERATION.approval,
    kind: "token.issued",
    approval: row.approval_id,
  })
  if (plan instanceof Refused) return plan
  const { now } = passed
  const [token] = plan.tokens
  const spent = token?.grants.some((grant) => grant.once) ? "collected" : "granted"
  const kept = { task_id: task.task_id, instance: task.instance, jkt: task.jkt, state: "active", now }
  const floors = { floor: task.iat_floor, new_floor: task.iat_floor }
  const taken = { approval_id: row.approval_id, state: spent, jti: token?.jti ?? null, now }
  return {
    steps: [
      ...passed.guards,
      ...chain.guards,
      ...parts.names.steps([task.instance, plan.kid]),
      { statement: keepTask, values: { ...kept, ...floors }, rows: 1 },
      { statement: collectApproval, values: taken, rows: 1 },
      ...plan.steps,
    ],
    answer: async () => {
      const tokens = await signTokens(parts, task.task_id, plan.tokens, now)
      return tokens instanceof Refused ? tokens : { tokens }
    },
  }
}

function approvedBy(row: ApprovalRow, task: TaskRow, requester: Requester): Approved | Refusal {
  if (row.task_id !== task.task_id) return refuse("approval_invalid", "[approval] none of this task")
  if (row.delegation !== (requester.delegation ?? null))
    return refuse("approval_invalid", "[approval] of another holder")
  if (row.state === "requested")
    return refuse("approval_pending", "[approval] undecided", { retryAfterSeconds: 5 })
  if (row.state === "denied") return refuse("approval_denied", "[approval] denied")
  if (row.state !== "granted") return refuse("approval_invalid", `[approval] it is ${row.state}`)
  return {
    operation: row.operation,
    resource: row.resource.split("/"),
    parameters: row.digest,
    decidedAs: row.decided_as ?? "",
    decidedBy: row.decided_by ?? "",
    until: row.expires_at,
  }
}
