// The table of what tasks have used of their limits as PostgreSQL has it; what it means is said in limit-tables.ts.
import { bigint, pgTable, primaryKey } from "drizzle-orm/pg-core"
import { task } from "./postgres-tables.ts"

const number = { mode: "number" } as const

export const useCount = pgTable(
  "use_count",
  {
    task: bigint(number)
      .notNull()
      .references(() => task.id),
    operation: bigint(number).notNull(),
    used: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.task, table.operation] })],
)
