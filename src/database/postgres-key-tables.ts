// The table of signing keys as PostgreSQL has it; what it means is said in key-tables.ts.
import { bigint, customType, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"

const number = { mode: "number" } as const

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

export const signingKey = pgTable(
  "signing_key",
  {
    kid: text().primaryKey(),
    alg: text().notNull(),
    state: text().notNull(),
    publicJwk: text("public_jwk").notNull(),
    wrapped: bytes().notNull(),
    createdAt: bigint("created_at", number).notNull(),
    activatedAt: bigint("activated_at", number),
    usedAt: bigint("used_at", number),
    supersededAt: bigint("superseded_at", number),
    neededUntil: bigint("needed_until", number),
    retiredAt: bigint("retired_at", number),
  },
  (table) => [
    uniqueIndex("signing_key_one").on(table.state).where(sql`${table.state} in ('current', 'next')`),
  ],
)
