// An agent that proved who it is collects the tokens of its own task, so that they rest in no job queue on the way to it. It
// decides whose task it is; what may be had, and what a new instance or key ends, is decided as for a renewal.
import { type Refusal, refuse } from "../errors.ts"
import { toEpochSeconds } from "../time.ts"
import { settleDecision } from "./commit.ts"
import { lifetimeOf, type Passed } from "./gate.ts"
import type { Parts } from "./parts.ts"
import { planRenewal, type Renewed, type RenewRequest, refusingOf } from "./renew.ts"
import { type TaskRow, taskById } from "./statements.ts"

export interface CollectRequest extends RenewRequest {
  /** The key that the agent proved when it asked: binds the tokens of a task that is not bound yet, unless it names another. */
  readonly provenJkt?: string | undefined
}

/** Epoch seconds: until when a start's tokens would have lived. Whose agent has collected none by then, is not at work. */
export function collectBy(passed: Passed): number {
  const now = toEpochSeconds(passed.now)
  return now + lifetimeOf(passed, now)
}

/** Collects for an agent that was authenticated elsewhere; anybody else's task answers like a missing one. */
export async function collectTokens(
  parts: Parts,
  agent: string,
  taskId: string,
  request: CollectRequest,
): Promise<Renewed | Refusal> {
  let task: TaskRow | undefined
  const decide = async () => {
    const [found] = await parts.engine.query(taskById, { task_id: taskId })
    task = found?.agent === agent ? found : undefined
    if (!task) return refuse("not_found", "[task] no such task of this agent")
    const { provenJkt, ...asked } = request
    const bound = asked.dpopJkt === undefined && task.jkt === null && provenJkt !== undefined
    return planRenewal(parts, task, bound ? { ...asked, dpopJkt: provenJkt } : asked, "agent")
  }
  return settleDecision<Renewed>(parts, decide, () => task && refusingOf("token.refused", task))
}
