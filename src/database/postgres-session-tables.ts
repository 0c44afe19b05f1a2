// The table of people who are signed in to the console as PostgreSQL has it, column for column as SQLite's
// (session-tables.ts says what it means).
import { bigint, customType, index, pgTable, text } from "drizzle-orm/pg-core"

const number = { mode: "number" } as const
const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" })

export const consoleSession = pgTable(
  "console_session",
  {
    digest: bytes().primaryKey(),
    person: text().notNull(),
    identity: text().notNull(),
    signedInAt: bigint("signed_in_at", number).notNull(),
    seenAt: bigint("seen_at", number).notNull(),
    until: bigint(number).notNull(),
  },
  (table) => [
    index("console_session_person").on(table.person),
    index("console_session_until").on(table.until),
  ],
)
