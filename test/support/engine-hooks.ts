// An engine for a whole file of tests: opened before the first, closed and removed after the last.
import { afterAll, beforeAll } from "vitest"
import { type Engine, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openDatabase } from "../../src/database/open.ts"
import { type TestPlace, testPlace } from "./engine.ts"
import { createFolders } from "./folder.ts"

/** To be called once by a file; what it answers opens nothing before the first test. */
export function holdEngine(): { readonly engine: Engine } {
  const newFolder = createFolders()
  let at: TestPlace
  let engine: Engine
  beforeAll(async () => {
    at = await testPlace(newFolder())
    engine = await openDatabase(at.place)
  })
  afterAll(async () => {
    await engine.close()
    await at.remove()
  })
  return {
    get engine() {
      return engine
    },
  }
}

/** Deletes all rows of these tables, in this order. */
export const emptyTables = (engine: Engine, tables: readonly string[]) =>
  engine.atomically(
    tables.map((table) => ({
      statement: statement(`empty-${table}`, sql`DELETE FROM ${sql.raw(table)}`),
      values: {},
    })),
  )
