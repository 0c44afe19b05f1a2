// Batches of uses that were taken in, as drizzle sees them on SQLite. What the rows mean is decided in the task room.
import { blob, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { verifierInstance } from "./verifier-tables.ts"

export const useBatch = sqliteTable(
  "use_batch",
  {
    instance: integer()
      .notNull()
      .references(() => verifierInstance.id),
    sequence: integer().notNull(),
    digest: text().notNull(),
    /** Place of the entry that tells of it. */
    entry: integer(),
    /** What was signed, packed; its signature stands in the entry. Null: of before it was kept. */
    signed: blob({ mode: "buffer" }),
  },
  (table) => [primaryKey({ columns: [table.instance, table.sequence] })],
)
