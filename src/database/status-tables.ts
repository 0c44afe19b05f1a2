// The tables of token status lists, as drizzle sees them on SQLite; the rest is in tables.ts. What the rows mean is decided
// in the task room.
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { sql } from "./drizzle.ts"
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
      .unique()
      .references(() => token.id),
    /** Epoch seconds: the token's. */
    exp: integer().notNull(),
    /** As lists tell it: 0 valid, 1 invalid, 2 suspended. */
    status: integer().notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.list, table.idx] }),
    // All that a list is made of, so that making one reads nothing else.
    index("status_place_told")
      .on(table.list, table.exp, table.idx, table.status)
      .where(sql`${table.status} <> 0`),
  ],
)
