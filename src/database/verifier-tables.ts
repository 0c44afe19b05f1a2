// The tables of verifier instances and of what they have not told, as drizzle sees them on SQLite; the rest is in tables.ts.
// What opens and closes a gap is decided in the task room, and each step of it stands in the ledger.
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"

export const verifierInstance = sqliteTable(
  "verifier_instance",
  {
    id: integer().primaryKey(),
    instance: text().notNull().unique(),
    /** → name */
    api: integer().notNull(),
    jkt: text().notNull(),
    publicJwk: text("public_jwk").notNull(),
    sequence: integer().notNull(),
    digest: text(),
    cursor: integer(),
    appliedAt: integer("applied_at"),
    lastSeen: integer("last_seen").notNull(),
    final: integer().notNull().default(0),
    joinedAt: integer("joined_at"),
    /** Milliseconds that its clock was ahead of ours, by its last batch; null: that one did not tell. */
    drift: integer(),
    /** Since when that is too much; null: it is not. */
    driftedSince: integer("drifted_since"),
    /** An operator gave it up, and it was not heard since. */
    writtenOffAt: integer("written_off_at"),
  },
  (table) => [
    index("verifier_instance_open").on(table.lastSeen).where(sql`${table.final} = 0`),
    index("verifier_instance_drifted").on(table.id).where(sql`${table.driftedSince} is not null`),
  ],
)

/** One row for each run of batches that never came, or of which the next one names others; none once they have come. */
export const verifierGap = sqliteTable(
  "verifier_gap",
  {
    id: integer().primaryKey(),
    instance: integer()
      .notNull()
      .references(() => verifierInstance.id),
    /** The first number that is missing. */
    first: integer().notNull(),
    /** The last one. */
    last: integer().notNull(),
    /** `missing`, or `chain_differs`: the number was taken in, and the next batch follows another of that number. */
    why: text().notNull(),
    /** Digest of the batch before the first; null: none was taken in. */
    known: text(),
    /** Digest of the last one, as the batch after it says; null: it says that there was none. */
    previous: text(),
    toldAt: integer("told_at").notNull(),
    writtenOffAt: integer("written_off_at"),
  },
  (table) => [
    index("verifier_gap_instance").on(table.instance),
    index("verifier_gap_open").on(table.instance).where(sql`${table.writtenOffAt} is null`),
  ],
)
