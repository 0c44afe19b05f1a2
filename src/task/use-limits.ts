// How often a task may use what it was granted, counted as verifiers report it: reaching the limit pauses or revokes the task
// in the transaction of the report, so that the feed tells it at once. It decides when a limit is reached, by the policy in
// force; how a task is paused or revoked is finish.ts's.
import type { Step } from "../database/database.ts"
import type { UseLimits } from "../policy/policy.ts"
import type { UseRecord } from "../token/batch.ts"
import { endSteps, isOpen, pauseSteps } from "./finish.ts"
import { claimedUses, countAny, countBelow, stillPaused, usesOfTask } from "./limit-statements.ts"
import type { Parts } from "./parts.ts"
import { taskById } from "./statements.ts"
import { limitsOf, reachedWith } from "./use-left.ts"

/** Of an operation without a limit of its own. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/**
 * What a batch of uses changes of the limits of its tasks. Nothing is read or written for tasks whose type does not limit its
 * uses; else one count for each operation. `typeOf` answers undefined for tasks that this database does not know.
 */
export async function limitSteps(
  parts: Parts,
  uses: readonly UseRecord[],
  typeOf: (task: string) => string | undefined,
): Promise<Step[]> {
  const served = new Map<string, UseRecord[]>()
  for (const use of uses) {
    const limits = limitsOf(parts, typeOf(use.task) ?? "")
    if (!limits || use.decision === "refused") continue
    served.set(use.task, [...(served.get(use.task) ?? []), use])
  }
  const steps: Step[] = []
  for (const [task, ofTask] of served) {
    const claimed = new Set((await parts.engine.query(claimedUses, { task_id: task })).map(({ use }) => use))
    const counted = ofTask.filter(({ id }) => !claimed.has(id)).map(({ operation }) => operation)
    steps.push(...(await countSteps(parts, task, counted)))
  }
  return steps
}

const isCounted = ({ most, of }: UseLimits, operation: string): boolean =>
  most !== undefined || of.has(operation)

/**
 * Counts uses of one task, where its type limits them, and stops the task where they are its last. The operations' names are
 * interned already.
 */
export async function countSteps(
  parts: Parts,
  taskId: string,
  operations: readonly string[],
): Promise<Step[]> {
  const [task] = await parts.engine.query(taskById, { task_id: taskId })
  const limits = task && limitsOf(parts, task.type)
  if (!limits) return []
  const counts = new Map<string, number>()
  for (const operation of operations)
    if (isCounted(limits, operation)) counts.set(operation, (counts.get(operation) ?? 0) + 1)
  if (counts.size === 0) return []
  const before = await parts.engine.query(usesOfTask, { task_id: taskId })
  const reached = reachedWith(limits, before, counts)
  const statement = reached === undefined ? countBelow : countAny
  const counting = [...counts].map(([operation, uses]) => ({
    statement,
    values: {
      task_id: taskId,
      operation,
      uses,
      ...(reached === undefined && {
        most: limits.of.get(operation) ?? NO_LIMIT,
        most_in_all: limits.most ?? NO_LIMIT,
      }),
    },
    rows: 1,
  }))
  if (reached === undefined || !isOpen(task)) return counting
  if (limits.atLimit === "revoke")
    return [...counting, ...endSteps(parts, task, "revoked", { reason: reached })]
  if (task.state === "active") return [...counting, ...pauseSteps(parts, task, { reason: reached })]
  return [...counting, { statement: stillPaused, values: { task_id: taskId }, rows: 1 }]
}
