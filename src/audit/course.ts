// The course of one task, as its page draws it: uses and refusals over time, when its state changed, and what was granted
// against what was used. It decides how much is looked at, so that a page is answered in time however much the task did; a
// closing statement (account.ts) counts everything.
import type { Engine } from "../database/database.ts"
import { accountedTask, usesOfTask } from "./account-statements.ts"
import { changesOfTask, newestOfTask, type StepRow, stepsOfTask } from "./course-statements.ts"
import { type AccountedGrant, createTally, type RuleAccount, type Uses } from "./tally.ts"

/** What came within one step of time. Epoch milliseconds. */
export interface CourseStep {
  readonly first: number
  readonly last: number
  readonly allowed: number
  /** Let through by a verifier that only watches. */
  readonly observed: number
  /** Entries of refusals, by an API or by the issuer. */
  readonly refused: number
}

export interface Course {
  /** In their order; those without anything are left out. */
  readonly steps: readonly CourseStep[]
  /** In their order. */
  readonly changes: readonly { readonly state: string; readonly at: number }[]
  /** What was granted; resources are in clear, and none once they were erased. */
  readonly rules: readonly RuleAccount[]
  /** Uses that no rule covers. */
  readonly outside: Uses
  /** There are earlier entries of the task that were not looked at. */
  readonly earlier: boolean
}

export interface CourseAsked {
  /** Epoch milliseconds; what is drawn. */
  readonly from: number
  readonly to: number
  /** Into how many steps it is cut. */
  readonly steps: number
}

const MOST_ENTRIES = 50_000
const USES_AT_ONCE = 10_000
const MOST_CHANGES = 24

/** Undefined where there is no such task. Throws Unavailable. */
export async function readCourse(
  engine: Engine,
  task_id: string,
  { from, to, steps }: CourseAsked,
): Promise<Course | undefined> {
  const [row] = await engine.query(accountedTask, { task_id })
  if (!row) return undefined
  const [newest] = await engine.query(newestOfTask, { task_id, most: MOST_ENTRIES })
  const first = newest?.first ?? 0
  const width = Math.max(1, Math.ceil((to - from) / steps))
  const counted = await engine.query(stepsOfTask, { task_id, first, from, width })
  const changes = await engine.query(changesOfTask, { task_id, first, limit: MOST_CHANGES })
  const grants: readonly AccountedGrant[] = JSON.parse(row.authority)
  const tally = createTally(grants, (text) => (row.key === null ? undefined : { hmac: text }))
  for (let after = first - 1; ; ) {
    const uses = await engine.query(usesOfTask, {
      task_id,
      after,
      through: Number.MAX_SAFE_INTEGER,
      limit: USES_AT_ONCE,
    })
    for (const one of uses) tally.take(one)
    if (uses.reduce((sum, one) => sum + one.uses, 0) < USES_AT_ONCE) break
    after = uses.reduce((last, one) => Math.max(last, one.last_seq), after)
  }
  return {
    steps: stepsFrom(counted),
    changes: changes.map(({ kind, at }) => ({ state: STATES[kind] ?? kind, at })).reverse(),
    rules: tally.rules(),
    outside: tally.outside(),
    earlier: newest?.earlier === 1,
  }
}

const STATES: Readonly<Record<string, string>> = {
  "task.paused": "paused",
  "task.resumed": "active",
  "task.completed": "completed",
  "task.failed": "failed",
  "task.canceled": "canceled",
  "task.expired": "expired",
  "task.revoked": "revoked",
}

const stepsFrom = (rows: readonly StepRow[]): CourseStep[] =>
  [...Map.groupBy(rows, ({ step }) => step).values()].map((alike) => {
    const sum = (...kinds: readonly string[]) =>
      alike.reduce((all, { kind, entries }) => (kinds.includes(kind) ? all + entries : all), 0)
    return {
      first: Math.min(...alike.map(({ first_at }) => first_at)),
      last: Math.max(...alike.map(({ last_at }) => last_at)),
      allowed: sum("use.allowed"),
      observed: sum("use.observed"),
      refused: sum("use.refused", "token.refused", "task.refused"),
    }
  })
