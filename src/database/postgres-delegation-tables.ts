// The table of delegations as PostgreSQL has it; what it means is said in delegation-tables.ts.
import { bigint, index, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"
import { task } from "./postgres-tables.ts"

const number = { mode: "number" } as const

export const delegation = pgTable(
  "delegation",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    delegationId: text("delegation_id").notNull().unique(),
    task: bigint(number)
      .notNull()
      .references(() => task.id),
    parent: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    instance: bigint(number).notNull(),
    jkt: text(),
    authority: text().notNull(),
    startedAt: bigint("started_at", number).notNull(),
    endedAt: bigint("ended_at", number),
  },
  (table) => [
    uniqueIndex("delegation_living")
      .on(table.task, table.parent, table.agent, table.instance)
      .where(sql`${table.endedAt} is null`),
    index("delegation_task").on(table.task),
    index("delegation_parent").on(table.parent),
    index("delegation_agent").on(table.agent),
  ],
)
