// What entries add to what is known of an agent in tasks of a type: what each open task did, what each hour held, and which
// operations were used. It decides what counts and when by; it reads nothing by itself but what it is handed.
import { ANOMALY_RULES } from "../../policy/anomaly-rules.ts"
import { timesOf } from "../privilege-count.ts"
import type { CountedRow } from "../rollup-statements.ts"
import { bytesOf, readSketch, type Sketch, touch } from "./sketch.ts"

/** One task of one holder. Names and tasks are their ids; times are epoch milliseconds. */
export interface CountedTask {
  readonly task: number
  readonly agent: number
  readonly type: number
  readonly startedAt: number
  readonly uses: number
  readonly refused: number
  readonly touched: Uint8Array
  readonly toldAt: number
  /** The last entry that was counted here. */
  readonly seq: number
  readonly endedAt: number | null
  /** Rules by which it was paused or revoked. */
  readonly acted: string
}

export type MarkedTask = Pick<CountedTask, "task" | "agent" | "endedAt" | "acted">

export interface CountedHour {
  readonly type: number
  readonly agent: number
  /** Whole hours since the epoch. */
  readonly hour: number
  readonly starts: number
  readonly uses: number
  readonly refused: number
  readonly toldAt: number
  readonly seq: number
}

export interface CountedOperation {
  readonly type: number
  readonly agent: number
  readonly operation: number
  readonly since: number
  readonly task: number
  readonly seq: number
  readonly lastAt: number
}

export interface Window {
  /** Tasks that started in it: each has a row of its own, as one that has done nothing yet. */
  readonly started: number
  /** Those that did something in it. `begins`: a sub-agent, that has no row yet. */
  readonly tasks: Iterable<CountedTask & { readonly begins: boolean }>
  /** Those that did nothing in it, but ended or were stopped. */
  readonly marked: Iterable<MarkedTask>
  readonly hours: Iterable<CountedHour>
  readonly operations: Iterable<CountedOperation>
}

export const HOUR_MILLISECONDS = 3_600_000
const DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS
/** Verifiers report that long after a task's end what happened in it; what comes later counts for the hour alone. */
export const LATE_MILLISECONDS = 3_600_000
/** An operation that was not used for so long is new again. */
export const FORGOTTEN_MILLISECONDS = 90 * DAY_MILLISECONDS

const ENDS: ReadonlySet<string> = new Set([
  "task.completed",
  "task.failed",
  "task.canceled",
  "task.expired",
  "task.revoked",
])
const RULES: ReadonlySet<string> = new Set(ANOMALY_RULES)

/** An entry of a holder in a task. */
interface Known extends CountedRow {
  readonly task: number
  readonly type_id: number
  readonly agent_id: number
}

type Working<T> = { -readonly [Member in keyof T]: T[Member] }

/** A task of one holder while a window is counted. */
interface Holder extends Working<Omit<CountedTask, "touched">> {
  readonly touched: Sketch
  readonly begins: boolean
}

type Holders = Map<number, Holder>

/** What the rows, in order, make of what was known of their tasks: `open` has every row there is of each. */
export function tallyWork(rows: readonly CountedRow[], open: readonly CountedTask[]): Window {
  const tasks = new Map<number, Holders>()
  for (const one of open)
    holdersOf(tasks, one.task).set(one.agent, { ...one, touched: readSketch(one.touched), begins: false })
  const changed = new Set<Holder>()
  const stopped = new Set<Holder>()
  const hours = new Map<string, Working<CountedHour>>()
  const operations = new Map<string, Working<CountedOperation>>()
  let started = 0
  for (const row of rows) {
    if (!isKnown(row)) continue
    if (row.kind === "task.started") {
      holdersOf(tasks, row.task).set(row.agent_id, begun(row, false))
      started += 1
    }
    const change = changeOf(row)
    if (change) {
      const holder = change.starts > 0 ? undefined : holderOf(tasks.get(row.task), row)
      if (holder) changed.add(counted(holder, row, change))
      addHour(hours, row, change)
      if (change.uses > 0) addOperation(operations, row)
    }
    for (const holder of marked(tasks.get(row.task), row)) stopped.add(holder)
  }
  return {
    started,
    tasks: [...changed].map((one) => ({ ...one, touched: bytesOf(one.touched) })),
    marked: [...stopped].filter((one) => !changed.has(one)),
    hours: hours.values(),
    operations: operations.values(),
  }
}

const isKnown = (row: CountedRow): row is Known =>
  row.task !== null && row.type_id !== null && row.agent_id !== null

function holdersOf(tasks: Map<number, Holders>, task: number): Holders {
  const known = tasks.get(task) ?? new Map<number, Holder>()
  tasks.set(task, known)
  return known
}

const begun = ({ task, type_id: type, agent_id: agent, at, seq }: Known, begins: boolean): Holder => ({
  ...{ task, agent, type, startedAt: at, uses: 0, refused: 0, touched: [] },
  ...{ toldAt: at, seq, endedAt: null, acted: "", begins },
})

/** Undefined: the task began before anything was counted, or ended long ago. A sub-agent's row begins with what it does. */
function holderOf(holders: Holders | undefined, row: Known): Holder | undefined {
  const first = holders?.values().next().value
  if (!first || (first.endedAt !== null && row.at > first.endedAt + LATE_MILLISECONDS)) return undefined
  const known = holders?.get(row.agent_id)
  if (known) return known
  const holder = { ...begun(row, true), endedAt: first.endedAt, acted: first.acted }
  holders?.set(row.agent_id, holder)
  return holder
}

interface Change {
  readonly starts: number
  readonly uses: number
  readonly refused: number
  readonly at: number
}

function changeOf(row: Known): Change | undefined {
  const { kind, at } = row
  if (kind === "use.allowed" || kind === "use.observed")
    return { starts: 0, uses: 1, refused: 0, at: servedAt(row) }
  if (kind === "task.started") return { starts: 1, uses: 0, refused: 0, at }
  if (kind === "use.refused") return { starts: 0, uses: 0, refused: timesOf(row), at: servedAt(row) }
  return kind === "token.refused" ? { starts: 0, uses: 0, refused: 1, at } : undefined
}

/** A spool may report late, but nothing is served long after its token has run out: what is told later happened by then. */
const servedAt = ({ at, exp }: Known): number => (exp === null ? at : Math.min(at, exp * 1000))

function counted(holder: Holder, row: Known, { uses, refused }: Change): Holder {
  holder.uses += uses
  holder.refused += refused
  holder.toldAt = row.at
  holder.seq = row.seq
  if (uses > 0) touch(holder.touched, row.resource ?? "", row.task)
  return holder
}

function addHour(hours: Map<string, Working<CountedHour>>, row: Known, change: Change): void {
  const { type_id: type, agent_id: agent, at: toldAt, seq } = row
  const hour = Math.floor(change.at / HOUR_MILLISECONDS)
  const key = `${type} ${agent} ${hour}`
  let known = hours.get(key)
  if (!known) {
    known = { type, agent, hour, toldAt, seq, starts: 0, uses: 0, refused: 0 }
    hours.set(key, known)
  }
  known.toldAt = toldAt
  known.seq = seq
  known.starts += change.starts
  known.uses += change.uses
  known.refused += change.refused
}

function addOperation(operations: Map<string, Working<CountedOperation>>, row: Known): void {
  const { type_id: type, agent_id: agent, operation_id: operation, at, task, seq } = row
  if (operation === null) return
  const key = `${type} ${agent} ${operation}`
  const known = operations.get(key)
  if (!known || at - known.lastAt > FORGOTTEN_MILLISECONDS)
    operations.set(key, { type, agent, operation, since: at, task, seq, lastAt: at })
  else known.lastAt = at
}

const NOBODY: readonly Holder[] = []

/** What an entry says of all holders of a task: that it ended, and by which rule it was stopped. */
function marked(holders: Holders | undefined, { kind, at, code }: Known): readonly Holder[] {
  const ends = ENDS.has(kind)
  const rule = code !== null && RULES.has(code) && (ends || kind === "task.paused") ? code : undefined
  if (!holders || (!ends && rule === undefined)) return NOBODY
  const all = [...holders.values()]
  for (const holder of all) {
    if (ends) holder.endedAt ??= at
    if (rule !== undefined) holder.acted = [...new Set([...wordsOf(holder.acted), rule])].join(" ")
  }
  return all
}

export const wordsOf = (acted: string): string[] => acted.split(" ").filter((word) => word !== "")
