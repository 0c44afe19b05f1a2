// The tables of the ledger's tree, as drizzle sees them on SQLite: what is built beside the entries, never with them. What
// the rows mean is decided in the ledger room.
import {
  blob,
  check,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"

/** One row: how far the tree has come. */
export const ledgerTree = sqliteTable(
  "ledger_tree",
  {
    id: integer().primaryKey(),
    /** The first line of every checkpoint. */
    origin: text().notNull(),
    /** Entries in the tree, from the log's first on. */
    size: integer().notNull(),
    /** Hashes of its full subtrees, from the largest to the smallest. */
    frontier: blob({ mode: "buffer" }).notNull(),
    /** The place before the log's first entry: 0, unless it was begun anew after a rollback. */
    first: integer().notNull().default(0),
    /** What is added to the cursors of the feed, so that none is below those of a ledger that was lost. */
    feedFrom: integer("feed_from").notNull().default(0),
    /** Why nothing is minted any more: the ledger does not continue what it signed. JSON; null as long as it does. */
    stopped: text(),
  },
  (table) => [check("ledger_tree_one", sql`${table.id} = 1`)],
)

/** The hash of 256^level entries from the place `256^level * place`; level 0 are the leaves of the entries themselves. */
export const ledgerNode = sqliteTable(
  "ledger_node",
  {
    level: integer().notNull(),
    place: integer().notNull(),
    hash: blob({ mode: "buffer" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.level, table.place] })],
)

/** Entries that were archived: a whole tile of them, instead of what `entry_bytes` had of each; their rows stay in `entry`. */
export const ledgerBundle = sqliteTable(
  "ledger_bundle",
  {
    /** Place of the first of its 256 entries. */
    first: integer().primaryKey(),
    /** Their leaves, one after the other. */
    leaves: blob({ mode: "buffer" }).notNull(),
    /** Their bytes as in a tile of entries (C2SP tlog-tiles), compressed; empty where they left the database for a file. */
    packed: blob({ mode: "buffer" }).notNull(),
    /** SHA-256 of `packed`, or of the file. */
    digest: blob({ mode: "buffer" }).notNull(),
    /** Its path in the archive's folder; null where `packed` has them. */
    file: text(),
  },
  (table) => [index("ledger_bundle_file").on(table.file, table.first)],
)

/** What was signed. `size` is the place of the newest entry in it: of one there is one, in all logs that there were. */
export const ledgerCheckpoint = sqliteTable(
  "ledger_checkpoint",
  {
    size: integer().primaryKey(),
    at: integer().notNull(),
    note: text().notNull(),
  },
  (table) => [index("ledger_checkpoint_at").on(table.at)],
)

export const ledgerKey = sqliteTable(
  "ledger_key",
  {
    /** Name, id and public half, as readers get it. */
    vkey: text().primaryKey(),
    /** current, leaving (signs once more, beside its successor), retired. */
    state: text().notNull(),
    /** Empty once retired. */
    wrapped: blob({ mode: "buffer" }).notNull(),
    createdAt: integer("created_at").notNull(),
    retiredAt: integer("retired_at"),
  },
  (table) => [
    uniqueIndex("ledger_key_one").on(table.state).where(sql`${table.state} in ('current', 'leaving')`),
  ],
)
