// Brings a database's schema to this version, in one transaction. It refuses one that a newer version has changed; it
// never goes back. Whoever calls it is alone with it, so nobody else changes the schema at the same time.
import { fileURLToPath } from "node:url"
import type { Client, ClientBase } from "pg"
import { Unavailable } from "./database.ts"
import { loadPostgresMigrator, readMigrationFiles } from "./drizzle.ts"
import { codeOf } from "./postgres-session.ts"

/** Beside the package's sources and beside its built files alike. */
const MIGRATIONS = fileURLToPath(new URL("../../migrations/postgres", import.meta.url))

/** Applies what is missing. Throws Unavailable with PostgreSQL's code alone, because drizzle's error quotes the statement. */
export async function migratePostgres(client: Client, folder: string = MIGRATIONS): Promise<void> {
  const newest = Math.max(
    0,
    ...readMigrationFiles({ migrationsFolder: folder }).map((one) => one.folderMillis),
  )
  const applied = await appliedUpTo(client)
  if (applied > newest) throw new Unavailable("the database was written by a newer version of taskmint")
  if (applied === newest) return
  const { drizzle, migrate } = loadPostgresMigrator()
  try {
    await migrate(drizzle(client), { migrationsFolder: folder, migrationsSchema: "public" })
  } catch (error) {
    const code = codeOf(error instanceof Error ? (error.cause ?? error) : error)
    throw new Unavailable(`the database's schema can't be brought up to this version (${code})`)
  }
}

async function appliedUpTo(client: ClientBase): Promise<number> {
  const known = await client.query("SELECT to_regclass('public.__drizzle_migrations') IS NOT NULL AS known")
  if (known.rows[0]?.known !== true) return 0
  const { rows } = await client.query("SELECT max(created_at) AS newest FROM __drizzle_migrations")
  return Number(rows[0]?.newest ?? 0)
}
