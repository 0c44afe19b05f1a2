// The table of people who are signed in to the console, as drizzle sees it on SQLite; the rest is in tables.ts. Whether a
// session still stands is decided in the issuer's room: by its times, and by the policy in force at each request.
import { blob, index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core"

export const consoleSession = sqliteTable(
  "console_session",
  {
    /** SHA-256 of the session's id, which is in a cookie and nowhere else. */
    digest: blob({ mode: "buffer" }).primaryKey(),
    /** What they are called: `provider/subject`, or the name of staff that a link was for. */
    person: text().notNull(),
    /** Who the provider said they are, as JSON: no more of its claims than rules ask for. Gone with the row. */
    identity: text().notNull(),
    /** Epoch seconds: when they last showed their provider who they are. */
    signedInAt: integer("signed_in_at").notNull(),
    seenAt: integer("seen_at").notNull(),
    /** When it ends, however busy it is. */
    until: integer().notNull(),
  },
  (table) => [
    index("console_session_person").on(table.person),
    index("console_session_until").on(table.until),
  ],
)
