// The tables of what is usual, as drizzle sees them on SQLite: what each agent does in tasks of each type. They are made of
// entries after the fact, by the audit room, with the roll-ups (rollup-tables.ts has the place up to which they go), and could
// be made of them again at any time.
import { blob, index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"

/** One task of one holder, from its start until an hour after its end; then it is one more of `anomaly_size`. */
export const anomalyTask = sqliteTable(
  "anomaly_task",
  {
    /** → task */
    task: integer().notNull(),
    /** → name: the holder, so of a delegation the sub-agent */
    agent: integer().notNull(),
    /** → name */
    type: integer().notNull(),
    startedAt: integer("started_at").notNull(),
    uses: integer().notNull(),
    refused: integer().notNull(),
    /** The smallest hashes of its resources, by which they are counted (audit/anomaly/sketch.ts). */
    touched: blob({ mode: "buffer" }).notNull(),
    /** When it last did anything, by the ledger's time, and the entry after which this row was counted. */
    toldAt: integer("told_at").notNull(),
    seq: integer().notNull(),
    endedAt: integer("ended_at"),
    /** Rules by which it was paused or revoked, with spaces between them. */
    acted: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.task, table.agent] }),
    // What did less is never unusual by itself.
    index("anomaly_task_seq").on(table.seq).where(sql`${table.uses} >= 10`),
    index("anomaly_task_ended").on(table.endedAt).where(sql`${table.endedAt} is not null`),
  ],
)

/** An hour with work. */
export const anomalyHour = sqliteTable(
  "anomaly_hour",
  {
    /** → name */
    type: integer().notNull(),
    /** → name */
    agent: integer().notNull(),
    /** Whole hours since 1970; of uses that are reported late the one in which their token ran out. */
    hour: integer().notNull(),
    starts: integer().notNull(),
    uses: integer().notNull(),
    refused: integer().notNull(),
    toldAt: integer("told_at").notNull(),
    seq: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.type, table.agent, table.hour] }),
    index("anomaly_hour_seq").on(table.seq),
    index("anomaly_hour_hour").on(table.hour),
  ],
)

export const anomalyOperation = sqliteTable(
  "anomaly_operation",
  {
    /** → name */
    type: integer().notNull(),
    /** → name */
    agent: integer().notNull(),
    /** → name */
    operation: integer().notNull(),
    /** When it was first used, or again after it was forgotten; by the ledger's time. */
    since: integer().notNull(),
    /** → task: of that use */
    task: integer().notNull(),
    lastAt: integer("last_at").notNull(),
    /** The entry after which `since` was counted. */
    seq: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.type, table.agent, table.operation] }),
    index("anomaly_operation_seq").on(table.seq),
  ],
)

/** Tasks that ended, by how much they did. */
export const anomalySize = sqliteTable(
  "anomaly_size",
  {
    /** → name */
    type: integer().notNull(),
    /** → name */
    agent: integer().notNull(),
    /** 0: resources, 1: uses. */
    measure: integer().notNull(),
    /** Whole days since 1970: of their end. */
    day: integer().notNull(),
    size: integer().notNull(),
    tasks: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.type, table.agent, table.measure, table.day, table.size] })],
)
