// The tables of what is usual as PostgreSQL has them, column for column as SQLite's (anomaly-tables.ts says what they mean).
import { bigint, customType, index, pgTable, primaryKey, text } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"

const number = { mode: "number" } as const

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

export const anomalyTask = pgTable(
  "anomaly_task",
  {
    task: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    type: bigint(number).notNull(),
    startedAt: bigint("started_at", number).notNull(),
    uses: bigint(number).notNull(),
    refused: bigint(number).notNull(),
    touched: bytes().notNull(),
    toldAt: bigint("told_at", number).notNull(),
    seq: bigint(number).notNull(),
    endedAt: bigint("ended_at", number),
    acted: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.task, table.agent] }),
    index("anomaly_task_seq").on(table.seq).where(sql`${table.uses} >= 10`),
    index("anomaly_task_ended").on(table.endedAt).where(sql`${table.endedAt} is not null`),
  ],
)

export const anomalyHour = pgTable(
  "anomaly_hour",
  {
    type: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    hour: bigint(number).notNull(),
    starts: bigint(number).notNull(),
    uses: bigint(number).notNull(),
    refused: bigint(number).notNull(),
    toldAt: bigint("told_at", number).notNull(),
    seq: bigint(number).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.type, table.agent, table.hour] }),
    index("anomaly_hour_seq").on(table.seq),
    index("anomaly_hour_hour").on(table.hour),
  ],
)

export const anomalyOperation = pgTable(
  "anomaly_operation",
  {
    type: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    operation: bigint(number).notNull(),
    since: bigint(number).notNull(),
    task: bigint(number).notNull(),
    lastAt: bigint("last_at", number).notNull(),
    seq: bigint(number).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.type, table.agent, table.operation] }),
    index("anomaly_operation_seq").on(table.seq),
  ],
)

export const anomalySize = pgTable(
  "anomaly_size",
  {
    type: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    measure: bigint(number).notNull(),
    day: bigint(number).notNull(),
    size: bigint(number).notNull(),
    tasks: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.type, table.agent, table.measure, table.day, table.size] })],
)
