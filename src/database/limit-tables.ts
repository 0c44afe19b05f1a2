// The table of what tasks have used of their limits, as drizzle sees it on SQLite; the rest is in tables.ts. What the rows mean
// is decided by the task room (task/use-limits.ts).
import { integer, primaryKey, sqliteTable } from "drizzle-orm/sqlite-core"
import { task } from "./tables.ts"

/** Only of tasks whose type limits their uses. */
export const useCount = sqliteTable(
  "use_count",
  {
    task: integer()
      .notNull()
      .references(() => task.id),
    /** → name */
    operation: integer().notNull(),
    used: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.task, table.operation] })],
)
