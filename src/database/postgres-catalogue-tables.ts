// The table of what verifier instances say they serve as PostgreSQL has it; what it means is said in catalogue-tables.ts.
import { bigint, pgTable, text } from "drizzle-orm/pg-core"
import { verifierInstance } from "./postgres-verifier-tables.ts"

const number = { mode: "number" } as const

export const declaration = pgTable("declaration", {
  instance: bigint(number)
    .primaryKey()
    .references(() => verifierInstance.id),
  operations: text().notNull(),
  declaredAt: bigint("declared_at", number).notNull(),
})
