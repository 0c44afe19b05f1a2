// What is usual, kept up with the ledger: a window's worth of it goes into the transaction of the roll-ups (rollup.ts), and
// tasks that ended become one more of those by which others are judged. What an entry counts as is tally.ts's.
import { type Engine, type Step, Unexpected } from "../../database/database.ts"
import { REMEMBERED_DAYS } from "../../policy/anomaly-rules.ts"
import { dayOf } from "../privilege-count.ts"
import type { Between } from "../rollup-rows.ts"
import type { CountedRow } from "../rollup-statements.ts"
import { countTouched } from "./sketch.ts"
import {
  beginStarted,
  beginTask,
  closeTasks,
  countedUpTo,
  countHour,
  countSize,
  endedTasks,
  forgetHours,
  forgetSizes,
  keepOperation,
  keepTask,
  markTask,
  type OpenTaskRow,
  openTasks,
} from "./statements.ts"
import {
  type CountedTask,
  FORGOTTEN_MILLISECONDS,
  LATE_MILLISECONDS,
  tallyWork,
  type Window,
} from "./tally.ts"

const MOST_AT_ONCE = 500
const MOST_ROUNDS = 100
/** A day more than what is remembered, so that a day is forgotten whole. */
const KEPT_DAYS = REMEMBERED_DAYS + 2

const taskOfRow = (row: OpenTaskRow): CountedTask => ({
  ...row,
  startedAt: row.started_at,
  toldAt: row.told_at,
  endedAt: row.ended_at,
})

/** What the entries of a window change; to be written with the place up to which they go, or not at all. */
export async function workSteps(
  engine: Engine,
  rows: readonly CountedRow[],
  between: Between,
): Promise<readonly Step[]> {
  const open = await engine.query(openTasks, between)
  return stepsOf(tallyWork(rows, open.map(taskOfRow)), between)
}

const stepsOf = ({ started, tasks, marked, hours, operations }: Window, between: Between): Step[] => [
  ...(started > 0
    ? [{ statement: beginStarted, values: { ...between, kind: "task.started" }, rows: started }]
    : []),
  ...[...tasks].map(({ begins, ...task }) => (begins ? beginStep(task) : keepStep(task))),
  ...[...marked].map(({ task, agent, endedAt, acted }) => ({
    statement: markTask,
    values: { task, agent, ended_at: endedAt, acted },
    rows: 1,
  })),
  ...[...hours].map(({ toldAt, ...rest }) => ({
    statement: countHour,
    values: { ...rest, told_at: toldAt },
    rows: 1,
  })),
  ...[...operations].map(({ lastAt, ...rest }) => ({
    statement: keepOperation,
    values: { ...rest, last_at: lastAt, forgotten: FORGOTTEN_MILLISECONDS },
    rows: 1,
  })),
]

function beginStep({ startedAt, toldAt, endedAt, ...rest }: CountedTask): Step {
  const values = { ...rest, started_at: startedAt, told_at: toldAt, ended_at: endedAt }
  return { statement: beginTask, values, rows: 1 }
}

/** It can be gone by now: then what was read is counted elsewhere, and this window is looked at again. */
function keepStep({ task, agent, uses, refused, touched, toldAt, seq, endedAt, acted }: CountedTask): Step {
  const values = { task, agent, uses, refused, touched, told_at: toldAt, seq, ended_at: endedAt, acted }
  return { statement: keepTask, values, rows: 1 }
}

/** Counts tasks that ended long enough before the last entry that was counted, each once. Throws Unavailable. */
export async function closeEnded(engine: Engine): Promise<void> {
  const [counted] = await engine.query(countedUpTo)
  if (!counted) return
  const before = counted.at - LATE_MILLISECONDS
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const rows = await engine.query(endedTasks, { before, limit: MOST_AT_ONCE })
    if (rows.length === 0 || !(await closed(engine, rows))) return
  }
}

async function closed(engine: Engine, rows: readonly OpenTaskRow[]): Promise<boolean> {
  const sizes = new Map<string, { type: number; agent: number; measure: number; day: number; size: number }>()
  const counts = new Map<string, number>()
  for (const { type, agent, ended_at, touched, uses } of rows) {
    const day = dayOf(ended_at ?? 0)
    for (const [measure, size] of [countTouched(touched), uses].entries()) {
      const one = { type, agent, measure, day, size: rounded(size) }
      const key = Object.values(one).join(" ")
      sizes.set(key, one)
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  const last = rows.at(-1)
  if (!last) return false
  const day = dayOf(last.ended_at ?? 0)
  try {
    await engine.atomically([
      {
        statement: closeTasks,
        values: {
          ...{ ended_at: last.ended_at, task: last.task, agent: last.agent },
          seq: Math.max(...rows.map(({ seq }) => seq)),
        },
        rows: rows.length,
      },
      ...[...sizes].map(([key, one]) => ({
        statement: countSize,
        values: { ...one, tasks: counts.get(key) ?? 0 },
        rows: 1,
      })),
      { statement: forgetHours, values: { hour: (day - KEPT_DAYS) * 24 } },
      { statement: forgetSizes, values: { day: day - KEPT_DAYS } },
    ])
    return true
  } catch (error) {
    // Another issuer was first.
    if (error instanceof Unexpected) return false
    throw error
  }
}

const EXACT = 50

/** To two digits beyond fifty: a task of 1,234 uses is one of 1,200, so that as many sizes stay few rows. */
function rounded(size: number): number {
  if (size <= EXACT) return size
  const unit = 10 ** (Math.floor(Math.log10(size)) - 1)
  return Math.round(size / unit) * unit
}
