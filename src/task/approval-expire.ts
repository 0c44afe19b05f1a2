// Approvals whose time is over, written down: undecided, or granted and not collected. Nothing waits for it: whoever looks
// or collects judges by the time itself.
import { committed, type Step } from "../database/database.ts"
import { factsFor } from "./approval-chain.ts"
import { type ApprovalRow, approvalsOver, endApproval } from "./approval-statements.ts"
import { chainOf } from "./delegation-statements.ts"
import type { Parts } from "./parts.ts"
import { taskById } from "./statements.ts"

const SWEEP_AT_ONCE = 100

/** Writes down what has expired: undecided, or not collected in time. Answers how many. Safe at any time, by anyone. */
export async function expireApprovals(parts: Parts): Promise<number> {
  const now = parts.ledger.at()
  const over = await parts.engine.query(approvalsOver, { now, limit: SWEEP_AT_ONCE })
  const ended = await Promise.all(over.map((row) => endIfOver(parts, row, now)))
  return ended.filter(Boolean).length
}

/** What was collected and ran out has served its time; only what never was has expired. */
async function endIfOver(parts: Parts, row: ApprovalRow, now: number): Promise<boolean> {
  const state = row.token === null ? "expired" : "collected"
  const end = { statement: endApproval, values: { approval_id: row.approval_id, state }, rows: 1 }
  return committed(parts.engine, [end, ...(state === "expired" ? await expiredSteps(parts, row, now) : [])])
}

/** Of an erased task neither person nor resource is known any more: then the entry is without them. */
async function expiredSteps(parts: Parts, row: ApprovalRow, now: number): Promise<Step[]> {
  const [task] = await parts.engine.query(taskById, { task_id: row.task_id })
  if (!task) return []
  const { api, operation, resource, approval_id: approval } = row
  const holders = row.delegation ? await parts.engine.query(chainOf, { delegation: row.delegation }) : []
  const { sub, ...facts } = factsFor("approval.expired", task, holders.at(-1))
  const told = { ...facts, at: now, api, operation, body: { approval } }
  return task.key === null
    ? parts.ledger.steps(told, "erased")
    : parts.ledger.steps({ ...told, sub, resource }, task.key)
}
