// The tables that are made of entries after the fact as PostgreSQL has them, column for column as SQLite's (rollup-tables.ts
// says what they mean).
import { bigint, check, index, pgTable, primaryKey, text } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"

const number = { mode: "number" } as const

export const rollupPlace = pgTable(
  "rollup_place",
  {
    id: bigint(number).primaryKey(),
    seq: bigint(number).notNull(),
  },
  (table) => [check("rollup_place_one", sql`${table.id} = 1`)],
)

export const rollupDay = pgTable("rollup_day", {
  day: bigint(number).primaryKey(),
  entries: bigint(number).notNull(),
})

export const rollupPrivilege = pgTable(
  "rollup_privilege",
  {
    day: bigint(number).notNull(),
    type: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    api: bigint(number).notNull(),
    operation: bigint(number).notNull(),
    rule: bigint(number).notNull(),
    granted: bigint(number).notNull(),
    used: bigint(number).notNull(),
    refused: bigint(number).notNull(),
    lastUsed: bigint("last_used", number),
  },
  (table) => [
    primaryKey({ columns: [table.day, table.type, table.agent, table.api, table.operation, table.rule] }),
    index("rollup_privilege_agent").on(table.agent, table.day),
  ],
)

export const rollupHour = pgTable(
  "rollup_hour",
  {
    hour: bigint(number).notNull(),
    agent: bigint(number).notNull(),
    starts: bigint(number).notNull(),
    uses: bigint(number).notNull(),
    refusals: bigint(number).notNull(),
    lastAt: bigint("last_at", number).notNull(),
    lastSeq: bigint("last_seq", number).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.hour, table.agent] }),
    index("rollup_hour_agent").on(table.agent, table.hour),
  ],
)

export const rollupApi = pgTable(
  "rollup_api",
  {
    day: bigint(number).notNull(),
    api: bigint(number).notNull(),
    allowed: bigint(number).notNull(),
    observed: bigint(number).notNull(),
    refused: bigint(number).notNull(),
    introspected: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.api] })],
)

export const rollupStanding = pgTable(
  "rollup_standing",
  {
    hour: bigint(number).notNull(),
    what: text().notNull(),
    began: bigint(number).notNull(),
    ended: bigint(number).notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour, table.what] })],
)
