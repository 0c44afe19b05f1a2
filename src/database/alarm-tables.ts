// The table of alarms that stand, as drizzle sees it on SQLite; the rest is in tables.ts. What raises and clears them is
// decided in the audit room; that each was raised and cleared stands in the ledger, which this could be made of again.
import { integer, sqliteTable, text, unique } from "drizzle-orm/sqlite-core"

/** One row while an alarm stands, so that however many issuers see the same thing, one of them says so. */
export const alarm = sqliteTable(
  "alarm",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    kind: text().notNull(),
    /** What it is about: a verifier instance, `agent/instance`, a task id, the thumbprint of a key. */
    value: text().notNull(),
    /** What is known of it, as JSON; nothing personal. */
    facts: text().notNull(),
    /** When it began. */
    since: integer().notNull(),
    raisedAt: integer("raised_at").notNull(),
  },
  (table) => [unique("alarm_one").on(table.kind, table.value)],
)
