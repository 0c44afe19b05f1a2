// The tables of the ledger's tree as PostgreSQL has them; what they mean is said in log-tables.ts.
import { bigint, check, customType, index, pgTable, primaryKey, text, uniqueIndex } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"

const number = { mode: "number" } as const

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

export const ledgerTree = pgTable(
  "ledger_tree",
  {
    id: bigint(number).primaryKey(),
    origin: text().notNull(),
    size: bigint(number).notNull(),
    frontier: bytes().notNull(),
    first: bigint(number).notNull().default(0),
    feedFrom: bigint("feed_from", number).notNull().default(0),
    stopped: text(),
  },
  (table) => [check("ledger_tree_one", sql`${table.id} = 1`)],
)

export const ledgerNode = pgTable(
  "ledger_node",
  {
    level: bigint(number).notNull(),
    place: bigint(number).notNull(),
    hash: bytes().notNull(),
  },
  (table) => [primaryKey({ columns: [table.level, table.place] })],
)

export const ledgerBundle = pgTable(
  "ledger_bundle",
  {
    first: bigint(number).primaryKey(),
    leaves: bytes().notNull(),
    packed: bytes().notNull(),
    digest: bytes().notNull(),
    file: text(),
  },
  (table) => [index("ledger_bundle_file").on(table.file, table.first)],
)

export const ledgerCheckpoint = pgTable(
  "ledger_checkpoint",
  {
    size: bigint(number).primaryKey(),
    at: bigint(number).notNull(),
    note: text().notNull(),
  },
  (table) => [index("ledger_checkpoint_at").on(table.at)],
)

export const ledgerKey = pgTable(
  "ledger_key",
  {
    vkey: text().primaryKey(),
    state: text().notNull(),
    wrapped: bytes().notNull(),
    createdAt: bigint("created_at", number).notNull(),
    retiredAt: bigint("retired_at", number),
  },
  (table) => [
    uniqueIndex("ledger_key_one").on(table.state).where(sql`${table.state} in ('current', 'leaving')`),
  ],
)
