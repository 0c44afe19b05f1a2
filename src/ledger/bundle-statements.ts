// Every statement of entries that rest in bundles, once. A bundle has all 256 entries of a tile, under the place of the first.
import type { SQL } from "drizzle-orm"
import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { before } from "./tree-statements.ts"

const p = sql.placeholder

/** Where the entries of a bundle are. */
export interface Stored {
  /** Compressed; empty where they rest in a file. */
  readonly packed: Uint8Array
  /** Of `packed`, or of the file. */
  readonly digest: Uint8Array
  /** Its path in the archive's folder; null where `packed` has them. */
  readonly file: string | null
  /** What that file holds, where somebody read it: archive-files.ts. */
  readonly plain?: Uint8Array
}

export interface BundleRow extends Stored {
  readonly first: number
  readonly leaves: Uint8Array
}

const columns = sql`u.first AS first, u.leaves AS leaves, u.packed AS packed, u.digest AS digest, u.file AS file
  FROM ledger_bundle u`

/** The one that has the entry of this place, if any has. */
export const bundleAt = statement<BundleRow>(
  "bundle.at",
  sql`SELECT ${columns} WHERE u.first <= ${p("seq")} ORDER BY u.first DESC LIMIT 1`,
)

export const bundleBegins = statement(
  "bundle.begins",
  sql`SELECT first FROM ledger_bundle WHERE first = ${p("first")}`,
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

export const entryBundles = statement<Stored & { readonly place: number }>(
  "bundle.entries",
  ofThisLog(sql`u.packed AS packed, u.digest AS digest, u.file AS file`),
)

/**
 * From where on entries are still in rows: after the log's first place and its newest bundle, and of what was left before it
 * after the newest of those; and what is signed.
 */
export const archivePlace = statement<{
  origin: string
  before: number
  left: number | null
  newest: number | null
  signed: number | null
}>(
  "archive.place",
  sql`SELECT t.origin AS origin, t.first AS before, (SELECT max(first) FROM ledger_bundle WHERE first <= t.first) AS left,
      (SELECT max(first) FROM ledger_bundle WHERE first > t.first) AS newest,
      (SELECT max(size) FROM ledger_checkpoint) AS signed
    FROM ledger_tree t WHERE t.id = 1`,
)

const ofTile = sql`seq >= ${wholeNumber("first")} AND seq < ${wholeNumber("first")} + 256`

export const timesOfTile = statement<{ entries: number; newest: number | null }>(
  "archive.times",
  sql`SELECT count(*) AS entries, max(at) AS newest FROM entry WHERE ${ofTile}`,
)

/** Those of its places whose bytes are in rows. */
export const placesOfTile = statement<{ seq: number }>(
  "archive.places",
  sql`SELECT seq FROM entry_bytes WHERE ${ofTile} AND length(bytes) > 0 ORDER BY seq`,
)

export const rowsOfTile = statement<{ seq: number; bytes: Uint8Array; leaf: Uint8Array }>(
  "archive.rows",
  sql`SELECT seq, bytes, leaf FROM entry_bytes WHERE ${ofTile} AND length(bytes) > 0 ORDER BY seq`,
)

/** Of several issuers that archive the same tile one does. */
export const insertBundle = statement(
  "archive.bundle",
  sql`INSERT INTO ledger_bundle (first, leaves, packed, digest, file)
    VALUES (${p("first")}, ${p("leaves")}, ${p("packed")}, ${p("digest")}, ${p("file")})`,
)

export interface PackedRow extends BundleRow {
  /** Time of the newest entry, epoch milliseconds. */
  readonly newest: number | null
}

/** The oldest of those that are in the database themselves. */
export const packedBundles = statement<PackedRow>(
  "archive.packed",
  sql`SELECT u.first AS first, u.leaves AS leaves, u.packed AS packed, u.digest AS digest, u.file AS file,
      (SELECT max(e.at) FROM entry e WHERE e.seq >= u.first AND e.seq < u.first + 256) AS newest
    FROM ledger_bundle u WHERE u.file IS NULL ORDER BY u.first LIMIT ${p("limit")}`,
)

/** It rests in a file from now on, unless it does already. */
export const moveBundle = statement(
  "archive.move",
  sql`UPDATE ledger_bundle SET packed = ${p("nothing")}, digest = ${p("digest")}, file = ${p("file")}
    WHERE first = ${p("first")} AND file IS NULL`,
)

export const anyFile = statement<{ readonly file: string }>(
  "archive.any_file",
  sql`SELECT file FROM ledger_bundle WHERE file IS NOT NULL ORDER BY file DESC LIMIT 1`,
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
