// What entries add to what is known of an agent in tasks of a type: what each open task did, what each hour held, and which
// operations were used. It decides what counts and when by; it reads nothing by itself but what it is handed.
import { ANOMALY_RULES } from "../../policy/anomaly-rules.ts"
import { timesOf } from "../privilege-count.ts"
import type { CountedRow } from "../rollup-statements.ts"
import { NOTHING_TOUCHED, touch } from "./sketch.ts"

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
  readonly tasks: Iterable<CountedTask>
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

/** What the rows, in order, make of what was known of their tasks: `open` has every row there is of each. */
export function tallyWork(rows: readonly CountedRow[], open: readonly CountedTask[]): Window {
  const tasks = new Map<number, Map<number, CountedTask>>()
  for (const one of open) holdersOf(tasks, one.task).set(one.agent, one)
  const changed = new Map<string, CountedTask>()
  const hours = new Map<string, CountedHour>()
  const operations = new Map<string, CountedOperation>()
  const put = (one: CountedTask) => {
    holdersOf(tasks, one.task).set(one.agent, one)
    changed.set(`${one.task} ${one.agent}`, one)
  }
  for (const row of rows) {
    if (!isKnown(row)) continue
    if (row.kind === "task.started") put(begun(row, row.agent_id))
    const change = changeOf(row)
    if (change) {
      const holder = holderOf(tasks.get(row.task), row)
      if (holder) put(change.task(holder))
      addHour(hours, row, change)
      if (change.uses > 0) addOperation(operations, row)
    }
    const mark = markOf(row)
    if (mark) for (const one of [...holdersOf(tasks, row.task).values()]) put(mark(one))
  }
  return { tasks: changed.values(), hours: hours.values(), operations: operations.values() }
}

const isKnown = (row: CountedRow): row is Known =>
  row.task !== null && row.type_id !== null && row.agent_id !== null

function holdersOf(tasks: Map<number, Map<number, CountedTask>>, task: number): Map<number, CountedTask> {
  const known = tasks.get(task) ?? new Map<number, CountedTask>()
  tasks.set(task, known)
  return known
}

const begun = ({ task, type_id: type, at, seq }: Known, agent: number): CountedTask => ({
  ...{ task, agent, type, startedAt: at, uses: 0, refused: 0, touched: NOTHING_TOUCHED },
  ...{ toldAt: at, seq, endedAt: null, acted: "" },
})

/** Undefined: the task began before anything was counted, or ended long ago. A sub-agent's row begins with what it does. */
function holderOf(
  holders: ReadonlyMap<number, CountedTask> | undefined,
  row: Known,
): CountedTask | undefined {
  const first = holders?.values().next().value
  if (!first || (first.endedAt !== null && row.at > first.endedAt + LATE_MILLISECONDS)) return undefined
  return (
    holders?.get(row.agent_id) ?? { ...begun(row, row.agent_id), endedAt: first.endedAt, acted: first.acted }
  )
}

interface Change {
  readonly starts: number
  readonly uses: number
  readonly refused: number
  readonly at: number
  task(before: CountedTask): CountedTask
}

function changeOf(row: Known): Change | undefined {
  const { kind, at: toldAt, seq } = row
  const told = { toldAt, seq }
  if (kind === "task.started")
    return { starts: 1, uses: 0, refused: 0, at: toldAt, task: (before) => ({ ...before, ...told }) }
  if (kind === "use.allowed" || kind === "use.observed") {
    const resource = row.resource ?? ""
    return {
      ...{ starts: 0, uses: 1, refused: 0, at: servedAt(row) },
      task: (before) => ({
        ...before,
        ...told,
        uses: before.uses + 1,
        touched: touch(before.touched, resource, row.task),
      }),
    }
  }
  if (kind !== "use.refused" && kind !== "token.refused") return undefined
  const refused = kind === "use.refused" ? timesOf(row) : 1
  return {
    ...{ starts: 0, uses: 0, refused, at: kind === "use.refused" ? servedAt(row) : toldAt },
    task: (before) => ({ ...before, ...told, refused: before.refused + refused }),
  }
}

/** A spool may report late, but nothing is served long after its token has run out: what is told later happened by then. */
const servedAt = ({ at, exp }: Known): number => (exp === null ? at : Math.min(at, exp * 1000))

function addHour(hours: Map<string, CountedHour>, row: Known, { starts, uses, refused, at }: Change): void {
  const { type_id: type, agent_id: agent } = row
  const hour = Math.floor(at / HOUR_MILLISECONDS)
  const key = `${type} ${agent} ${hour}`
  const known = hours.get(key)
  hours.set(key, {
    ...{ type, agent, hour, toldAt: row.at, seq: row.seq },
    starts: (known?.starts ?? 0) + starts,
    uses: (known?.uses ?? 0) + uses,
    refused: (known?.refused ?? 0) + refused,
  })
}

function addOperation(operations: Map<string, CountedOperation>, row: Known): void {
  const { type_id: type, agent_id: agent, operation_id: operation, at, task, seq } = row
  if (operation === null) return
  const key = `${type} ${agent} ${operation}`
  const known = operations.get(key)
  if (!known || at - known.lastAt > FORGOTTEN_MILLISECONDS)
    operations.set(key, { type, agent, operation, since: at, task, seq, lastAt: at })
  else operations.set(key, { ...known, lastAt: at })
}

/** What an entry says of all holders of a task: that it ended, and by which rule it was stopped. */
function markOf({ kind, at, code }: Known): ((before: CountedTask) => CountedTask) | undefined {
  const ends = ENDS.has(kind)
  const rule = code !== null && RULES.has(code) && (ends || kind === "task.paused") ? code : undefined
  if (!ends && rule === undefined) return undefined
  return (before) => ({
    ...before,
    endedAt: ends ? (before.endedAt ?? at) : before.endedAt,
    acted: rule === undefined ? before.acted : [...new Set([...wordsOf(before.acted), rule])].join(" "),
  })
}

export const wordsOf = (acted: string): string[] => acted.split(" ").filter((word) => word !== "")
