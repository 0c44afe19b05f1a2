// Every table, as drizzle sees it on SQLite; drizzle-kit writes the migrations from here. What repeats is an integer that
// points into `name`; keys that single out a winner are unique. Times are epoch milliseconds, except where a column's
// comment says seconds (as in a token). What the rows mean is decided by the rooms that write them.

import { blob, check, index, integer, primaryKey, sqliteTable, text, unique } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"
import { verifierInstance } from "./verifier-tables.ts"

/** Texts that repeat: agents, instances, APIs, operations, kinds, codes, key ids. Rows are never changed or deleted. */
export const name = sqliteTable("name", {
  id: integer().primaryKey(),
  text: text().notNull().unique(),
})

/** Principals. `text` is null once it was erased. */
export const subject = sqliteTable("subject", {
  id: integer().primaryKey(),
  text: text().unique(),
})

/** Every policy ever loaded: its files by path, as JSON. */
export const policy = sqliteTable("policy", {
  digest: text().primaryKey(),
  files: text().notNull(),
  loadedAt: integer("loaded_at").notNull(),
})

/** One row: the policy in force for every replica. */
export const policyInForce = sqliteTable(
  "policy_in_force",
  {
    id: integer().primaryKey(),
    digest: text()
      .notNull()
      .references(() => policy.digest),
    since: integer().notNull(),
  },
  (table) => [check("policy_in_force_one", sql`${table.id} = 1`)],
)

export const task = sqliteTable(
  "task",
  {
    id: integer().primaryKey(),
    taskId: text("task_id").notNull().unique(),
    /** → name */
    type: integer().notNull(),
    /** → name */
    agent: integer().notNull(),
    /** → name */
    instance: integer().notNull(),
    /** → name */
    orchestrator: integer().notNull(),
    subject: integer()
      .notNull()
      .references(() => subject.id),
    state: text().notNull(),
    startedAt: integer("started_at").notNull(),
    deadline: integer().notNull(),
    endedAt: integer("ended_at"),
    reference: text(),
    requestDigest: text("request_digest").notNull(),
    policy: text().notNull(),
    authority: text().notNull(),
    purpose: text(),
    inputs: text(),
    jkt: text(),
    /** The key of the task's commitments; null once erased. */
    key: blob({ mode: "buffer" }),
    /** Epoch seconds: no token of this task is dated below it. */
    iatFloor: integer("iat_floor").notNull().default(0),
    /** Of a task for a user: by which rule of the policy, and what of it was shown, as JSON. */
    behalf: text(),
    /** Epoch seconds: when tokens of the start would have run out, where its agent collects them instead; else null. */
    collectBy: integer("collect_by"),
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

export const token = sqliteTable(
  "token",
  {
    id: integer().primaryKey(),
    jti: text().notNull().unique(),
    task: integer()
      .notNull()
      .references(() => task.id),
    /** → name */
    api: integer().notNull(),
    /** Epoch seconds. */
    iat: integer().notNull(),
    /** Epoch seconds. */
    exp: integer().notNull(),
    /** → name */
    kid: integer().notNull(),
    /** The exact payload that was signed, so that the same request is answered with the same claims. */
    claims: text(),
    generation: integer().notNull(),
    endedAt: integer("ended_at"),
    /** → delegation; null: the task's own agent holds it. */
    delegation: integer(),
  },
  (table) => [
    index("token_task").on(table.task, table.exp),
    index("token_exp").on(table.exp),
    index("token_delegation").on(table.delegation).where(sql`${table.delegation} is not null`),
  ],
)

/** What verifiers are told: one row for each API that a revocation concerns. */
export const feed = sqliteTable(
  "feed",
  {
    cursor: integer().primaryKey({ autoIncrement: true }),
    kind: text().notNull(),
    value: text().notNull(),
    /** Epoch seconds: tokens with `iat` up to it have ended. */
    before: integer().notNull(),
    /** Epoch seconds: when the last of those tokens runs out by itself. */
    until: integer().notNull(),
    /** → name */
    api: integer().notNull(),
    code: text().notNull(),
    revocation: text(),
    /** Of a key: the thumbprint of the one that signs instead. */
    successor: text(),
  },
  (table) => [
    index("feed_api").on(table.api, table.cursor),
    index("feed_revocation").on(table.revocation).where(sql`${table.revocation} is not null`),
  ],
)

export const revocation = sqliteTable("revocation", {
  id: text().primaryKey(),
  kind: text().notNull(),
  value: text().notNull(),
  before: integer().notNull(),
  until: integer(),
  reason: text(),
  setBy: text("set_by").notNull(),
  at: integer().notNull(),
  tokens: integer().notNull(),
  liftedAt: integer("lifted_at"),
})

export const lock = sqliteTable(
  "lock",
  {
    kind: text().notNull(),
    value: text().notNull(),
    until: integer(),
    revocation: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.value, table.revocation] })],
)

/** When a verifier instance applied a revocation: written once, with the first report that has its cursor. */
export const applied = sqliteTable(
  "applied",
  {
    revocation: text()
      .notNull()
      .references(() => revocation.id),
    instance: integer()
      .notNull()
      .references(() => verifierInstance.id),
    at: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.revocation, table.instance] })],
)

/** What may be used once: digests of assertion ids and proofs, until they would be refused for their age anyway. */
export const spent = sqliteTable(
  "spent",
  {
    digest: blob({ mode: "buffer" }).primaryKey(),
    until: integer().notNull(),
  },
  (table) => [index("spent_until").on(table.until)],
)

export const taskCount = sqliteTable("task_count", {
  /** → name */
  type: integer().primaryKey(),
  active: integer().notNull(),
})

export const startMinute = sqliteTable(
  "start_minute",
  {
    /** → name */
    type: integer().notNull(),
    /** Minutes since the epoch. */
    minute: integer().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.type, table.minute] })],
)

export const clientHour = sqliteTable(
  "client_hour",
  {
    /** → name */
    client: integer().notNull(),
    /** Hours since the epoch. */
    hour: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.client, table.hour] })],
)

export const setting = sqliteTable("setting", {
  key: text().primaryKey(),
  value: text().notNull(),
})

/** The searchable side of an entry: integers, so that looking for something reads little. */
export const entry = sqliteTable(
  "entry",
  {
    /** Place in the ledger, from 1; the leaf's index in the Merkle tree is one less. */
    seq: integer().primaryKey(),
    at: integer().notNull(),
    /** → name */
    kind: integer().notNull(),
    task: integer(),
    token: integer(),
    /** → name */
    agent: integer(),
    /** → name */
    instance: integer(),
    /** → name */
    orchestrator: integer(),
    /** → name */
    api: integer(),
    /** → name */
    operation: integer(),
    /** 1 allowed, 0 refused. */
    outcome: integer(),
    /** → name */
    code: integer(),
    subject: integer(),
    resource: text(),
    /** Of an entry without a task; else the task has it. */
    reference: text(),
  },
  (table) => [
    index("entry_task").on(table.task),
    index("entry_agent").on(table.agent),
    index("entry_refused").on(table.seq).where(sql`${table.outcome} = 0`),
  ],
)

/** The committed side of an entry: the bytes whose hash is the leaf, and beside them what they only commit to. */
export const entryBytes = sqliteTable("entry_bytes", {
  seq: integer()
    .primaryKey()
    .references(() => entry.seq),
  /** Canonical JSON (RFC 8785); empty, as the leaf, where both rest in a bundle (log-tables.ts). */
  bytes: blob({ mode: "buffer" }).notNull(),
  leaf: blob({ mode: "buffer" }).notNull(),
  /** JSON of the values that stand as commitments in the bytes and have no column; null where none or erased. */
  personal: text(),
  /** The key of the commitments of an entry without a task; null once erased. */
  key: blob({ mode: "buffer" }),
})
