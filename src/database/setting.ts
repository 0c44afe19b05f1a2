// What a database says of itself: what its data was made for, or that it is a copy that was not finished. One row says
// either, so that no issuer begins where a copy has, and no copy where an issuer has. Who may go on is for its readers.
import { statement } from "./database.ts"
import { sql } from "./drizzle.ts"

const p = sql.placeholder

/** The row that the first issuer, or the first copy, writes before anything else. */
export const MADE_FOR = "made_for"
const COPY = "copy "

/** How far a copy came, in that row's value until the copy is finished. */
export interface CopyMark {
  /** Tells the state of the source that is copied. */
  readonly source: string
  /** The table in hand; rows up to `from` were compared with the source, those up to `to` were written. */
  readonly table: string
  readonly from: number
  readonly to: number
}

export const writeMark = (mark: CopyMark): string => `${COPY}${JSON.stringify(mark)}`

/** Undefined where the value says something else. */
export function readMark(value: string): CopyMark | undefined {
  return value.startsWith(COPY) ? JSON.parse(value.slice(COPY.length)) : undefined
}

export const readSetting = statement<{ value: string }>(
  "readSetting",
  sql`SELECT value FROM setting WHERE key = ${p("key")}`,
)

export const insertSetting = statement(
  "insertSetting",
  sql`INSERT INTO setting (key, value) VALUES (${p("key")}, ${p("value")})`,
)

/** Changes no row where it says something else by now: somebody else was there. */
export const replaceSetting = statement(
  "replaceSetting",
  sql`UPDATE setting SET value = ${p("value")} WHERE key = ${p("key")} AND value = ${p("before")}`,
)
