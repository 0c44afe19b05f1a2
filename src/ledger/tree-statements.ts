// Every statement of the tree, once: what is built of the entries' leaves after they were committed. The guard is the size
// that the tree was read at: of several issuers who would build on, one does. Sizes and places are the log's, which may
// have begun anew after entries of one that was lost: only here and in verify-statements.ts they become places of entries.
import { type Statement, statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

/** Of the last entry before the log's own: 0, unless it was begun anew. */
export const before = sql`coalesce((SELECT first FROM ledger_tree WHERE id = 1), 0)`
/** Checkpoints rest under the place of their newest entry, so that those of a lost log can stay beside the new one's. */
const ofThisLog = sql`c.size > ${before}`

export interface TreeRow {
  readonly origin: string
  readonly size: number
  readonly frontier: Uint8Array
  readonly stopped: string | null
  /** The place of the entry before the log's first. */
  readonly first: number
  /** Entries there are, signed or not. */
  readonly newest: number | null
  /** Size of the newest checkpoint. */
  readonly signed: number | null
}

export const readTree = statement<TreeRow>(
  "tree.read",
  sql`SELECT origin, size, frontier, stopped, first, (SELECT max(seq) FROM entry) - first AS newest,
    (SELECT max(c.size) FROM ledger_checkpoint c WHERE ${ofThisLog}) - first AS signed FROM ledger_tree WHERE id = 1`,
)

export const insertTree = statement(
  "tree.insert",
  sql`INSERT INTO ledger_tree (id, origin, size, frontier) VALUES (1, ${p("origin")}, 0, ${p("frontier")})
    ON CONFLICT (id) DO NOTHING`,
)

export const growTree = statement(
  "tree.grow",
  sql`UPDATE ledger_tree SET size = ${p("size")}, frontier = ${p("frontier")}
    WHERE id = 1 AND size = ${p("from")} AND origin = ${p("origin")} AND stopped IS NULL`,
)

export const stopTree = statement(
  "tree.stop",
  sql`UPDATE ledger_tree SET stopped = ${p("why")} WHERE id = 1 AND origin = ${p("origin")} AND stopped IS NULL`,
)

export const insertNode = statement(
  "tree.node",
  sql`INSERT INTO ledger_node (level, place, hash) VALUES (${p("level")}, ${p("place")}, ${p("hash")})`,
)

/** Of whole tiles of the level below; `from` and `to` (exclusive) are places of that level. */
export const nodesBetween = statement<{ place: number; hash: Uint8Array }>(
  "tree.nodes",
  sql`SELECT place, hash FROM ledger_node WHERE level = ${p("level")} AND place >= ${p("from")}
    AND place < ${p("to")} ORDER BY place`,
)

const leavesInRows = sql`FROM entry_bytes
    WHERE seq > ${before} + ${p("from")} AND seq <= ${before} + ${p("to")} AND length(leaf) > 0`

/** The leaves themselves, of those that rest in rows: `place` counts from 0. */
export const leavesBetween = statement<{ place: number; hash: Uint8Array }>(
  "tree.leaves",
  sql`SELECT seq - ${before} - 1 AS place, leaf AS hash ${leavesInRows} ORDER BY seq`,
)

/** The same in one value, in hex: of rows of their own, each costs four times as much. */
export const leavesTogether: Statement<{ leaves: number; hashes: string }> = {
  ...statement(
    "tree.leaves_together",
    sql`SELECT count(*) AS leaves, coalesce(string_agg(hex(leaf), '' ORDER BY seq), '') AS hashes ${leavesInRows}`,
  ),
  postgres: sql`SELECT count(*) AS leaves, encode(coalesce(string_agg(leaf, '' ORDER BY seq), ''), 'hex') AS hashes
    ${leavesInRows}`,
}

export const bytesBetween = statement<{ place: number; bytes: Uint8Array }>(
  "tree.bytes",
  sql`SELECT seq - ${before} - 1 AS place, bytes FROM entry_bytes
    WHERE seq > ${before} + ${p("from")} AND seq <= ${before} + ${p("to")} AND length(bytes) > 0 ORDER BY seq`,
)

export interface CheckpointRow {
  readonly size: number
  /** Of the newest entry that it holds. */
  readonly place: number
  /** Epoch milliseconds: when it was signed. */
  readonly at: number
  readonly note: string
}

/** Of one size there is one: whoever comes second is refused by the key. */
export const insertCheckpoint = statement(
  "checkpoint.insert",
  sql`INSERT INTO ledger_checkpoint (size, at, note) VALUES (${before} + ${p("size")}, ${p("at")}, ${p("note")})`,
)

export const newestCheckpoint = statement<CheckpointRow>(
  "checkpoint.newest",
  sql`SELECT c.size - ${before} AS size, c.size AS place, c.at AS at, c.note AS note
    FROM ledger_checkpoint c WHERE ${ofThisLog} ORDER BY c.size DESC LIMIT 1`,
)

/** Those that hand over, of this log: signed by more than one key. */
export const handoversFrom = statement<{ note: string }>(
  "checkpoint.handovers",
  sql`SELECT c.note AS note FROM ledger_checkpoint c
    WHERE ${ofThisLog} AND c.size - ${before} >= ${p("from")} AND c.note LIKE ${p("twice")} ORDER BY c.size`,
)

/** A guard: the newest entry has this place. */
export const entriesEnd = statement(
  "tree.entries_end",
  sql`SELECT 1 AS fits WHERE (SELECT coalesce(max(seq), 0) FROM entry) = ${p("first")}`,
)

/** Of a log that was stopped: another one begins behind all entries that there are. */
export const beginTree = statement(
  "tree.begin",
  sql`UPDATE ledger_tree SET origin = ${p("origin")}, first = ${p("first")}, feed_from = ${p("feed_from")}, size = 0,
      frontier = ${p("frontier")}, stopped = NULL
    WHERE id = 1 AND origin = ${p("was")} AND stopped IS NOT NULL`,
)

/** Hashes are made of entries, and those of the log before are not the new one's. */
export const forgetNodes = statement("tree.forget_nodes", sql`DELETE FROM ledger_node`)

/** Of entries that are gone: their places will be others'. */
export const forgetCheckpoints = statement(
  "checkpoint.forget",
  sql`DELETE FROM ledger_checkpoint WHERE size > ${p("first")}`,
)

/** Whatever log they are of, those that rest in rows; some may be missing. */
export const anyBytes = statement<{ seq: number; bytes: Uint8Array }>(
  "tree.any_bytes",
  sql`SELECT seq, bytes FROM entry_bytes WHERE seq > ${p("from")} AND seq <= ${p("to")} AND length(bytes) > 0
    ORDER BY seq`,
)

/** Of the old ones the last of each hour stays, and those that more than one key signed. */
export const pruneCheckpoints = statement(
  "checkpoint.prune",
  sql`DELETE FROM ledger_checkpoint WHERE at < ${p("before")} AND note NOT LIKE ${p("twice")}
    AND size NOT IN (SELECT max(size) FROM ledger_checkpoint WHERE at < ${p("before")} GROUP BY at / 3600000)`,
)
