// Every statement of entries that rest in bundles, once. A bundle has all 256 entries of a tile, under the place of the first.
import type { SQL } from "drizzle-orm"
import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { before } from "./tree-statements.ts"

const p = sql.placeholder

export interface BundleRow {
  readonly first: number
  readonly leaves: Uint8Array
  readonly packed: Uint8Array
  readonly digest: Uint8Array
}

const columns = sql`u.first AS first, u.leaves AS leaves, u.packed AS packed, u.digest AS digest FROM ledger_bundle u`

/** The one that has the entry of this place, if any has. */
export const bundleAt = statement<BundleRow>(
  "bundle.at",
  sql`SELECT ${columns} WHERE u.first <= ${p("seq")} ORDER BY u.first DESC LIMIT 1`,
)

/** Those with entries after one place and up to another. */
export const bundlesBetween = statement<BundleRow>(
  "bundle.between",
  sql`SELECT ${columns} WHERE u.first > ${wholeNumber("from")} - 256 AND u.first <= ${p("to")} ORDER BY u.first`,
)

/** Of this log, those with leaves from one index to another (exclusive). */
const ofThisLog = (what: SQL): SQL =>
  sql`SELECT u.first - ${before} - 1 AS place, ${what} FROM ledger_bundle u
    WHERE u.first > ${before} AND u.first > ${before} + ${p("from")} - 255 AND u.first <= ${before} + ${p("to")} ORDER BY u.first`

export const leafBundles = statement<{ place: number; leaves: Uint8Array }>(
  "bundle.leaves",
  ofThisLog(sql`u.leaves AS leaves`),
)

export const entryBundles = statement<{ place: number; packed: Uint8Array; digest: Uint8Array }>(
  "bundle.entries",
  ofThisLog(sql`u.packed AS packed, u.digest AS digest`),
)

/** From where on entries are still in rows: after the log's first place and the newest bundle; and what is signed. */
export const archivePlace = statement<{ before: number; newest: number | null; signed: number | null }>(
  "archive.place",
  sql`SELECT ${before} AS before, (SELECT max(first) FROM ledger_bundle) AS newest,
    (SELECT max(size) FROM ledger_checkpoint) AS signed`,
)

const ofTile = sql`seq >= ${wholeNumber("first")} AND seq < ${wholeNumber("first")} + 256`

export const timesOfTile = statement<{ entries: number; newest: number | null }>(
  "archive.times",
  sql`SELECT count(*) AS entries, max(at) AS newest FROM entry WHERE ${ofTile}`,
)

export const rowsOfTile = statement<{ seq: number; bytes: Uint8Array; leaf: Uint8Array }>(
  "archive.rows",
  sql`SELECT seq, bytes, leaf FROM entry_bytes WHERE ${ofTile} AND length(bytes) > 0 ORDER BY seq`,
)

/** Of several issuers that archive the same tile one does. */
export const insertBundle = statement(
  "archive.bundle",
  sql`INSERT INTO ledger_bundle (first, leaves, packed, digest)
    VALUES (${p("first")}, ${p("leaves")}, ${p("packed")}, ${p("digest")})`,
)

/** Must be all that the bundle has. */
export const emptyRows = statement(
  "archive.empty",
  sql`UPDATE entry_bytes SET bytes = ${p("nothing")}, leaf = ${p("nothing")} WHERE ${ofTile} AND length(bytes) > 0`,
)

/** Those that have nothing beside what was hashed. */
export const dropRows = statement(
  "archive.drop",
  sql`DELETE FROM entry_bytes WHERE ${ofTile} AND personal IS NULL AND key IS NULL`,
)
