// The tables of what was granted against what was used, and of how much happened when, as drizzle sees them on SQLite. They
// are made of entries after the fact, by the audit room, and could be made of them again at any time.
import { check, index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"

/** One row: up to which entry the others have come. */
export const rollupPlace = sqliteTable(
  "rollup_place",
  {
    id: integer().primaryKey(),
    seq: integer().notNull(),
  },
  (table) => [check("rollup_place_one", sql`${table.id} = 1`)],
)

export const rollupDay = sqliteTable("rollup_day", {
  /** Whole days since 1970, UTC. */
  day: integer().primaryKey(),
  /** Of all kinds. */
  entries: integer().notNull(),
})

export const rollupPrivilege = sqliteTable(
  "rollup_privilege",
  {
    day: integer().notNull(),
    /** → name */
    type: integer().notNull(),
    /** → name: the holder's, so of a delegation the sub-agent */
    agent: integer().notNull(),
    /** → name */
    api: integer().notNull(),
    /** → name */
    operation: integer().notNull(),
    /** → name; 0: none of the token's rules grants it. */
    rule: integer().notNull(),
    /** Tasks that were given it that day. */
    granted: integer().notNull(),
    used: integer().notNull(),
    refused: integer().notNull(),
    lastUsed: integer("last_used"),
  },
  (table) => [
    primaryKey({ columns: [table.day, table.type, table.agent, table.api, table.operation, table.rule] }),
    index("rollup_privilege_agent").on(table.agent, table.day),
  ],
)

/** What agents did, hour by hour. */
export const rollupHour = sqliteTable(
  "rollup_hour",
  {
    /** Whole hours since 1970, UTC. */
    hour: integer().notNull(),
    /** → name: the holder's; 0: the entries name none. */
    agent: integer().notNull(),
    starts: integer().notNull(),
    /** Let through. */
    uses: integer().notNull(),
    /** Of starts, tokens and uses. */
    refusals: integer().notNull(),
    /** When the last of its entries was, and where it stands. */
    lastAt: integer("last_at").notNull(),
    lastSeq: integer("last_seq").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.hour, table.agent] }),
    index("rollup_hour_agent").on(table.agent, table.hour),
  ],
)

/** What was heard of APIs, day by day. */
export const rollupApi = sqliteTable(
  "rollup_api",
  {
    day: integer().notNull(),
    /** → name */
    api: integer().notNull(),
    allowed: integer().notNull(),
    /** Let through by a verifier that only observes. */
    observed: integer().notNull(),
    refused: integer().notNull(),
    introspected: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.api] })],
)

/** What began and what was over, hour by hour, of that which stands for a while: how much stood is told from now backwards. */
export const rollupStanding = sqliteTable(
  "rollup_standing",
  {
    /** Whole hours since 1970, UTC. */
    hour: integer().notNull(),
    /** What it is: audit/standing-count.ts has the names. */
    what: text().notNull(),
    began: integer().notNull(),
    ended: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour, table.what] })],
)
