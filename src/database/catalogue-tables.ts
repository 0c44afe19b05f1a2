// The table of what verifier instances say they serve, as drizzle sees it on SQLite; the rest is in tables.ts. What is taken is
// decided by the task room (task/declarations.ts); nothing that is decided about a request rests on it.
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core"
import { verifierInstance } from "./verifier-tables.ts"

/** What each said last. */
export const declaration = sqliteTable("declaration", {
  instance: integer()
    .primaryKey()
    .references(() => verifierInstance.id),
  /** Operations in order, each with its resources in order, as JSON. */
  operations: text().notNull(),
  declaredAt: integer("declared_at").notNull(),
})
