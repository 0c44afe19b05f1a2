// The SQLite database that a copy is made of: it is held so that no issuer writes to it, described by its own schema, read
// in the order of its rows, and never written to. Whether rows arrive, and what they are worth, is for others.
import { hash } from "node:crypto"
import type { Database } from "better-sqlite3"
import type { Batch, CopiedTable, Row } from "./copy-table.ts"
import { NotCopied } from "./copy-table.ts"
import { Unavailable, type Value } from "./database.ts"
import { codeOf, openFile } from "./file.ts"
import { lockFile } from "./lock.ts"
import { schemaOf } from "./migrate.ts"

/** Rows and bytes that are copied at once: little enough for a server's limit of a statement, over a slow line, too. */
const MOST_ROWS = 500
const MOST_BYTES = 1024 * 1024
/** Of each table, the newest rows that tell one state of the database from another. */
const TELLING_ROWS = 1000

export interface CopySource {
  /** Every table that holds something of ours; whatever a row refers to comes before it. */
  readonly tables: readonly CopiedTable[]
  /** Whether a table has a row with this number. */
  has(table: string, place: number): boolean
  /** Tells this state from every other: whoever changes anything changes it. */
  readonly state: string
  /** What the data was made for, as the issuer wrote it; undefined where no issuer has. */
  readonly madeFor: string | undefined
  /** The rows after a place, some of them. Throws Unavailable where they can't be read. */
  next(table: CopiedTable, after: number): Batch
  /** Those up to another place. */
  between(table: CopiedTable, from: number, to: number): Batch
  close(): void
}

/**
 * Takes the file for itself: Unavailable while an issuer runs on it, or where it is no database. NotCopied where it is not
 * the issuer's, or has another schema than this version's.
 */
export function openCopySource(path: string): CopySource {
  const lock = lockFile(path, ": stop the issuer first, what it wrote meanwhile would be missing")
  try {
    const database = openFile(path, { readonly: true })
    try {
      return read(path, database, () => {
        database.close()
        lock.release()
      })
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

function read(path: string, database: Database, close: () => void): CopySource {
  const { applied, newest } = schemaOf(database)
  const found = tableNames(database)
  if (applied === 0 || !["entry", "entry_bytes", "setting"].every((name) => found.includes(name)))
    throw new NotCopied(`${path} is not a database of the issuer`)
  if (applied > newest)
    throw new NotCopied(`${path} was written by a newer version of taskmint: copy with that one`)
  if (applied < newest)
    throw new NotCopied(
      `${path} was written by an older version of taskmint: start this version's issuer on it once, and stop it`,
    )
  const tables = inOrder(
    database,
    found.map((name) => describe(database, name)),
  )
  const madeFor = database.prepare("SELECT value FROM setting WHERE key = 'made_for'").pluck().get()
  const between = (table: CopiedTable, from: number, to: number) => batchOf(database, table, from, to)
  return {
    tables,
    state: stateOf(database, tables, applied),
    madeFor: typeof madeFor === "string" ? madeFor : undefined,
    next: (table, after) => between(table, after, table.last),
    between,
    has: (table, place) =>
      database.prepare(`SELECT 1 FROM ${quoted(table)} WHERE rowid = ?`).get(place) !== undefined,
    close,
  }
}

const tableNames = (database: Database): string[] =>
  database
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        AND name <> '__drizzle_migrations' ORDER BY name`,
    )
    .pluck()
    .all()
    .map(String)

interface ColumnRow {
  readonly name: string
  readonly type: string
  readonly pk: number
}

function describe(database: Database, name: string): CopiedTable {
  const columns = database
    .prepare<[string], ColumnRow>("SELECT name, lower(type) AS type, pk FROM pragma_table_info(?)")
    .all(name)
  const key = columns.filter(({ pk }) => pk > 0).sort((one, other) => one.pk - other.pk)
  const [only] = key
  const given = tableOfNumbers(database).get(name)
  return {
    name,
    columns: columns.map((column) => ({ name: column.name, type: column.type })),
    key: key.map((column) => column.name),
    numbered: key.length === 1 && only?.type === "integer" ? only.name : undefined,
    last: Number(
      database
        .prepare(`SELECT coalesce(max(rowid), 0) FROM ${quoted(name)}`)
        .pluck()
        .get(),
    ),
    given,
  }
}

const tableOfNumbers = (database: Database): ReadonlyMap<string, number> =>
  new Map(
    database
      .prepare<[], { name: string; seq: number }>("SELECT name, seq FROM sqlite_sequence")
      .all()
      .map(({ name, seq }) => [name, seq]),
  )

/** Tables that refer to each other in a circle can't be copied row by row. */
function inOrder(database: Database, tables: readonly CopiedTable[]): CopiedTable[] {
  const refers = database
    .prepare<[string], string>('SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)')
    .pluck()
  const waiting = new Map(
    tables.map((table) => [table, refers.all(table.name).filter((other) => other !== table.name)]),
  )
  const ordered: CopiedTable[] = []
  while (waiting.size > 0) {
    const free = [...waiting].find(([, others]) =>
      others.every((other) => ordered.some(({ name }) => name === other)),
    )
    if (!free) throw new TypeError("tables refer to each other in a circle")
    ordered.push(free[0])
    waiting.delete(free[0])
  }
  return ordered
}

function batchOf(database: Database, table: CopiedTable, from: number, to: number): Batch {
  const list = table.columns.map(({ name }) => quoted(name)).join(", ")
  const read = database
    .prepare<[number, number], [number, ...Value[]]>(
      `SELECT rowid, ${list} FROM ${quoted(table.name)} WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ${MOST_ROWS}`,
    )
    .raw()
  const rows: Row[] = []
  let bytes = 0
  let reached = from
  try {
    for (const [place, ...row] of read.iterate(from, to)) {
      rows.push(row)
      reached = place
      bytes += row.reduce<number>((sum, value) => sum + sizeOf(value, table.name), 0)
      if (bytes >= MOST_BYTES) break
    }
  } catch (error) {
    if (error instanceof NotCopied) throw error
    throw new Unavailable(`${table.name} can't be read (${codeOf(error)})`)
  }
  return { from, to: reached, rows }
}

function sizeOf(value: Value, table: string): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new NotCopied(`the source is damaged: ${table} holds a number that is none of ours`)
  return 8
}

function stateOf(database: Database, tables: readonly CopiedTable[], schema: number): string {
  const told = tables.map(({ name, last, given }) => {
    const newest = database
      .prepare(`SELECT * FROM ${quoted(name)} ORDER BY rowid DESC LIMIT ${TELLING_ROWS}`)
      .raw()
      .all()
    return [name, last, given ?? null, newest]
  })
  return hash("sha256", JSON.stringify([schema, told]), "base64url")
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
