// Every statement of the tree, once: what is built of the entries' leaves after they were committed. The guard is the size
// that the tree was read at: of several issuers who would build on, one does.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

export interface TreeRow {
  readonly origin: string
  readonly size: number
  readonly frontier: Uint8Array
  readonly stopped: string | null
  /** Place of the newest entry. */
  readonly newest: number | null
  /** Size of the newest checkpoint. */
  readonly signed: number | null
}

export const readTree = statement<TreeRow>(
  "tree.read",
  sql`SELECT origin, size, frontier, stopped, (SELECT max(seq) FROM entry) AS newest,
    (SELECT max(size) FROM ledger_checkpoint) AS signed FROM ledger_tree WHERE id = 1`,
)

export const insertTree = statement(
  "tree.insert",
  sql`INSERT INTO ledger_tree (id, origin, size, frontier) VALUES (1, ${p("origin")}, 0, ${p("frontier")})
    ON CONFLICT (id) DO NOTHING`,
)

export const growTree = statement(
  "tree.grow",
  sql`UPDATE ledger_tree SET size = ${p("size")}, frontier = ${p("frontier")}
    WHERE id = 1 AND size = ${p("from")} AND stopped IS NULL`,
)

export const stopTree = statement(
  "tree.stop",
  sql`UPDATE ledger_tree SET stopped = ${p("why")} WHERE id = 1 AND stopped IS NULL`,
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

/** The leaves themselves: `place` counts from 0. */
export const leavesBetween = statement<{ place: number; hash: Uint8Array }>(
  "tree.leaves",
  sql`SELECT seq - 1 AS place, leaf AS hash FROM entry_bytes WHERE seq > ${p("from")} AND seq <= ${p("to")}
    ORDER BY seq`,
)

export const bytesBetween = statement<{ place: number; bytes: Uint8Array }>(
  "tree.bytes",
  sql`SELECT seq - 1 AS place, bytes FROM entry_bytes WHERE seq > ${p("from")} AND seq <= ${p("to")} ORDER BY seq`,
)

export interface CheckpointRow {
  readonly size: number
  readonly note: string
}

/** Of one size there is one: whoever comes second is refused by the key. */
export const insertCheckpoint = statement(
  "checkpoint.insert",
  sql`INSERT INTO ledger_checkpoint (size, at, note) VALUES (${p("size")}, ${p("at")}, ${p("note")})`,
)

export const newestCheckpoint = statement<CheckpointRow>(
  "checkpoint.newest",
  sql`SELECT size, note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1`,
)

/** Of the old ones the last of each hour stays, and those that more than one key signed. */
export const pruneCheckpoints = statement(
  "checkpoint.prune",
  sql`DELETE FROM ledger_checkpoint WHERE at < ${p("before")} AND note NOT LIKE ${p("twice")}
    AND size NOT IN (SELECT max(size) FROM ledger_checkpoint WHERE at < ${p("before")} GROUP BY at / 3600000)`,
)
