// The tables of approvals and of what is told outwards, as drizzle sees them on SQLite; the rest is in tables.ts. What the
// rows mean is decided by the rooms that write them.
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"
import { task } from "./tables.ts"

/** One question of a task to people, and what became of it. */
export const approval = sqliteTable(
  "approval",
  {
    id: integer().primaryKey(),
    approvalId: text("approval_id").notNull().unique(),
    task: integer()
      .notNull()
      .references(() => task.id),
    /** → name */
    api: integer().notNull(),
    /** → name */
    operation: integer().notNull(),
    resource: text().notNull(),
    /** Canonical JSON; null where there are none, and once erased. */
    parameters: text(),
    /** Of the canonical parameters: what a token of it is bound to. */
    digest: text().notNull(),
    reason: text(),
    /** → name. The orchestrator, or `agent/instance`. */
    requestedBy: integer("requested_by").notNull(),
    requestedAt: integer("requested_at").notNull(),
    /** Names of staff that may decide, by the policy of then, with a space around each. */
    deciders: text().notNull(),
    /** The delegation that it is for; null: the agent of the task itself. */
    delegation: text(),
    state: text().notNull(),
    /** Undecided: the task's deadline. Granted: until when it is collected, and lives. */
    expiresAt: integer("expires_at").notNull(),
    /** The person. */
    decidedBy: text("decided_by"),
    /** The name of staff in the policy. */
    decidedAs: text("decided_as"),
    decidedAt: integer("decided_at"),
    /** `jti` of what was collected last. */
    token: text().unique(),
    /** The use that a token for one use was spent on. */
    use: text(),
  },
  (table) => [
    index("approval_task").on(table.task, table.id),
    index("approval_open").on(table.expiresAt).where(sql`${table.state} in ('requested', 'granted')`),
  ],
)

/** What is told outwards, until it is taken or given up: so a restart loses none. */
export const delivery = sqliteTable(
  "delivery",
  {
    id: integer().primaryKey(),
    jti: text().notNull().unique(),
    address: text().notNull(),
    /** The claims of a security event token, as JSON. */
    claims: text().notNull(),
    /** When it is tried next, and from when on not any more. */
    due: integer().notNull(),
    until: integer().notNull(),
    attempts: integer().notNull().default(0),
  },
  (table) => [index("delivery_due").on(table.due)],
)
