// The table of alarms as PostgreSQL has it, column for column as SQLite's (alarm-tables.ts says what it means).
import { bigint, pgTable, text, unique } from "drizzle-orm/pg-core"

const number = { mode: "number" } as const

export const alarm = pgTable(
  "alarm",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    kind: text().notNull(),
    value: text().notNull(),
    facts: text().notNull(),
    since: bigint(number).notNull(),
    raisedAt: bigint("raised_at", number).notNull(),
  },
  (table) => [unique("alarm_one").on(table.kind, table.value)],
)
