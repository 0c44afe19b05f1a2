// A ledger that moves house: every row of every table, told by both engines alike, with numbers that go on; killed at any
// point it goes on. What is refused stands in copy-refused.test.ts.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { Client } from "pg"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openDatabase } from "../../src/database/open.ts"
import { type CopyProgress, copyLedger } from "../../src/ledger/copy.ts"
import { runCopyStory } from "../support/copy-story.ts"
import { createFolders } from "../support/folder.ts"
import { createDatabases } from "../support/postgres.ts"
import { tablesHeld } from "../support/tables-held.ts"
import { copyOf, makeUsed, startIssuer } from "../support/used-database.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** Enough for some parts of each large table. */
const TASKS = 1500

const newFolder = createFolders()
const newDatabase = createDatabases()
let source = ""
beforeAll(async () => {
  source = await makeUsed(newFolder(), TASKS)
})

const newFile = () => join(newFolder(), "target.db")
const targets: readonly (readonly [string, () => Promise<string>])[] = [
  ["PostgreSQL", async () => (await newDatabase()).address],
  ["another file", async () => newFile()],
]

const insertFeed = statement<{ cursor: number }>(
  "insert-feed",
  sql`INSERT INTO feed (kind, value, before, until, api, code) VALUES ('task', 'x', 1, 1, 1, 'x')`,
)
const insertName = statement("insert-name", sql`INSERT INTO name (text) VALUES ('the next one')`)
const newestNumbers = statement<{ cursor: number; name: number; names: number }>(
  "numbers",
  sql`SELECT (SELECT max(cursor) FROM feed) AS cursor, (SELECT max(id) FROM name) AS name, (SELECT count(*) FROM name) AS names`,
)

describe.each(targets)("to %s", (_name, target) => {
  test("every row of every table arrives, and numbers go on where they were", async () => {
    const to = await target()
    const told: CopyProgress[] = []
    const copied = await copyLedger({ from: source, to, progress: (one) => told.push(one) })
    const [before, after] = [await tablesHeld(source), await tablesHeld(to)]
    expect(after).toEqual(before)
    expect([...before].filter(([, { rows }]) => rows === 0)).toEqual([])
    expect(before.size).toBeGreaterThan(20)
    const rows = [...before.values()].reduce((sum, one) => sum + one.rows, 0)
    const entries = before.get("entry")?.rows
    // The row that says what the data is for is written last, by itself.
    expect(copied).toMatchObject({ rows: rows - 1, resumed: false, newest: { seq: entries } })
    expect(told.at(-1)).toMatchObject({ share: expect.closeTo(1, 5), rows: rows - 1 })
    expect(told.every(({ rowsPerSecond }) => rowsPerSecond > 0)).toBe(true)
    const engine = await openDatabase(to)
    const last = (await engine.query(newestNumbers))[0]
    await engine.atomically([
      { statement: insertFeed, values: {} },
      { statement: insertName, values: {} },
    ])
    expect(await engine.query(newestNumbers)).toEqual([
      { cursor: 4712, name: (last?.name ?? 0) + 1, names: (last?.names ?? 0) + 1 },
    ])
    await engine.close()
  })

  test("a copy that is finished is found finished, until it is used", async () => {
    const [from, to] = [await copyOf(source, newFolder()), await target()]
    await copyLedger({ from, to })
    expect(await copyLedger({ from, to })).toMatchObject({ rows: 0, resumed: true })
    expect(await startIssuer(to).catch(String)).toMatch(/policy/) // its refusal is an entry
    await expect(copyLedger({ from, to })).rejects.toThrow(/holds another ledger already/)
  })
})

test.each(targets)(
  "I12 %s that was killed when it had made nothing but the list of migrations is begun again",
  async (_name, target) => {
    const to = await target()
    await onlyListOfMigrations(to)
    const copied = await copyLedger({ from: await copyOf(source, newFolder()), to })
    expect(await tablesHeld(to)).toEqual(await tablesHeld(source))
    expect(copied.resumed).toBe(false)
  },
)

/** As drizzle makes it, before the transaction of the migrations themselves. */
async function onlyListOfMigrations(place: string): Promise<void> {
  if (!place.startsWith("postgres:")) {
    const file = new Sqlite(place)
    file.exec(
      "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)",
    )
    file.close()
    return
  }
  const client = new Client({ connectionString: place })
  await client.connect()
  await client.query(
    "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)",
  )
  await client.end()
}

test("I01 killed at any point it goes on with the part it was at, and no issuer starts on what is half made", async () => {
  const [from, { address: to }] = [await copyOf(source, newFolder()), await newDatabase()]
  const refusals: string[] = []
  const { parts, copied } = await runCopyStory({ from, to }, 6, async (kill) => {
    if (kill !== 1) return
    refusals.push(await startIssuer(to).then(() => "", String))
  })
  expect(refusals).toEqual([expect.stringMatching(/a copy that was not finished.*ledger copy/)])
  const held = await tablesHeld(from)
  expect(await tablesHeld(to)).toEqual(held)
  const rows = [...held.values()].reduce((sum, one) => sum + one.rows, 0)
  expect(parts).toBeGreaterThan(2)
  expect(copied.resumed).toBe(true)
  // How many are saved goes by when the processes were killed.
  expect(copied.rows).toBeLessThan(rows)
})
