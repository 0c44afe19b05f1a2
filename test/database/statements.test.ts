// Every statement there is, on both engines: it compiles as drizzle's own dialects would spell it, it can be prepared, and
// PostgreSQL, which decides the type of each parameter by itself, decides what was meant.
import { PgDialect } from "drizzle-orm/pg-core"
import { SQLiteSyncDialect } from "drizzle-orm/sqlite-core"
import { expect, test } from "vitest"
import { createCompiler } from "../../src/database/compiled.ts"
import type { Statement } from "../../src/database/database.ts"
import { POSTGRES_SPELLING, SQLITE_SPELLING } from "../../src/database/drizzle.ts"
import { NAME, SUBJECT } from "../../src/database/names.ts"
import { holdBothEngines } from "../support/both-engines.ts"
import { everyStatement, STATEMENT_FILES } from "../support/every-statement.ts"
import { readSource } from "../support/source.ts"

/** Calls that make one statement, or two of them; those that search or insert entries make one for each set. */
const callsIn = (text: string, maker: string) =>
  [...text.matchAll(new RegExp(`\\b${maker}(<[^>]*>)?\\(\\s*["A-Z]`, "g"))].length

const { exported, all } = await everyStatement()
const statements = all.map((one): [string, Statement<unknown>] => [one.name, one])

const sqlite = createCompiler(SQLITE_SPELLING)
const postgres = createCompiler(POSTGRES_SPELLING)
const engines = holdBothEngines()

test("none is missing here: every one is exported by its file", () => {
  const texts = STATEMENT_FILES.map((path) => readSource(path).text)
  const made = texts.map((text) => callsIn(text, "statement") + 2 * callsIn(text, "named"))
  expect(exported.size).toBe(made.reduce((sum, count) => sum + count, 0))
  expect(exported.size).toBeGreaterThan(60)
  for (const inTable of [NAME, SUBJECT]) expect([...exported]).toContain(inTable.find)
})

test("each compiles to what drizzle's own dialects make of it, on SQLite with a plus before each parameter", () => {
  const [ofSqlite, ofPostgres] = [new SQLiteSyncDialect(), new PgDialect()]
  for (const [, { sql }] of statements) {
    const { sql: plain, ...own } = ofSqlite.sqlToQuery(sql)
    expect(plain).not.toMatch(/\+\?/)
    expect(sql.toQuery(SQLITE_SPELLING)).toEqual({ sql: plain.replaceAll("?", "+?"), ...own })
    const { sql: text, params } = ofPostgres.sqlToQuery(sql)
    expect(sql.toQuery(POSTGRES_SPELLING)).toMatchObject({ sql: text, params })
  }
})

test.each(statements)("%s can be prepared on SQLite", (_, statement) => {
  expect(() => engines.file.prepare(sqlite.compile(statement).sql)).not.toThrow()
})

/** How values of these types may be sent and read. A parameter that is an `integer` would refuse times. */
const PARAMETERS: Readonly<Record<string, string>> = {
  bigint: "number",
  numeric: "number",
  text: "text",
  bytea: "bytes",
}
const RESULTS = ["bigint", "integer", "text", "bytea"]

test.each(statements)(
  "%s can be prepared on PostgreSQL, and each value has one type",
  async (name, statement) => {
    const { sql, number, sources } = postgres.compile(statement)
    await engines.client.query(`PREPARE p${number} AS ${sql}`)
    const { rows } = await engines.client.query(
      `SELECT parameter_types::text[] AS parameters, to_jsonb(p) -> 'result_types' AS results
      FROM pg_prepared_statements p WHERE name = 'p${number}'`,
    )
    const [{ parameters = [], results }] = rows as [{ parameters: string[]; results: string[] | null }]
    expect(parameters).toHaveLength(sources.length)
    const typesOf = new Map<string, Set<string>>()
    for (const [at, source] of sources.entries()) {
      const kind = PARAMETERS[parameters[at] ?? ""] ?? `${parameters[at]}, which is none of ours`
      typesOf.set(source.name, (typesOf.get(source.name) ?? new Set()).add(kind))
    }
    for (const [value, types] of typesOf)
      expect([...types], `${name}: ${value}`).toEqual([expect.stringMatching(/^(number|text|bytes)$/)])
    expect((results ?? []).filter((type) => !RESULTS.includes(type))).toEqual([])
  },
)
