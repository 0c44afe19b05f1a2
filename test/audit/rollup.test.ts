// The roll-ups are what a reader of the whole ledger counts, however they were kept up, and so is what a rebuild makes.
import fc from "fast-check"
import { beforeEach, expect, test } from "vitest"
import { createRollups } from "../../src/audit/rollup.ts"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { createNames } from "../../src/database/names.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { emptyTables, holdEngine } from "../support/engine-hooks.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { type Act, countRights, countTimes, createTeller } from "../support/rights.ts"

const held = holdEngine()

const TABLES = [
  ...["rollup_privilege", "rollup_day", "rollup_hour", "rollup_api", "rollup_standing", "rollup_place"],
  ...["entry_bytes", "entry", "token", "task"],
]
const empty = () => emptyTables(held.engine, TABLES)
beforeEach(empty)

const counted = statement<{ key: string; counts: string }>(
  "counted",
  sql`SELECT u.day || ' ' || ty.text || ' ' || a.text || ' ' || o.text || ' ' || coalesce(r.text, '') AS key,
      u.granted || ' ' || u.used || ' ' || u.refused || ' ' || coalesce(CAST(u.last_used AS text), 'null') AS counts
    FROM rollup_privilege u JOIN name ty ON ty.id = u.type JOIN name a ON a.id = u.agent
      JOIN name o ON o.id = u.operation LEFT JOIN name r ON r.id = u.rule`,
)
const counts = async () => new Map((await held.engine.query(counted)).map(({ key, counts }) => [key, counts]))
const days = statement<{ entries: number }>("days", sql`SELECT sum(entries) AS entries FROM rollup_day`)

const hours = statement<{ row: string }>(
  "hours",
  sql`SELECT h.hour || ' ' || coalesce(a.text, '') || ' ' || h.starts || ' ' || h.uses || ' ' || h.refusals || ' ' || h.last_at AS row
    FROM rollup_hour h LEFT JOIN name a ON a.id = h.agent ORDER BY h.hour`,
)
const apis = statement<{ row: string }>(
  "apis",
  sql`SELECT u.day || ' ' || a.text || ' ' || u.allowed || ' ' || u.refused AS row
    FROM rollup_api u JOIN name a ON a.id = u.api`,
)
const standing = statement<{ row: string }>(
  "standing",
  sql`SELECT hour || ' ' || what || ' ' || began || ' ' || ended AS row FROM rollup_standing ORDER BY hour, what`,
)
const stood = async () => (await held.engine.query(standing)).map(({ row }) => row)
const times = async () => ({
  hours: (await held.engine.query(hours)).map(({ row }) => row),
  apis: (await held.engine.query(apis)).map(({ row }) => row).sort(),
})

async function open() {
  const names = createNames(held.engine)
  const ledger = await createLedger({ engine: held.engine, names, clock: createFakeClock() })
  return {
    names,
    tell: createTeller({ engine: held.engine, names, ledger }),
    rollups: createRollups({ engine: held.engine, names }),
  }
}

const operation = fc.constantFrom("tickets:read", "tickets:close", "deployments:start")
const resource = fc.constantFrom("tickets/A", "tickets/B")
const rule = fc.constantFrom("a.yaml#/tasks/t/grants/0", "a.yaml#/tasks/t/grants/1")
const rights = fc.array(fc.record({ operation, rule, resource }), { maxLength: 3 })
const agent = fc.constantFrom("bot", "helper")
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constant("start" as const), type: fc.constantFrom("t", "u"), agent, rights }),
  fc.record({ act: fc.constant("delegate" as const), agent, rights }),
  fc.record({
    act: fc.constant("use" as const),
    ...{ operation, resource, allowed: fc.boolean(), count: fc.integer({ min: 1, max: 9 }) },
  }),
)

test("kept up at any pace they are what a reader of everything counts, and so is a rebuild", async () => {
  const acts = fc.array(fc.tuple(act, fc.boolean()), { minLength: 1, maxLength: 25 })
  await fc.assert(
    fc.asyncProperty(acts, async (told) => {
      await empty()
      const { tell, rollups } = await open()
      for (const [one, isLookedAt] of told) {
        await tell(one)
        if (isLookedAt) await rollups.advance()
      }
      await rollups.advance()
      const oracle = countRights(told.map(([one]) => one))
      const oracleOfTimes = countTimes(told.map(([one]) => one))
      expect(await counts()).toEqual(oracle)
      expect(await times()).toEqual(oracleOfTimes)
      const keptUp = await stood()
      // Acts are hours apart.
      expect(keptUp).toEqual(
        oracleOfTimes.hours
          .map((hour) => hour.split(" "))
          .flatMap(([hour, , starts]) => (starts === "1" ? [`${hour} tasks 1 0`] : [])),
      )
      await rollups.reset()
      expect(await counts()).toEqual(new Map())
      expect(await times()).toEqual({ hours: [], apis: [] })
      expect(await stood()).toEqual([])
      await rollups.advance()
      expect(await stood()).toEqual(keptUp)
      expect(await counts()).toEqual(oracle)
      expect(await times()).toEqual(oracleOfTimes)
    }),
    { numRuns: 25 },
  )
})

const START: Act = {
  act: "start",
  type: "t",
  agent: "bot",
  rights: [{ operation: "tickets:read", rule: "a.yaml#/tasks/t/grants/0", resource: "tickets/A" }],
}
const USE: Act = { act: "use", operation: "tickets:read", resource: "tickets/A", allowed: true, count: 1 }

test.each([
  ["tickets/A", "first"],
  ["tickets/B", "second"],
  ["tickets/C", "first"],
])(
  "a use of %s counts for the %s rule that grants the operation: by the resource, where one fits",
  async (resource, by) => {
    const { tell, rollups } = await open()
    const rights = [
      { operation: "tickets:read", rule: "first", resource: "tickets/A" },
      { operation: "tickets:read", rule: "second", resource: "tickets/B" },
    ]
    for (const one of [{ ...START, rights } as Act, { ...USE, resource } as Act]) await tell(one)
    await rollups.advance()
    const used = [...(await counts())].filter(([, told]) => told.startsWith("1 1 "))
    expect(used.map(([key]) => key.split(" ").at(-1))).toEqual([by])
  },
)

test("several that count at once count each entry once", async () => {
  const { tell, rollups, names } = await open()
  const others = [1, 2, 3].map(() => createRollups({ engine: held.engine, names }))
  const acts = [START, ...Array.from({ length: 20 }, () => USE)]
  for (const one of acts) {
    await tell(one)
    await Promise.all([rollups, ...others].map((one) => one.advance()))
  }
  expect(await counts()).toEqual(countRights(acts))
  expect(Number((await held.engine.query(days))[0]?.entries)).toBe(acts.length)
})

test("place and counts move together: what could not be written is counted next time, once", async () => {
  const { tell, rollups, names } = await open()
  for (const one of [START, USE]) await tell(one)
  const failing: Engine = { ...held.engine, atomically: () => Promise.reject(new Unavailable("full")) }
  await expect(
    createRollups({
      engine: { ...failing, query: (...asked) => held.engine.query(...asked) },
      names,
    }).advance(),
  ).rejects.toThrow(Unavailable)
  expect(await counts()).toEqual(new Map())
  await rollups.advance()
  await rollups.advance()
  expect(await counts()).toEqual(countRights([START, USE]))
})
