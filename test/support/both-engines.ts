// Both engines side by side, empty, for tests that ask each what it makes of a statement.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { Client } from "pg"
import { afterAll, beforeAll } from "vitest"
import { openPostgres } from "../../src/database/postgres.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createFolders } from "./folder.ts"
import { createDatabase, type TestDatabase } from "./postgres.ts"

export interface BothEngines {
  readonly file: InstanceType<typeof Sqlite>
  readonly client: Client
}

/** To be called once by a file; there are none before its first test. */
export function holdBothEngines(): BothEngines {
  const newFolder = createFolders()
  let file: BothEngines["file"]
  let database: TestDatabase
  let client: Client
  beforeAll(async () => {
    const path = join(newFolder(), "a.db")
    await (await openSqlite({ path })).close()
    file = new Sqlite(path)
    database = await createDatabase()
    await (await openPostgres({ address: database.address })).close()
    client = new Client(database.address)
    await client.connect()
  })
  afterAll(async () => {
    file.close()
    await client.end()
    await database.remove()
  })
  return {
    get file() {
      return file
    },
    get client() {
      return client
    },
  }
}
