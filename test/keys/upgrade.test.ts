// An SQLite file from before keys rotated: its key goes on signing. The file is made by the migrations of that time.
import { randomBytes } from "node:crypto"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type Engine, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { migrateFile } from "../../src/database/migrate.ts"
import { createNames } from "../../src/database/names.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { ROOT } from "../support/source.ts"

const keyEncryptionKey = randomBytes(32)
const clock = createFakeClock()
const restingKey = statement<{ kid: string; wrapped: Uint8Array }>(
  "resting",
  sql`SELECT kid, wrapped FROM signing_key`,
)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-upgrade-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function currentKid(engine: Engine): Promise<string> {
  const ledger = await createLedger({ engine, names: createNames(engine), clock })
  return (await openKeyring({ engine, ledger, keyEncryptionKey, clock })).current().kid
}

/** As drizzle-kit's folder was before a migration. */
function migrationsBefore(tag: string): string {
  const migrations = join(folder, "migrations")
  cpSync(join(ROOT, "migrations/sqlite"), migrations, { recursive: true })
  const journal = join(migrations, "meta/_journal.json")
  const { entries, ...rest } = JSON.parse(readFileSync(journal, "utf8"))
  const before = entries.filter((entry: { tag: string }) => entry.tag < tag)
  writeFileSync(journal, JSON.stringify({ ...rest, entries: before }))
  return migrations
}

test("a database from before there was rotation goes on with its key", async () => {
  const made = await openSqlite({ path: join(folder, "new.db") })
  const kid = await currentKid(made)
  const [row] = await made.query(restingKey)
  await made.close()

  const path = join(folder, "old.db")
  const old = new Database(path)
  migrateFile(old, migrationsBefore("0003"))
  old
    .prepare("INSERT INTO signing_key VALUES (?, 'ES256', 'active', '{}', ?, 1, 1)")
    .run(row?.kid, row?.wrapped)
  old.close()
  const engine = await openSqlite({ path })
  expect(await currentKid(engine)).toBe(kid)
  await engine.close()
})
