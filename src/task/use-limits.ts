// How often a task may use what it was granted, counted as verifiers report it: reaching the limit pauses or revokes the task
// in the transaction of the report, so that the feed tells it at once. It decides when a limit is reached, by the policy in
// force; how a task is paused or revoked is finish.ts's.
import type { Step } from "../database/database.ts"
import type { UseLimits } from "../policy/policy.ts"
import type { UseRecord } from "../token/batch.ts"
import { endSteps, isOpen, pauseSteps } from "./finish.ts"
import {
  claimedUses,
  countAny,
  countBelow,
  stillPaused,
  type UsedRow,
  usesAsRead,
  usesOfTask,
} from "./limit-statements.ts"
import type { Parts } from "./parts.ts"
import { type TaskRow, taskById } from "./statements.ts"
import { limitsOf, reachedWith } from "./use-left.ts"

/** Of an operation without a limit of its own. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/** What a token is refused with once its task was stopped at a limit. */
export type LimitCode = "task_paused" | "token_revoked"

/** By the id of the use. */
export type Beyond = ReadonlyMap<string, LimitCode>

interface Counting {
  readonly steps: readonly Step[]
  /** Uses that came when nothing was left for them: of what is recorded before it is served, none of these may be. */
  readonly beyond: Beyond
}

/**
 * What a batch of uses changes of the limits of its tasks. Nothing is read or written for tasks whose type does not limit its
 * uses; else one count for each operation. `typeOf` answers undefined for tasks that this database does not know.
 */
export async function limitSteps(
  parts: Parts,
  uses: readonly UseRecord[],
  typeOf: (task: string) => string | undefined,
): Promise<Counting> {
  const served = new Map<string, UseRecord[]>()
  for (const use of uses) {
    const limits = limitsOf(parts, typeOf(use.task) ?? "")
    if (!limits || use.decision === "refused") continue
    served.set(use.task, [...(served.get(use.task) ?? []), use])
  }
  const steps: Step[] = []
  const beyond = new Map<string, LimitCode>()
  for (const [task, ofTask] of served) {
    const claimed = new Set((await parts.engine.query(claimedUses, { task_id: task })).map(({ use }) => use))
    const counting = await count(
      parts,
      task,
      ofTask.filter(({ id }) => !claimed.has(id)),
    )
    steps.push(...counting.steps)
    for (const [use, code] of counting.beyond) beyond.set(use, code)
  }
  return { steps, beyond }
}

/**
 * Of a batch that was counted before, when the answer was lost: every use of a task whose limit is reached, for which of them
 * were within is not known any more.
 */
export async function perhapsBeyond(parts: Parts, uses: readonly UseRecord[]): Promise<Beyond> {
  const beyond = new Map<string, LimitCode>()
  for (const taskId of new Set(uses.map(({ task }) => task))) {
    const [task] = await parts.engine.query(taskById, { task_id: taskId })
    const limits = task && limitsOf(parts, task.type)
    if (
      !limits ||
      reachedWith(limits, await parts.engine.query(usesOfTask, { task_id: taskId })) === undefined
    )
      continue
    for (const { id, task: of, operation } of uses)
      if (of === taskId && isCounted(limits, operation)) beyond.set(id, codeOf(limits))
  }
  return beyond
}

const codeOf = ({ atLimit }: UseLimits): LimitCode => (atLimit === "revoke" ? "token_revoked" : "task_paused")

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
): Promise<readonly Step[]> {
  const uses = operations.map((operation) => ({ id: "", operation }))
  return (await count(parts, taskId, uses)).steps
}

type Counted = Pick<UseRecord, "id" | "operation">

const NOTHING: Counting = { steps: [], beyond: new Map() }

async function count(parts: Parts, taskId: string, uses: readonly Counted[]): Promise<Counting> {
  const [task] = await parts.engine.query(taskById, { task_id: taskId })
  const limits = task && limitsOf(parts, task.type)
  if (!limits) return NOTHING
  const counted = uses.filter(({ operation }) => isCounted(limits, operation))
  if (counted.length === 0) return NOTHING
  const before = await parts.engine.query(usesOfTask, { task_id: taskId })
  const counts = new Map<string, number>()
  const beyond = new Map<string, LimitCode>()
  for (const { id, operation } of counted) {
    if (reachedFor(limits, operation, before, counts)) beyond.set(id, codeOf(limits))
    counts.set(operation, (counts.get(operation) ?? 0) + 1)
  }
  const reached = reachedWith(limits, before, counts)
  if (reached === undefined) return { steps: countsBelow(limits, taskId, counts), beyond }
  // Of two reports at once each would take the last use for its own.
  const asRead = beyond.size < counted.length ? [stillAsRead(taskId, before)] : []
  const counting = [...asRead, ...countsOf(taskId, counts)]
  return { steps: [...counting, ...stopSteps(parts, task, limits, reached)], beyond }
}

/** Whether nothing is left for one more use of this operation. */
function reachedFor(
  limits: UseLimits,
  operation: string,
  before: readonly UsedRow[],
  more: ReadonlyMap<string, number>,
): boolean {
  const own = limits.of.get(operation)
  const of = own === undefined ? [] : ([[operation, own]] as const)
  return reachedWith({ ...limits, of: new Map(of) }, before, more) !== undefined
}

function countsBelow(limits: UseLimits, taskId: string, counts: ReadonlyMap<string, number>): Step[] {
  return [...counts].map(([operation, uses]) => ({
    statement: countBelow,
    values: {
      ...{ task_id: taskId, operation, uses },
      most: limits.of.get(operation) ?? NO_LIMIT,
      most_in_all: limits.most ?? NO_LIMIT,
    },
    rows: 1,
  }))
}

const countsOf = (taskId: string, counts: ReadonlyMap<string, number>): Step[] =>
  [...counts].map(([operation, uses]) => ({
    statement: countAny,
    values: { task_id: taskId, operation, uses },
    rows: 1,
  }))

function stillAsRead(taskId: string, before: readonly UsedRow[]): Step {
  const used = before.reduce((sum, row) => sum + row.used, 0)
  return { statement: usesAsRead, values: { task_id: taskId, used }, rows: 1 }
}

function stopSteps(parts: Parts, task: TaskRow, limits: UseLimits, reason: string): readonly Step[] {
  if (!isOpen(task)) return []
  if (limits.atLimit === "revoke") return endSteps(parts, task, "revoked", { reason })
  if (task.state === "active") return pauseSteps(parts, task, { reason })
  return [{ statement: stillPaused, values: { task_id: task.task_id }, rows: 1 }]
}
