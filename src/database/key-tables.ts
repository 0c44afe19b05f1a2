// The table of signing keys, as drizzle sees it on SQLite; the rest is in tables.ts. What the states mean is decided in the
// keys room.
import { blob, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"

export const signingKey = sqliteTable(
  "signing_key",
  {
    kid: text().primaryKey(),
    alg: text().notNull(),
    /** next, current, previous, retired. */
    state: text().notNull(),
    publicJwk: text("public_jwk").notNull(),
    /** Empty once retired. */
    wrapped: blob({ mode: "buffer" }).notNull(),
    createdAt: integer("created_at").notNull(),
    activatedAt: integer("activated_at"),
    /** When the first use under it was recorded. */
    usedAt: integer("used_at"),
    supersededAt: integer("superseded_at"),
    /** Epoch seconds: when the last that it signed has run out. */
    neededUntil: integer("needed_until"),
    retiredAt: integer("retired_at"),
  },
  // One key signs and one is about to: whoever comes second is refused by the schema.
  (table) => [
    uniqueIndex("signing_key_one").on(table.state).where(sql`${table.state} in ('current', 'next')`),
  ],
)
