// Batches of uses as PostgreSQL has them; what they mean is said in batch-tables.ts.
import { bigint, customType, pgTable, primaryKey, text } from "drizzle-orm/pg-core"
import { verifierInstance } from "./postgres-verifier-tables.ts"

const number = { mode: "number" } as const

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

export const useBatch = pgTable(
  "use_batch",
  {
    instance: bigint(number)
      .notNull()
      .references(() => verifierInstance.id),
    sequence: bigint(number).notNull(),
    digest: text().notNull(),
    entry: bigint(number),
    signed: bytes(),
  },
  (table) => [primaryKey({ columns: [table.instance, table.sequence] })],
)
