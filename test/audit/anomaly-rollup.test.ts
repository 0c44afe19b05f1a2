// What is usual is what a reader of the whole ledger counts, however it was kept up, and so is what a rebuild makes.
import fc from "fast-check"
import { expect, test } from "vitest"
import { createRollups } from "../../src/audit/rollup.ts"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { createNames } from "../../src/database/names.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { emptyTables, holdEngine } from "../support/engine-hooks.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createWork, type WorkTask } from "../support/work.ts"

const held = holdEngine()

const TABLES = [
  "anomaly_task",
  "anomaly_hour",
  "anomaly_operation",
  "anomaly_size",
  "rollup_privilege",
  "rollup_day",
]
const MORE = ["rollup_place", "entry_bytes", "entry", "token", "task"]
const empty = () => emptyTables(held.engine, [...TABLES, ...MORE])

const lines = (name: string, text: string) => statement<{ line: string }>(name, sql`${sql.raw(text)}`)
const names = "JOIN name ty ON ty.id = x.type JOIN name a ON a.id = x.agent"
const HOURS = lines(
  "hours",
  `SELECT ty.text || ' ' || a.text || ' ' || x.hour || ' ' || x.starts || ' ' || x.uses || ' ' || x.refused AS line
    FROM anomaly_hour x ${names}`,
)
const OPERATIONS = lines(
  "operations",
  `SELECT ty.text || ' ' || a.text || ' ' || o.text || ' ' || x.since || ' ' || x.last_at AS line
    FROM anomaly_operation x ${names} JOIN name o ON o.id = x.operation`,
)
const SIZES = lines(
  "sizes",
  `SELECT ty.text || ' ' || a.text || ' ' || x.measure || ' ' || x.day || ' ' || x.size || ' ' || x.tasks AS line
    FROM anomaly_size x ${names}`,
)
const OPEN = lines("open", "SELECT CAST(count(*) AS text) AS line FROM anomaly_task")
const counted = async () => {
  const all = [HOURS, OPERATIONS, SIZES, OPEN].map(async (one) =>
    (await held.engine.query(one)).map(({ line }) => line).sort(),
  )
  const [hours = [], operations = [], sizes = [], open = []] = await Promise.all(all)
  return { hours, operations, sizes, open }
}

const HOUR = 3_600_000
const FIRST = Date.parse("2026-01-05T00:00:00Z")

interface Act {
  readonly minutes: number
  readonly act: "start" | "use" | "refuse" | "end"
  readonly which: number
  readonly operation: string
  readonly resource: string
  readonly sub: boolean
  readonly late: boolean
}

/** A reader of everything: for each holder of a task what it touched, until an hour after its end. */
function countAll(acts: readonly (Act & { readonly at: number })[]) {
  const hours = new Map<string, [number, number, number]>()
  const operations = new Map<string, [number, number]>()
  const tasks: { type: string; end?: number; holders: Map<string, string[]> }[] = []
  for (const { act, at, which, operation, resource, sub, late } of acts) {
    if (act === "start") tasks.push({ type: `t${which % 2}`, holders: new Map([["bot", []]]) })
    const task = tasks[(which * 7) % Math.max(1, tasks.length)]
    if (!task) continue
    const type = act === "start" ? `t${which % 2}` : task.type
    if (act === "end") task.end ??= at
    if (act === "end") continue
    const agent = sub && act !== "start" ? "helper" : "bot"
    const served = late && act !== "start" ? Math.floor((at - 2 * HOUR) / 1000) * 1000 : at
    const hour = `${type} ${agent} ${Math.floor(served / HOUR)}`
    const [starts, uses, refused] = hours.get(hour) ?? [0, 0, 0]
    hours.set(hour, [starts + +(act === "start"), uses + +(act === "use"), refused + +(act === "refuse")])
    if (act === "start") continue
    const known = operations.get(`${type} ${agent} ${operation}`)
    if (act === "use") operations.set(`${type} ${agent} ${operation}`, [known?.[0] ?? at, at])
    if (task.end !== undefined && at > task.end + HOUR) continue
    const touched = task.holders.get(agent) ?? []
    task.holders.set(agent, act === "use" ? [...touched, resource] : touched)
  }
  const sizes = new Map<string, number>()
  for (const { type, end, holders } of tasks) {
    if (end === undefined) continue
    for (const [agent, touched] of holders)
      for (const [measure, size] of [new Set(touched).size, touched.length].entries()) {
        const key = `${type} ${agent} ${measure} ${Math.floor(end / (24 * HOUR))} ${size}`
        sizes.set(key, (sizes.get(key) ?? 0) + 1)
      }
  }
  const linesOf = (map: ReadonlyMap<string, number | readonly number[]>) =>
    [...map].map(([key, counts]) => `${key} ${[counts].flat().join(" ")}`).sort()
  return { hours: linesOf(hours), operations: linesOf(operations), sizes: linesOf(sizes) }
}

const act: fc.Arbitrary<Act> = fc.record({
  minutes: fc.constantFrom(0, 1, 20, 61, 240),
  act: fc.constantFrom("start", "use", "use", "use", "refuse", "end"),
  which: fc.nat(8),
  operation: fc.constantFrom("tickets:read", "tickets:close"),
  resource: fc.constantFrom("a", "b", "c"),
  sub: fc.boolean(),
  late: fc.boolean(),
})

test("kept up at any pace it is what a reader of everything counts, and so is a rebuild", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(act, fc.boolean()), { minLength: 1, maxLength: 30 }), async (told) => {
      await empty()
      const ledgerNames = createNames(held.engine)
      const ledger = await createLedger({ engine: held.engine, names: ledgerNames, clock: createFakeClock() })
      const work = createWork({ engine: held.engine, names: ledgerNames, ledger })
      const rollups = createRollups({ engine: held.engine, names: ledgerNames })
      const tasks: WorkTask[] = []
      const done: (Act & { readonly at: number })[] = []
      let now = FIRST
      for (const [one, isCounted] of told) {
        now += one.minutes * 60_000 + 1
        done.push({ ...one, at: now })
        if (one.act === "start") tasks.push(work.start(now, `t${one.which % 2}`, "bot"))
        const task = tasks[(one.which * 7) % Math.max(1, tasks.length)]
        const { operation, resource, sub, late } = one
        const more = { ...(sub && { agent: "helper" }), ...(late && { ranOutAt: now - 2 * HOUR }) }
        if (task && one.act === "end") work.end(now, task)
        if (task && (one.act === "use" || one.act === "refuse"))
          work.use(now, task, { operation, resource, refused: one.act === "refuse", ...more })
        if (isCounted) await work.flush().then(rollups.advance)
      }
      // Long after, so that every task that ended is counted as one.
      const last = { ...told[0]?.[0], act: "start", which: 1, at: now + 24 * HOUR } as Act & { at: number }
      work.start(last.at, "t1", "bot")
      await work.flush()
      await rollups.advance()
      const oracle = countAll([...done, last])
      const found = await counted()
      expect(found).toMatchObject(oracle)
      await rollups.reset()
      expect(await counted()).toEqual({ hours: [], operations: [], sizes: [], open: ["0"] })
      await rollups.advance()
      expect(await counted()).toEqual(found)
    }),
    { numRuns: 12 },
  )
})
