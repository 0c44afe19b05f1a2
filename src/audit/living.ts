// How many tasks and tokens live, by age, and whose the tasks are. There may be a million of them, so they are counted in slices,
// and whoever waits has a turn between two. It decides how large a slice is; what is one of what lives, the statements do.
import { setImmediate } from "node:timers/promises"
import type { Engine, Statement } from "../database/database.ts"
import { toEpochSeconds } from "../time.ts"
import {
  type AgeRow,
  type LiveRow,
  liveGroups,
  taskAges,
  taskSlice,
  tokenAges,
  tokenSlice,
} from "./living-statements.ts"

/** How many live ones began within so many seconds, and not within the bound before; null: longer ago. */
export interface Age {
  readonly withinSeconds: number | null
  readonly count: number
}

const TASK_BOUNDS = [3600, 8 * 3600, 86_400] as const
const TOKEN_BOUNDS = [300, 600, 1200] as const
/** A few milliseconds of counting. */
const SLICE_ROWS = 4000

/** Of tasks that have not ended; what ends or begins meanwhile may be among them or not. Throws Unavailable. */
export async function countLiveTasks(engine: Engine, now: number, rows = SLICE_ROWS) {
  const counts = new Map<number, number>()
  const groups = new Map<string, LiveRow>()
  const bounds = boundsOf(TASK_BOUNDS, now, 1)
  for await (const slice of slices(engine, taskSlice, 0, rows)) {
    addAges(counts, await engine.query(taskAges, { ...bounds, ...slice }))
    for (const row of await engine.query(liveGroups, slice)) {
      const key = JSON.stringify([row.type, row.agent, row.orchestrator, row.policy])
      groups.set(key, { ...row, tasks: row.tasks + (groups.get(key)?.tasks ?? 0) })
    }
  }
  const sorted = [...groups].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row)
  return { ages: agesOf(TASK_BOUNDS, counts), groups: sorted }
}

/** Of the same tasks, by the agent that they were started for. Throws Unavailable. */
export async function countTasksByAgent(
  engine: Engine,
  rows = SLICE_ROWS,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for await (const slice of slices(engine, taskSlice, 0, rows))
    for (const { agent, tasks } of await engine.query(liveGroups, slice))
      counts.set(agent, tasks + (counts.get(agent) ?? 0))
  return counts
}

/** Of tokens that have neither run out nor been ended. Throws Unavailable. */
export async function countLiveTokens(engine: Engine, now: number, rows = SLICE_ROWS): Promise<Age[]> {
  const counts = new Map<number, number>()
  const bounds = boundsOf(TOKEN_BOUNDS, now, 1000)
  for await (const slice of slices(engine, tokenSlice, toEpochSeconds(now), rows))
    addAges(counts, await engine.query(tokenAges, { ...bounds, ...slice }))
  return agesOf(TOKEN_BOUNDS, counts)
}

interface Slice extends Readonly<Record<string, number>> {
  /** Not in it. */
  readonly from: number
  readonly end: number
}

async function* slices(
  engine: Engine,
  endOf: Statement<{ readonly end: number }>,
  first: number,
  rows: number,
): AsyncGenerator<Slice, void> {
  for (let from = first; ; await setImmediate()) {
    const [found] = await engine.query(endOf, { from, rows })
    yield { from, end: found?.end ?? Number.MAX_SAFE_INTEGER }
    if (!found) return
    from = found.end
  }
}

function addAges(counts: Map<number, number>, rows: readonly AgeRow[]): void {
  for (const { age, count } of rows) counts.set(age, count + (counts.get(age) ?? 0))
}

const boundsOf = (bounds: readonly [number, number, number], now: number, unit: number) => {
  const [first, second, third] = bounds.map((bound) => Math.floor((now - bound * 1000) / unit))
  return { first: first ?? 0, second: second ?? 0, third: third ?? 0 }
}

const agesOf = (bounds: readonly number[], counts: ReadonlyMap<number, number>): Age[] =>
  [...bounds, null].map((withinSeconds, at) => ({ withinSeconds, count: counts.get(at) ?? 0 }))
