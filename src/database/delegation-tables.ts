// The table of delegations, as drizzle sees it on SQLite; the rest is in tables.ts. What the rows mean is decided in the
// task room.
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"
import { task } from "./tables.ts"

/** The rights of sub-agents. Rows are never deleted, and changed only when they end. */
export const delegation = sqliteTable(
  "delegation",
  {
    id: integer().primaryKey(),
    delegationId: text("delegation_id").notNull().unique(),
    task: integer()
      .notNull()
      .references(() => task.id),
    /** → delegation; 0: the task's own agent delegated. */
    parent: integer().notNull(),
    /** → name */
    agent: integer().notNull(),
    /** → name */
    instance: integer().notNull(),
    jkt: text(),
    /** JSON: what it was given; no later mint gets more. */
    authority: text().notNull(),
    startedAt: integer("started_at").notNull(),
    endedAt: integer("ended_at"),
  },
  (table) => [
    // A holder's sub-agent is one delegation at a time, however many ask for it at once.
    uniqueIndex("delegation_living")
      .on(table.task, table.parent, table.agent, table.instance)
      .where(sql`${table.endedAt} is null`),
    index("delegation_task").on(table.task),
    index("delegation_parent").on(table.parent),
    index("delegation_agent").on(table.agent),
  ],
)
