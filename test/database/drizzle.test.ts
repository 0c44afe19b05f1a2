// Our spelling of SQLite is drizzle's own, of every statement there is.
import { SQLiteSyncDialect } from "drizzle-orm/sqlite-core"
import { expect, test } from "vitest"
import { SQLITE_SPELLING } from "../../src/database/drizzle.ts"
import { listSources } from "../support/source.ts"

const isStatement = (
  value: unknown,
): value is { name: string; sql: Parameters<SQLiteSyncDialect["sqlToQuery"]>[0] } =>
  typeof value === "object" && value !== null && "name" in value && "sql" in value

test("every statement compiles to what drizzle's SQLite dialect makes of it", async () => {
  const files = listSources("src").filter((path) => path.endsWith("statements.ts"))
  const modules = await Promise.all(
    files.map((path) => import(/* @vite-ignore */ `../../${path}`) as Promise<object>),
  )
  const statements = modules.flatMap((module) => Object.values(module)).filter(isStatement)
  const dialect = new SQLiteSyncDialect()
  expect(statements.length).toBeGreaterThan(50)
  for (const { sql } of statements) expect(sql.toQuery(SQLITE_SPELLING)).toEqual(dialect.sqlToQuery(sql))
})
