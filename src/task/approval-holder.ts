// An agent that asks with its own token: for which task, and that it may. As in every exchange, holder and state come from the
// rows, never from the token.
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Requester } from "./approval.ts"
import type { Parts } from "./parts.ts"
import { type Bringer, findSubject, judgeTime, openSubject, rowOf } from "./subject.ts"

export interface Asking {
  readonly requester: Requester
  readonly taskId: string
  readonly orchestrator: string
}

/** A holder with a live token of its own that may ask, and the key that it is bound to. */
export async function findAsking(parts: Parts, ownToken: string, by: Bringer): Promise<Asking | Refusal> {
  const opened = openSubject(parts, ownToken, by)
  if (opened instanceof Refused) return opened
  if (!opened.may?.includes("task:ask"))
    return refuse("exchange_not_allowed", "[scope] the token asks for nothing")
  const row = await rowOf(parts, opened.token)
  if (row instanceof Refused) return row
  const subject = await findSubject(parts, row)
  if (subject instanceof Refused) return subject
  const over = judgeTime(row, parts.ledger.at(), 0)
  if (over) return over
  const { task_id: taskId, orchestrator } = row
  const link = subject.links.at(-1)
  const { agent, instance } = link ?? row
  const name = `${agent}/${instance}`
  const asks: Requester = { nameFor: () => name, mayAskFor: (task) => task.task_id === taskId }
  const below = link && { delegation: link.delegationId, holder: { agent, instance } }
  return { requester: { ...asks, ...below }, taskId, orchestrator }
}
