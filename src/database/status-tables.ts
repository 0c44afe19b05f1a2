// The tables of token status lists, as drizzle sees them on SQLite; the rest is in tables.ts. What the rows mean is decided
// in the task room.
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { token } from "./tables.ts"

/** Token status lists, for verifiers that are not ours. Rows are never deleted: a list's URI stays. */
export const statusList = sqliteTable("status_list", {
  id: text().primaryKey(),
})

/** Which token has which place in a list. The key singles out the holder; a row is taken over when nobody can need it. */
export const statusPlace = sqliteTable(
  "status_place",
  {
    list: text()
      .notNull()
      .references(() => statusList.id),
    idx: integer().notNull(),
    token: integer()
      .notNull()
      .references(() => token.id),
    /** Epoch seconds: the token's. */
    exp: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.list, table.idx] })],
)
