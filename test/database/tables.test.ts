// The tables are written twice, once for each engine: here both are made by their migrations and held against each other.
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createFolders } from "../support/folder.ts"
import { createDatabase } from "../support/postgres.ts"

const newFolder = createFolders()

/** PostgreSQL's own: what it needs and SQLite does not. */
const OF_ONE_ENGINE = /^(__drizzle_migrations|sqlite_sequence|commit_count)$/

interface Column {
  readonly place: string
  readonly type: string
  readonly needed: number
}

const ofSqlite = statement<Column>(
  "columns",
  sql`SELECT m.name || '.' || c.name AS place, c.type AS type, max(c."notnull", c.pk > 0) AS needed
    FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`,
)
const ofPostgres = statement<Column>(
  "columns",
  sql`SELECT table_name || '.' || column_name AS place, data_type AS type,
      CAST(CASE WHEN is_nullable = 'NO' THEN 1 ELSE 0 END AS bigint) AS needed
    FROM information_schema.columns WHERE table_schema = 'public'`,
)
const uniqueInSqlite = statement<{ key: string }>(
  "unique",
  sql`SELECT key FROM (SELECT m.name || '(' || group_concat(c.name ORDER BY c.name) || ')' AS key FROM sqlite_master m
    JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c
    WHERE m.type = 'table' AND i."unique" = 1 GROUP BY m.name, i.name) UNION
    SELECT m.name || '(' || group_concat(c.name ORDER BY c.name) || ')' AS key FROM sqlite_master m
    JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.pk > 0 GROUP BY m.name`,
)
const uniqueInPostgres = statement<{ key: string }>(
  "unique",
  sql`SELECT t.relname || '(' || string_agg(a.attname, ',' ORDER BY a.attname COLLATE "C") || ')' AS key
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid
      AND a.attnum = ANY (i.indkey)
    WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace GROUP BY t.relname, i.indexrelid`,
)

const SAME_TYPE: Readonly<Record<string, string>> = { integer: "bigint", blob: "bytea", text: "text" }

test("both engines have the same tables, columns and unique keys", { timeout: 60_000 }, async () => {
  const database = await createDatabase()
  const postgres = await openPostgres({ address: database.address })
  const sqlite = await openSqlite({ path: join(newFolder(), "a.db") })
  const own = ({ place }: { place: string }) => !OF_ONE_ENGINE.test(place.split(".")[0] ?? "")
  const key = ({ key }: { key: string }) => key
  const shared = (one: string) => !OF_ONE_ENGINE.test(one.split("(")[0] ?? "")
  const wanted = (await sqlite.query(ofSqlite))
    .filter(own)
    .map((column) => ({ ...column, type: SAME_TYPE[column.type.toLowerCase()] }))
  expect(wanted.length).toBeGreaterThan(100)
  const byPlace = (a: Column | { place: string }, b: { place: string }) => (a.place < b.place ? -1 : 1)
  expect((await postgres.query(ofPostgres)).filter(own).sort(byPlace)).toEqual(wanted.sort(byPlace))
  const keys = (await sqlite.query(uniqueInSqlite)).map(key).filter(shared).sort()
  expect(keys).toContain("task(orchestrator,reference)")
  expect((await postgres.query(uniqueInPostgres)).map(key).filter(shared).sort()).toEqual(keys)
  await Promise.all([postgres.close(), sqlite.close()])
  await database.remove()
})
