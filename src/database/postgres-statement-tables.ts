// The tables of closing statements as PostgreSQL has them, column for column as SQLite's (statement-tables.ts says what they
// mean).
import { bigint, pgTable, primaryKey, text } from "drizzle-orm/pg-core"
import { task } from "./postgres-tables.ts"

const number = { mode: "number" } as const

export const taskStatement = pgTable(
  "task_statement",
  {
    task: bigint(number)
      .notNull()
      .references(() => task.id),
    number: bigint(number).notNull(),
    at: bigint(number).notNull(),
    through: bigint(number).notNull(),
    digest: text().notNull(),
    jws: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.task, table.number] })],
)

export const statementDue = pgTable("statement_due", {
  task: bigint(number)
    .primaryKey()
    .references(() => task.id),
  since: bigint(number).notNull(),
  cursor: bigint(number).notNull(),
  late: bigint(number).notNull(),
})
