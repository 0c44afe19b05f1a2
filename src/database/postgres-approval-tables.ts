// The tables of approvals and of what is told outwards as PostgreSQL has them; what they mean is said in approval-tables.ts.
import { bigint, index, pgTable, text } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"
import { task } from "./postgres-tables.ts"

const number = { mode: "number" } as const

export const approval = pgTable(
  "approval",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    approvalId: text("approval_id").notNull().unique(),
    task: bigint(number)
      .notNull()
      .references(() => task.id),
    api: bigint(number).notNull(),
    operation: bigint(number).notNull(),
    resource: text().notNull(),
    parameters: text(),
    digest: text().notNull(),
    reason: text(),
    requestedBy: bigint("requested_by", number).notNull(),
    requestedAt: bigint("requested_at", number).notNull(),
    deciders: text().notNull(),
    delegation: text(),
    state: text().notNull(),
    expiresAt: bigint("expires_at", number).notNull(),
    decidedBy: text("decided_by"),
    decidedAs: text("decided_as"),
    decidedAt: bigint("decided_at", number),
    token: text().unique(),
    use: text(),
  },
  (table) => [
    index("approval_task").on(table.task, table.id),
    index("approval_open").on(table.expiresAt).where(sql`${table.state} in ('requested', 'granted')`),
  ],
)
export const delivery = pgTable(
  "delivery",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    jti: text().notNull().unique(),
    address: text().notNull(),
    claims: text().notNull(),
    due: bigint(number).notNull(),
    until: bigint(number).notNull(),
    attempts: bigint(number).notNull().default(0),
  },
  (table) => [index("delivery_due").on(table.due)],
)
