// Where a test's issuer keeps its data: a file in the test's folder, or, in the part of the run that is named "postgres"
// (vitest.config.ts), a database of its own on the run's server. Tests that take it from here hold on both.
import { join } from "node:path"
import { createDatabase, type TestDatabase } from "./postgres.ts"

export interface TestPlace {
  /** What `openDatabase` and `createIssuer` are given. */
  readonly place: string
  remove(): Promise<void>
}

const onPostgres = process.env.TASKMINT_TEST_ENGINE === "postgres"

/** Emptied databases of this worker: that is quicker than making one. They go with the run's server. */
const empty: TestDatabase[] = []

/** `commit_count` stays: its row is made with the tables. */
const EMPTY = `DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('%I', tablename), ', ') || ' RESTART IDENTITY'
  FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('__drizzle_migrations', 'commit_count')); END $$`

export async function testPlace(folder: string): Promise<TestPlace> {
  if (!onPostgres) return { place: join(folder, "issuer.db"), remove: async () => undefined }
  const database = empty.pop() ?? (await createDatabase())
  return {
    place: database.address,
    async remove() {
      await database.run(EMPTY)
      empty.push(database)
    },
  }
}
