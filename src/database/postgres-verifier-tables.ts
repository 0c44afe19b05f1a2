// The tables of verifier instances as PostgreSQL has them, column for column as SQLite's (verifier-tables.ts says what they mean).
import { bigint, index, pgTable, text } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"

const number = { mode: "number" } as const

export const verifierInstance = pgTable(
  "verifier_instance",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    instance: text().notNull().unique(),
    api: bigint(number).notNull(),
    jkt: text().notNull(),
    publicJwk: text("public_jwk").notNull(),
    sequence: bigint(number).notNull(),
    digest: text(),
    cursor: bigint(number),
    appliedAt: bigint("applied_at", number),
    lastSeen: bigint("last_seen", number).notNull(),
    final: bigint(number).notNull().default(0),
    joinedAt: bigint("joined_at", number),
    drift: bigint(number),
    driftedSince: bigint("drifted_since", number),
    writtenOffAt: bigint("written_off_at", number),
  },
  (table) => [
    index("verifier_instance_open").on(table.lastSeen).where(sql`${table.final} = 0`),
    index("verifier_instance_drifted").on(table.id).where(sql`${table.driftedSince} is not null`),
  ],
)

export const verifierGap = pgTable(
  "verifier_gap",
  {
    id: bigint(number).primaryKey().generatedByDefaultAsIdentity(),
    instance: bigint(number)
      .notNull()
      .references(() => verifierInstance.id),
    first: bigint(number).notNull(),
    last: bigint(number).notNull(),
    why: text().notNull(),
    known: text(),
    previous: text(),
    toldAt: bigint("told_at", number).notNull(),
    writtenOffAt: bigint("written_off_at", number),
  },
  (table) => [
    index("verifier_gap_instance").on(table.instance),
    index("verifier_gap_open").on(table.instance).where(sql`${table.writtenOffAt} is null`),
  ],
)
