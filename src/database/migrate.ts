// Brings a file's schema to this version, in one transaction, so that a process killed meanwhile leaves the old schema
// whole. It refuses a file that a newer version has changed; it never goes back.
import { fileURLToPath } from "node:url"
import type { Database } from "better-sqlite3"
import { Unavailable } from "./database.ts"
import { loadMigrator, readMigrationFiles } from "./drizzle.ts"
import { codeOf } from "./file.ts"

/** Beside the package's sources and beside its built files alike. */
const MIGRATIONS = fileURLToPath(new URL("../../migrations/sqlite", import.meta.url))

/**
 * Applies what is missing. Throws Unavailable when the file is newer than the migrations in the folder, and when one
 * fails: with SQLite's code alone, because drizzle's error quotes the statement.
 */
export function migrateFile(database: Database, folder: string = MIGRATIONS): void {
  const { applied, newest } = schemaOf(database, folder)
  if (applied > newest) throw new Unavailable("the database was written by a newer version of taskmint")
  if (applied === newest) return
  const { drizzle, migrate } = loadMigrator()
  try {
    migrate(drizzle(database), { migrationsFolder: folder })
  } catch (error) {
    const code = codeOf(error instanceof Error ? (error.cause ?? error) : error)
    throw new Unavailable(`the database's schema can't be brought up to this version (${code})`)
  }
}

/** Up to which migration a file has come, 0 where none was applied, and which is this version's newest. */
export function schemaOf(database: Database, folder: string = MIGRATIONS) {
  const files = readMigrationFiles({ migrationsFolder: folder })
  return { applied: appliedUpTo(database), newest: Math.max(0, ...files.map((one) => one.folderMillis)) }
}

function appliedUpTo(database: Database): number {
  const known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get()
  if (known === undefined) return 0
  return Number(database.prepare("SELECT max(created_at) FROM __drizzle_migrations").pluck().get() ?? 0)
}
