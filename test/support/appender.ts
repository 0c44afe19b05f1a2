// A process of its own that records without end, to be killed or starved: `node appender.ts '{"path":...}'`. Each lane
// commits an entry and a row that belongs to it in one transaction, and only then notes the acknowledgement in a file.
import { appendFileSync, openSync, writeSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import { sql } from "drizzle-orm"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createLedger, type Ledger } from "../../src/ledger/ledger.ts"
import { systemClock } from "../../src/time.ts"

export interface Task {
  readonly path: string
  /** Where acknowledged names go, one a line. */
  readonly acknowledged: string
  readonly lanes: number
  /** Acknowledgements after which the process kills itself, the other lanes still in flight. */
  readonly killAfter?: number
  /** Acknowledgements after which it closes and ends. */
  readonly stopAfter?: number
  /** Bytes of padding in each entry. */
  readonly padding?: number
}

/** What it prints, one JSON object a line. */
export type Report =
  | { readonly tag: "open" | "healed" | "closed" }
  | { readonly tag: "refused" | "failed" | "broken"; readonly message: string }

const pair = statement("pair", sql`INSERT INTO setting (key, value) VALUES (${sql.placeholder("key")}, 'v')`)
const say = (report: Report) => writeSync(1, `${JSON.stringify(report)}\n`)

async function run(task: Task): Promise<void> {
  const engine = await openSqlite({ path: task.path }).catch((error: Error) => {
    say({ tag: "refused", message: error.message })
    return undefined
  })
  if (!engine) return
  const ledger = await createLedger({ engine, names: createNames(engine), clock: systemClock })
  say({ tag: "open" })
  const state: State = { engine, ledger, task, acknowledged: 0, failing: false, broken: false }
  void engine.broken.then((cause) => {
    state.broken = true
    say({ tag: "broken", message: cause.message })
  })
  const file = openSync(task.acknowledged, "a", 0o600)
  await Promise.all(Array.from({ length: task.lanes }, (_, lane) => keepAppending(state, lane, file)))
  await engine.close()
  say({ tag: "closed" })
}

interface State {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly task: Task
  acknowledged: number
  failing: boolean
  broken: boolean
}

async function keepAppending(state: State, lane: number, file: number): Promise<void> {
  for (
    let n = 0;
    !state.broken && state.acknowledged < (state.task.stopAfter ?? Number.POSITIVE_INFINITY);
    n++
  ) {
    const name = `${process.pid}/${lane}/${n}`
    while (!state.broken && !(await append(state, name))) await setTimeout(10)
    if (state.broken) return
    appendFileSync(file, `${name}\n`)
    state.acknowledged++
    if (state.acknowledged === state.task.killAfter) process.kill(process.pid, "SIGKILL")
  }
}

async function append(state: State, name: string): Promise<boolean> {
  const body = { padding: "x".repeat(state.task.padding ?? 0) }
  const event = { kind: "use.allowed", at: state.ledger.at(), agent: "bot", resource: name, body } as const
  try {
    await state.engine.atomically([
      { statement: pair, values: { key: name }, rows: 1 },
      ...state.ledger.steps(event),
    ])
    if (state.failing) say({ tag: "healed" })
    state.failing = false
    return true
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    if (!state.failing) say({ tag: "failed", message: error.message })
    state.failing = true
    return false
  }
}

await run(JSON.parse(process.argv[2] ?? "{}"))
