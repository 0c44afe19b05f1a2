// Who asks for a time gets what a look at every entry would give, whatever order the times are in, and reads little.
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Engine, type Statement, statement, type Values } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openDatabase } from "../../src/database/open.ts"
import { type EntryFilter, findAll, findIn } from "../../src/ledger/search.ts"
import { testPlace } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const BEGAN = 1_700_000_000_000
const SECOND = 1000
const p = sql.placeholder

/** Entries one second apart; from each of these places on the clock is another by so many seconds. */
async function fill(
  engine: Engine,
  { after, upTo }: { after: number; upTo: number },
  leaps: string,
): Promise<void> {
  const series = sql`WITH RECURSIVE n(i) AS (SELECT CAST(${p("first")} AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < ${p("last")})`
  const at = sql.raw(`${BEGAN} + 1000 * (i + (i * 7919) % 40 ${leaps})`)
  const values = { first: after + 1, last: upTo }
  const bytes = Buffer.from("{}")
  await engine.atomically([
    {
      statement: statement(
        `entries-${leaps}`,
        sql`${series} INSERT INTO entry (seq, at, kind) SELECT i, ${at}, 1 FROM n WHERE true`,
      ),
      values,
    },
    {
      statement: statement(
        "entry-bytes",
        sql`${series} INSERT INTO entry_bytes (seq, bytes, leaf) SELECT i, ${p("bytes")}, ${p("bytes")} FROM n WHERE true`,
      ),
      values: { ...values, bytes },
    },
  ])
}

const everything = statement<{ seq: number; at: number }>(
  "everything",
  sql`SELECT seq, at FROM entry ORDER BY seq`,
)

let engine: Engine
beforeAll(async () => {
  engine = await openDatabase((await testPlace(newFolder())).place)
  const names = statement("name", sql`INSERT INTO name (text) VALUES ('alarm.raised')`)
  await engine.atomically([{ statement: names, values: {} }])
  // A clock that was an hour ahead for a while, one that fell back for good, and a single entry of another day.
  const leaps =
    "+ CASE WHEN i > 7000 AND i <= 9000 THEN 3600 WHEN i > 20000 THEN -5000 WHEN i = 12345 THEN -86400 ELSE 0 END"
  await fill(engine, { after: 0, upTo: 27_000 }, leaps)
})
afterAll(() => engine.close())

const cursor = (seq: number) => Buffer.from(String(seq)).toString("base64url")

test("H20: whatever order times are in, what is found is what a look at every entry finds", async () => {
  const all = await engine.query(everything)
  const times = [0, 5000, 10_000, 15_000, 20_000].map((start) =>
    all.slice(start, start + 5000).map(({ at }) => at),
  )
  const borders = times.flatMap((ofBlock) => [Math.min(...ofBlock), Math.max(...ofBlock)])
  const instant = fc.oneof(
    fc.integer({ min: -90_000, max: 35_000 }).map((second) => BEGAN + second * SECOND),
    fc.tuple(fc.constantFrom(...borders), fc.integer({ min: -1, max: 1 })).map(([at, by]) => at + by),
  )
  const asked = fc.record({
    from: fc.option(instant, { nil: undefined }),
    to: fc.option(instant, { nil: undefined }),
    start: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 28_000 })),
    limit: fc.integer({ min: 1, max: 60 }),
  })
  const property = fc.asyncProperty(asked, async ({ from, to, start, limit }) => {
    const fits = all.filter(
      ({ seq, at }) => seq > start && (from === undefined || at >= from) && (to === undefined || at < to),
    )
    const { entries, next } = await findIn(engine, {
      from,
      to,
      limit,
      ...(start > 0 && { after: cursor(start) }),
    })
    expect(entries.map(({ seq }) => seq)).toEqual(fits.slice(0, limit).map(({ seq }) => seq))
    expect(next).toBe(fits.length > limit ? cursor(fits[limit - 1]?.seq ?? 0) : null)
  })
  await fc.assert(property, { numRuns: 250 })
})

test("an export up to a place finds them, too, and one entry of another day", async () => {
  const places: number[] = []
  const filter = { to: BEGAN }
  for await (const page of findAll(engine, filter, { after: 0, upTo: 26_000 }))
    places.push(...page.map(({ seq }) => seq))
  expect(places).toEqual([12_345])
})

/** Every look at entries, by the places it is limited to. */
function watched(looks: [number, number][]): Engine {
  return {
    atomically: (steps) => engine.atomically(steps),
    hearOthers: (listener) => engine.hearOthers(listener),
    scrub: () => engine.scrub(),
    close: () => engine.close(),
    broken: engine.broken,
    query: async <Row>(one: Statement<Row>, values?: Values) => {
      const rows = await engine.query(one, values)
      if (one.name.startsWith("find-first-entries")) looks.push([Number(values?.after), Number(values?.upTo)])
      return rows
    },
  }
}

test.each<[EntryFilter, [number, number][]]>([
  [{ from: BEGAN + 21_900 * SECOND }, [[25_000, 27_000]]], // the newest block is not full: nothing is known of it
  [{ from: BEGAN + 9_500 * SECOND, to: BEGAN + 9_501 * SECOND }, [[5000, 27_000]]], // an hour ahead, 9,500 is in two blocks
  [{ to: BEGAN - 80_000 * SECOND }, [[25_000, 27_000]]],
  [{ to: BEGAN - 60_000 * SECOND, kind: "alarm.raised" }, [[10_000, 27_000]]],
])("%j is looked for nowhere else", async (filter, parts) => {
  const looks: [number, number][] = []
  await findIn(watched(looks), { ...filter, limit: 1000 })
  expect(looks).toEqual(parts)
})

test("entries that came since are found, by the same engine", async () => {
  const from = BEGAN + 200_000 * SECOND
  expect((await findIn(engine, { from })).entries).toEqual([])
  await fill(engine, { after: 27_000, upTo: 31_000 }, "+ 200000")
  const { entries } = await findIn(engine, { from, limit: 1000 })
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_each, n) => 27_001 + n))
})

test("a ledger that has become shorter is learnt anew", async () => {
  const looks: [number, number][] = []
  const other = watched(looks)
  await findIn(other, { from: BEGAN + 400_000 * SECOND })
  const shorter = statement("shorter", sql`DELETE FROM entry WHERE seq > 10000`)
  const bytes = statement("shorter-bytes", sql`DELETE FROM entry_bytes WHERE seq > 10000`)
  await engine.atomically([bytes, shorter].map((one) => ({ statement: one, values: {} })))
  expect((await findIn(other, { from: BEGAN + 400_000 * SECOND })).entries).toEqual([])
  await fill(engine, { after: 10_000, upTo: 31_000 }, "+ 500000")
  expect((await findIn(other, { from: BEGAN + 500_000 * SECOND, limit: 1 })).entries[0]?.seq).toBe(10_001)
})
