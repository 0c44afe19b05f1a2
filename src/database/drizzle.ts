// What we use of drizzle-orm: its parts by name, loaded as CommonJS. The whole of it as ES modules makes Node read the
// package's manifest of 180 KB for each of several hundred files, which cost 190 MB of memory and most of the time of a
// start; these parts cost 10 MB (measured).
import { createRequire } from "node:module"

const load = createRequire(import.meta.url)
const core: typeof import("drizzle-orm/sql") = load("drizzle-orm/sql")
const entity: typeof import("drizzle-orm/entity") = load("drizzle-orm/entity")
const casing: typeof import("drizzle-orm/casing") = load("drizzle-orm/casing")
const reading: typeof import("drizzle-orm/migrator") = load("drizzle-orm/migrator")

/** The dialect-neutral template tag in which every statement is written. */
export const { Placeholder, sql } = core
/**
 * A number where a statement compares it with no column: PostgreSQL takes a type for each place of a parameter from what
 * stands beside it, and would compare texts or refuse what an integer can't hold.
 */
export const wholeNumber = (name: string) => sql`CAST(${sql.placeholder(name)} AS bigint)`

export const { is } = entity
export const { readMigrationFiles } = reading

/**
 * How SQLite spells a statement, for `SQL.toQuery`: as drizzle's own SQLite dialect does, which is 11 MB more, but for the
 * plus before each parameter. It changes no value and no plan of ours; without it a plan may depend on the value, and then
 * SQLite compiles the statement anew before every run: each join in which a column equals a parameter, each LIMIT. Where a
 * partial index is meant, its constant has to stand in the statement.
 */
export const SQLITE_SPELLING = {
  casing: new casing.CasingCache(),
  escapeName: (name: string) => `"${name.replaceAll('"', '""')}"`,
  escapeParam: () => "+?",
  escapeString: (text: string) => `'${text.replaceAll("'", "''")}'`,
}

/** The same for PostgreSQL: parameters are numbered. */
export const POSTGRES_SPELLING = {
  ...SQLITE_SPELLING,
  escapeParam: (index: number) => `$${index + 1}`,
  words: "postgres" as const,
}

/** What applies migrations: loaded by who has some to apply, which is seldom. */
export function loadMigrator() {
  const driver: typeof import("drizzle-orm/better-sqlite3") = load("drizzle-orm/better-sqlite3")
  const migrator: typeof import("drizzle-orm/better-sqlite3/migrator") = load(
    "drizzle-orm/better-sqlite3/migrator",
  )
  return { drizzle: driver.drizzle, migrate: migrator.migrate }
}

/** The same for PostgreSQL. */
export function loadPostgresMigrator() {
  const driver: typeof import("drizzle-orm/node-postgres") = load("drizzle-orm/node-postgres")
  const migrator: typeof import("drizzle-orm/node-postgres/migrator") = load(
    "drizzle-orm/node-postgres/migrator",
  )
  return { drizzle: driver.drizzle, migrate: migrator.migrate }
}
