// Where a test's issuer keeps its data: a file in the test's folder, or, in the part of the run that is named "postgres"
// (vitest.config.ts), a database of its own on the run's server. Tests that take it from here hold on both.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { Client } from "pg"
import { inject } from "vitest"
import { type Engine, type Step, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createDatabase, type TestDatabase } from "./postgres.ts"

export interface TestPlace {
  /** What `openDatabase` and `createIssuer` are given. */
  readonly place: string
  /** The same, as a process is told in its environment. */
  readonly settings: Readonly<Record<string, string>>
  /** Once nobody has it open. */
  remove(): Promise<void>
  /** On a server: as the migrations left it, while it is open. */
  readonly empty?: () => Promise<unknown>
}

export const onPostgres = process.env.TASKMINT_TEST_ENGINE === "postgres"

interface KeptDatabase {
  readonly address: string
  empty(): Promise<unknown>
}

/** Emptied databases of this worker: that is quicker than making one. They go with the run's server. */
const kept: KeptDatabase[] = []

/**
 * As the migrations left it; `commit_count` stays, its row is made with the tables. Rows are deleted, in one statement that
 * ends before references are checked: TRUNCATE, which makes every table and index anew, takes seven times as long, and a
 * copy of a template thirty times.
 */
const EMPTY = `DO $$ BEGIN
  EXECUTE (SELECT coalesce('WITH ' || string_agg(format('%I AS (DELETE FROM %I)', 'no_' || tablename, tablename), ', '), '') || ' SELECT 1'
    FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('__drizzle_migrations', 'commit_count'));
  PERFORM setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences
    WHERE schemaname = 'public' AND NOT starts_with(sequencename, '__drizzle'); END $$`

/** Once nobody has it open. */
export const emptyDatabase = (database: TestDatabase) => database.run(EMPTY)

/** Emptied over one connection, that stays: a new one would have to plan all of that anew, which takes eight times as long. */
async function keepDatabase(): Promise<KeptDatabase> {
  const { address } = await createDatabase()
  const client = new Client(address)
  client.on("error", () => undefined) // who asks next is told
  await client.connect()
  return { address, empty: () => client.query(EMPTY) }
}

let migrated: Buffer | undefined

/** A file as opening a new one leaves it, made once: migrating each anew was a sixth of what tests of the issuer do. */
async function migratedFile(): Promise<Buffer> {
  if (migrated) return migrated
  const folder = mkdtempSync(join(tmpdir(), "taskmint-migrated-"))
  try {
    const place = join(folder, "issuer.db")
    await (await openDatabase(place)).close()
    migrated = readFileSync(place)
    return migrated
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function testPlace(folder: string): Promise<TestPlace> {
  if (!onPostgres) {
    const place = join(folder, "issuer.db")
    writeFileSync(place, await migratedFile(), { mode: 0o600 })
    return { place, settings: { TASKMINT_DATABASE: `sqlite:${place}` }, remove: async () => undefined }
  }
  const database = kept.pop() ?? (await keepDatabase())
  const file = join(folder, "database")
  writeFileSync(file, database.address, { mode: 0o600 })
  return {
    place: database.address,
    settings: { TASKMINT_DATABASE_FILE: file },
    empty: database.empty,
    async remove() {
      await database.empty()
      kept.push(database)
    },
  }
}

/** Every byte that is kept there, by file or by table: also of what is no row any more, where that is in files of ours. */
export async function everythingAt(place: string): Promise<[name: string, bytes: Buffer][]> {
  if (!onPostgres) {
    const [folder, file] = [dirname(place), basename(place)]
    const files = readdirSync(folder).filter((name) => name.startsWith(file))
    return files.map((name) => [name, readFileSync(join(folder, name))])
  }
  const client = new Client(place)
  await client.connect()
  try {
    const { rows: tables } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    const found: [string, Buffer][] = []
    for (const { tablename: name } of tables) {
      const { rows } = await client.query(`SELECT row_to_json(one)::text AS text FROM ${name} AS one`)
      found.push([name, Buffer.from(rows.map(({ text }) => text).join("\n"))])
    }
    return found
  } finally {
    await client.end()
  }
}

/** An open database with nothing in it. Opening one starts a thread or three connections, which is half of a small test. */
interface Parked {
  readonly at: TestPlace
  readonly engine: Engine
}
/** Of this worker; they go with it. */
const parked: Parked[] = []

/** For who gives it back with `park`: nobody else may have it open meanwhile. */
export async function openPlace(): Promise<Parked> {
  const found = parked.pop()
  if (found) return found
  const at = await testPlace(mkdtempSync(join(inject("runFolder"), "place-")))
  return { at, engine: await openDatabase(at.place) }
}

const tables = statement<{ name: string }>(
  "test.tables",
  sql`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'`,
)
const deferred = statement("test.deferred", sql`PRAGMA defer_foreign_keys = ON`)
let emptying: readonly Step[] | undefined

/** Empty again for the next. Throws where it can't be: then whoever had it closes it. */
export async function park({ at, engine }: Parked): Promise<void> {
  if (onPostgres) await at.empty?.()
  else {
    emptying ??= (await engine.query(tables)).map(({ name }) => ({
      statement: statement(`test.empty_${name}`, sql`DELETE FROM ${sql.identifier(name)}`),
      values: {},
    }))
    await engine.atomically([{ statement: deferred, values: {} }, ...emptying])
  }
  parked.push({ at, engine })
}
