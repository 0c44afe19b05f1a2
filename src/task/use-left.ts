// Whether a task has uses left that its type lets it have: what every mint after the start asks, by the policy in force. It
// counts nothing; use-limits.ts does.
import type { Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { UseLimits } from "../policy/policy.ts"
import { type UsedRow, usesAsRead, usesOfTask } from "./limit-statements.ts"
import type { Parts } from "./parts.ts"

type Asking = Pick<Parts, "policies" | "engine">

interface Limited {
  readonly task_id: string
  readonly type: string
}

/** Undefined: the uses of this type are not counted. */
export const limitsOf = (parts: Pick<Parts, "policies">, type: string): UseLimits | undefined =>
  parts.policies.inForce().tasks.get(type)?.limits.uses

const NOTHING: ReadonlyMap<string, number> = new Map()

/** Which limit is reached with these uses, in words; undefined: none. */
export function reachedWith(
  limits: UseLimits,
  before: readonly UsedRow[],
  more: ReadonlyMap<string, number> = NOTHING,
): string | undefined {
  const used = new Map(before.map((row) => [row.operation, row.used]))
  for (const [operation, uses] of more) used.set(operation, (used.get(operation) ?? 0) + uses)
  for (const [operation, most] of limits.of) {
    const uses = used.get(operation) ?? 0
    if (uses >= most) return `uses_of ${operation} of the task type is reached: ${uses} of ${most}`
  }
  const all = [...used.values()].reduce((sum, uses) => sum + uses, 0)
  if (limits.most === undefined || all < limits.most) return undefined
  return `uses of the task type is reached: ${all} of ${limits.most}`
}

/** Why nothing more is minted for a task that has used what its type lets it; undefined where it has not. */
export async function usedUp(parts: Asking, task: Limited): Promise<Refusal | undefined> {
  const unused = await stillUnused(parts, task)
  return Array.isArray(unused) ? undefined : unused
}

/** The same, and the guard that holds it to what was read; none where uses are not counted. */
export async function stillUnused(parts: Asking, { task_id, type }: Limited): Promise<Step[] | Refusal> {
  const limits = limitsOf(parts, type)
  if (!limits) return []
  const rows = await parts.engine.query(usesOfTask, { task_id })
  const reached = reachedWith(limits, rows)
  if (reached !== undefined) return refuse("uses_exhausted", `[limit] ${reached}`)
  const used = rows.reduce((sum, row) => sum + row.used, 0)
  return [{ statement: usesAsRead, values: { task_id, used }, rows: 1 }]
}
