// The tables of token status lists as PostgreSQL has them; what they mean is said in status-tables.ts.
import { bigint, index, pgTable, primaryKey, text } from "drizzle-orm/pg-core"
import { sql } from "./drizzle.ts"
import { token } from "./postgres-tables.ts"

const number = { mode: "number" } as const

export const statusList = pgTable("status_list", {
  id: text().primaryKey(),
})
export const statusPlace = pgTable(
  "status_place",
  {
    list: text()
      .notNull()
      .references(() => statusList.id),
    idx: bigint(number).notNull(),
    token: bigint(number)
      .notNull()
      .unique()
      .references(() => token.id),
    exp: bigint(number).notNull(),
    status: bigint(number).notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.list, table.idx] }),
    index("status_place_told")
      .on(table.list, table.exp, table.idx, table.status)
      .where(sql`${table.status} <> 0`),
  ],
)
