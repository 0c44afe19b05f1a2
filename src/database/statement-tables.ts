// The tables of closing statements, as drizzle sees them on SQLite; the rest is in tables.ts. What is owed and what a
// statement says is decided in the audit room.
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { task } from "./tables.ts"

/** One final statement, as it was signed: it is answered in these bytes for ever. Rows are never changed or deleted. */
export const taskStatement = sqliteTable(
  "task_statement",
  {
    task: integer()
      .notNull()
      .references(() => task.id),
    /** From 1, without gaps, for each task. */
    number: integer().notNull(),
    at: integer().notNull(),
    /** Place of the last entry that it takes into account. */
    through: integer().notNull(),
    /** Of the signed payload. */
    digest: text().notNull(),
    jws: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.task, table.number] })],
)

/** A task whose next statement is owed. */
export const statementDue = sqliteTable("statement_due", {
  task: integer()
    .primaryKey()
    .references(() => task.id),
  /** When the task ended; of a successor, when a late use or a gap was first seen. */
  since: integer().notNull(),
  /** How far the feed had come by then: who has applied it knows that the task ended. */
  cursor: integer().notNull(),
  /** 1: uses, or word of missing reports, came after a final statement. */
  late: integer().notNull(),
})
