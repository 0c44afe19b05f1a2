// What a database of the issuer holds, table by table, read by the plain drivers: to tell whether two hold the same.
import { hash } from "node:crypto"
import Sqlite from "better-sqlite3"
import { Client } from "pg"
import { isPostgres } from "../../src/database/database.ts"

export interface Held {
  readonly rows: number
  /** Of all rows, in no order. */
  readonly digest: string
}

type Row = Readonly<Record<string, unknown>>

/** What one engine needs for itself. */
const OF_ONE_ENGINE = /^(__drizzle_migrations|commit_count|sqlite_.*)$/

export async function tablesHeld(place: string): Promise<Map<string, Held>> {
  const found = isPostgres(place) ? await onServer(place) : inFile(place)
  return new Map(
    [...found].filter(([name]) => !OF_ONE_ENGINE.test(name)).sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

function inFile(path: string): Map<string, Held> {
  const database = new Sqlite(path, { readonly: true })
  const names = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .pluck()
    .all()
    .map(String)
  const held = names.map((name): [string, Held] => [
    name,
    heldIn(database.prepare<[], Row>(`SELECT * FROM "${name}"`).all()),
  ])
  database.close()
  return new Map(held)
}

async function onServer(address: string): Promise<Map<string, Held>> {
  const client = new Client(address)
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
    )
    const held = new Map<string, Held>()
    for (const { name } of rows)
      held.set(name, heldIn((await client.query<Row>(`SELECT * FROM "${name}"`)).rows))
    return held
  } finally {
    await client.end()
  }
}

function heldIn(rows: readonly Row[]): Held {
  const spelled = rows.map((row) =>
    JSON.stringify(
      Object.keys(row)
        .sort()
        .map((name) => [name, spell(row[name])]),
    ),
  )
  return { rows: rows.length, digest: hash("sha256", spelled.sort().join("\n")) }
}

/** Whole numbers of PostgreSQL come as texts. */
const spell = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value).toString("hex")
    : typeof value === "number"
      ? String(value)
      : value
