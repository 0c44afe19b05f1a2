// Every table as PostgreSQL has it, column for column as SQLite's (tables.ts says what they mean); drizzle-kit writes the
// migrations from here. Every number is a bigint, so that no parameter is ever taken for a smaller one. Places in the
// ledger and the policy in force are numbered by statements, all else by the database: only the former have no gaps.

import { bigint, check, customType, index, pgTable, primaryKey, text, unique } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"
import { verifierInstance } from "./postgres-verifier-tables.ts"

const number = { mode: "number" } as const

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

export const name = pgTable("name", {
  id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
  text: text().notNull().unique(),
})
export const subject = pgTable("subject", {
  id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
  text: text().unique(),
})
export const policy = pgTable("policy", {
  digest: text().primaryKey(),
  files: text().notNull(),
  loadedAt: bigint("loaded_at", number).notNull(),
})
export const policyInForce = pgTable(
  "policy_in_force",
  {
    id: bigint(number).primaryKey(),
    digest: text()
      .notNull()
      .references(() => policy.digest),
    since: bigint(number).notNull(),
  },
  (table) => [check("policy_in_force_one", sql`${table.id} = 1`)],
)

export const task = pgTable(
  "task",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    taskId: text("task_id").notNull().unique(),
    type: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    instance: bigint(number).notNull(),
    orchestrator: bigint(number).notNull(),
    subject: bigint(number)
      .notNull()
      .references(() => subject.id),
    state: text().notNull(),
    startedAt: bigint("started_at", number).notNull(),
    deadline: bigint(number).notNull(),
    endedAt: bigint("ended_at", number),
    reference: text(),
    requestDigest: text("request_digest").notNull(),
    policy: text().notNull(),
    authority: text().notNull(),
    purpose: text(),
    inputs: text(),
    jkt: text(),
    key: bytes(),
    iatFloor: bigint("iat_floor", number).notNull().default(0),
    behalf: text(),
    collectBy: bigint("collect_by", number),
  },
  (table) => [
    unique("task_reference").on(table.reference, table.orchestrator),
    index("task_collect_by").on(table.collectBy).where(sql`${table.collectBy} is not null`),
    index("task_running").on(table.deadline).where(sql`${table.state} in ('active', 'paused')`),
    index("task_orchestrator").on(table.orchestrator, table.id),
    index("task_agent").on(table.agent, table.id),
    index("task_key")
      .on(table.jkt, table.agent)
      .where(sql`${table.jkt} is not null and ${table.state} in ('active', 'paused')`),
  ],
)

export const token = pgTable(
  "token",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    jti: text().notNull().unique(),
    task: bigint(number)
      .notNull()
      .references(() => task.id),
    api: bigint(number).notNull(),
    iat: bigint(number).notNull(),
    exp: bigint(number).notNull(),
    kid: bigint(number).notNull(),
    claims: text(),
    generation: bigint(number).notNull(),
    endedAt: bigint("ended_at", number),
    delegation: bigint(number),
  },
  (table) => [
    index("token_task").on(table.task, table.exp),
    index("token_exp").on(table.exp),
    index("token_delegation").on(table.delegation).where(sql`${table.delegation} is not null`),
  ],
)
export const feed = pgTable(
  "feed",
  {
    cursor: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    kind: text().notNull(),
    value: text().notNull(),
    before: bigint(number).notNull(),
    until: bigint(number).notNull(),
    api: bigint(number).notNull(),
    code: text().notNull(),
    revocation: text(),
    successor: text(),
  },
  (table) => [
    index("feed_api").on(table.api, table.cursor),
    index("feed_revocation").on(table.revocation).where(sql`${table.revocation} is not null`),
  ],
)

export const revocation = pgTable("revocation", {
  id: text().primaryKey(),
  kind: text().notNull(),
  value: text().notNull(),
  before: bigint(number).notNull(),
  until: bigint(number),
  reason: text(),
  setBy: text("set_by").notNull(),
  at: bigint(number).notNull(),
  tokens: bigint(number).notNull(),
  liftedAt: bigint("lifted_at", number),
})

export const lock = pgTable(
  "lock",
  {
    kind: text().notNull(),
    value: text().notNull(),
    until: bigint(number),
    revocation: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.value, table.revocation] })],
)

export const applied = pgTable(
  "applied",
  {
    revocation: text()
      .notNull()
      .references(() => revocation.id),
    instance: bigint(number)
      .notNull()
      .references(() => verifierInstance.id),
    at: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.revocation, table.instance] })],
)

export const spent = pgTable(
  "spent",
  {
    digest: bytes().primaryKey(),
    until: bigint(number).notNull(),
  },
  (table) => [index("spent_until").on(table.until)],
)

export const taskCount = pgTable("task_count", {
  type: bigint(number).primaryKey(),
  active: bigint(number).notNull(),
})

export const startMinute = pgTable(
  "start_minute",
  {
    type: bigint(number).notNull(),
    minute: bigint(number).notNull(),
    count: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.type, table.minute] })],
)

export const clientHour = pgTable(
  "client_hour",
  {
    client: bigint(number).notNull(),
    hour: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.client, table.hour] })],
)

export const setting = pgTable("setting", {
  key: text().primaryKey(),
  value: text().notNull(),
})
export const entry = pgTable(
  "entry",
  {
    seq: bigint(number).primaryKey(),
    at: bigint(number).notNull(),
    kind: bigint(number).notNull(),
    task: bigint(number),
    token: bigint(number),
    agent: bigint(number),
    instance: bigint(number),
    orchestrator: bigint(number),
    api: bigint(number),
    operation: bigint(number),
    outcome: bigint(number),
    code: bigint(number),
    subject: bigint(number),
    resource: text(),
    reference: text(),
  },
  (table) => [
    index("entry_task").on(table.task),
    index("entry_agent").on(table.agent),
    index("entry_refused").on(table.seq).where(sql`${table.outcome} = 0`),
  ],
)
export const entryBytes = pgTable("entry_bytes", {
  seq: bigint(number)
    .primaryKey()
    .references(() => entry.seq),
  bytes: bytes().notNull(),
  leaf: bytes().notNull(),
  personal: text(),
  key: bytes(),
})

/** Row 1: transactions committed ever; of each process: the number of its last. They show a database that has lost some (postgres-history.ts). */
export const commitCount = pgTable("commit_count", {
  id: bigint(number).primaryKey(),
  commits: bigint(number).notNull(),
})
