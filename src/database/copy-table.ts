// One table as it is copied: its columns, its key, and the statements that write rows of it, find them again and let the
// database number on. They are made of the table's own description, so that no table can be forgotten. Which rows, and
// when, is decided by whoever copies.
import type { SQL } from "drizzle-orm"
import { isPostgres, type Statement, type Step, statement, type Value, type Values } from "./database.ts"
import { sql } from "./drizzle.ts"

/** A copy that can't be: the answer is no, and the message says why and what to do. Nothing was lost. */
export class NotCopied extends Error {
  override readonly name = "NotCopied"
}

export interface CopiedTable {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** Names of the columns of the primary key. */
  readonly key: readonly string[]
  /** The one whole number that is the key, and each row's place in the source; undefined where the key is another. */
  readonly numbered: string | undefined
  /** The place of the last row. */
  readonly last: number
  /** Where the database itself numbers: the highest number that it has given, of rows that are gone, too. */
  readonly given: number | undefined
}

/** Values in the order of the table's columns. */
export type Row = readonly Value[]

/** The part of a table that is copied at once: rows whose places are after `from`, up to `to`. */
export interface Batch {
  readonly from: number
  readonly to: number
  readonly rows: readonly Row[]
}

const names = (columns: readonly string[]): SQL =>
  sql.join(
    columns.map((column) => sql.identifier(column)),
    sql`, `,
  )
const columnsOf = ({ columns }: CopiedTable): SQL => names(columns.map(({ name }) => name))
const listOf = (rows: readonly (readonly SQL[])[]): SQL =>
  sql.join(
    rows.map((row) => sql`(${sql.join([...row], sql`, `)})`),
    sql`, `,
  )
const at = (row: number, column: number): string => `${row}.${column}`
const grid = (rows: number, columns: number) =>
  Array.from({ length: rows }, (_row, row) =>
    Array.from({ length: columns }, (_column, column) => [row, column] as const),
  )
const valuesOf = (rows: readonly Row[]): Values =>
  Object.fromEntries(rows.flatMap((row, n) => row.map((value, column) => [at(n, column), value])))

const known = new Map<string, Statement<Readonly<Record<string, Value>>>>()

/** Each is made and compiled once; all batches but the last of a table have the same size. */
function once(name: string, make: () => SQL): Statement<Readonly<Record<string, Value>>> {
  const found = known.get(name) ?? statement(name, make())
  known.set(name, found)
  return found
}

export function writeRows(table: CopiedTable, rows: readonly Row[]): Step {
  const places = grid(rows.length, table.columns.length)
  const make = () => {
    const list = places.map((row) => row.map(([n, column]) => sql`${sql.placeholder(at(n, column))}`))
    return sql`INSERT INTO ${sql.identifier(table.name)} (${columnsOf(table)}) VALUES ${listOf(list)}`
  }
  return {
    statement: once(`copy-${rows.length}-into-${table.name}`, make),
    values: valuesOf(rows),
    rows: rows.length,
  }
}

/** The rows of a batch as they rest where they were written: those between its places, or those with its keys. */
export function findRows(table: CopiedTable, { from, to, rows }: Batch, place: string) {
  const select = sql`SELECT ${columnsOf(table)} FROM ${sql.identifier(table.name)}`
  if (table.numbered !== undefined) {
    const column = sql.identifier(table.numbered)
    const between = sql`${column} > ${sql.placeholder("from")} AND ${column} <= ${sql.placeholder("to")}`
    const make = () => sql`${select} WHERE ${between}`
    return { statement: once(`find-copied-in-${table.name}`, make), values: { from, to } }
  }
  const keyAt = table.key.map((name) => table.columns.findIndex((column) => column.name === name))
  const make = () => {
    const list = grid(rows.length, keyAt.length).map((row) =>
      row.map(([n, part]) => typed(table, keyAt[part], at(n, part), place)),
    )
    return sql`${select} WHERE (${names(table.key)}) IN (VALUES ${listOf(list)})`
  }
  const name = `find-${rows.length}-copied-in-${table.name}-${isPostgres(place) ? "postgres" : "sqlite"}`
  return {
    statement: once(name, make),
    values: valuesOf(rows.map((row) => keyAt.map((part) => row[part] ?? null))),
  }
}

/** PostgreSQL takes what stands in a list of its own for text. */
function typed(table: CopiedTable, column: number | undefined, placeholder: string, place: string): SQL {
  const type = table.columns[column ?? -1]?.type
  const spelled = type === "integer" ? "bigint" : type === "blob" && isPostgres(place) ? "bytea" : type
  return sql`CAST(${sql.placeholder(placeholder)} AS ${sql.raw(spelled ?? "text")})`
}

export const isEmpty = (table: CopiedTable): Step => ({
  statement: once(
    `find-any-in-${table.name}`,
    () => sql`SELECT 1 AS one FROM ${sql.identifier(table.name)} LIMIT 1`,
  ),
  values: {},
  rows: 0,
})

/** From now on the database numbers after what the source has given. */
export function numberOn(table: CopiedTable, place: string): Step[] {
  if (isPostgres(place)) return numberOnPostgres(table)
  const { given } = table
  if (given === undefined) return []
  return [
    {
      statement: once(
        "forget-number",
        () => sql`DELETE FROM sqlite_sequence WHERE name = ${sql.placeholder("name")}`,
      ),
      values: { name: table.name },
    },
    {
      statement: once(
        "number-on",
        () =>
          sql`INSERT INTO sqlite_sequence (name, seq) VALUES (${sql.placeholder("name")}, ${sql.placeholder("given")})`,
      ),
      values: { name: table.name, given },
      rows: 1,
    },
  ]
}

/** A number that statements hand out has no sequence: then it does nothing. */
function numberOnPostgres({ name, numbered, last, given }: CopiedTable): Step[] {
  const highest = Math.max(last, given ?? 0)
  if (numbered === undefined || highest === 0) return []
  const make = () =>
    sql`SELECT setval(pg_get_serial_sequence(${sql.raw(`'"${name}"'`)}, ${sql.raw(`'${numbered}'`)}), CAST(${sql.placeholder("highest")} AS bigint)) AS number`
  return [{ statement: once(`number-on-${name}`, make), values: { highest }, rows: 1 }]
}
