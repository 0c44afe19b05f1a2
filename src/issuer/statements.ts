// Every statement of this room, once: what may be used a single time, which hours a caller was seen in, who is locked out,
// and whether the database can be written to.

import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"

const p = sql.placeholder

/** The unique key is the verdict: of two that spend the same digest, one commits. */
export const spend = statement(
  "spend",
  sql`INSERT INTO spent (digest, until) VALUES (${p("digest")}, ${p("until")})`,
)

/** A batch at a time: a writer is never held for long. */
export const pruneSpent = statement(
  "pruneSpent",
  sql`DELETE FROM spent WHERE digest IN (SELECT digest FROM spent WHERE until < ${p("now")} LIMIT 5000)`,
)

export const insertClientHour = statement(
  "insertClientHour",
  sql`INSERT INTO client_hour (client, hour) VALUES (${nameId("client")}, ${p("hour")})`,
)

export const pruneClientHours = statement(
  "pruneClientHours",
  sql`DELETE FROM client_hour WHERE hour < ${p("hour")}`,
)

/** Locks that stand against a person. */
export const locksOn = (person: ReturnType<typeof sql>) =>
  sql`SELECT kind FROM "lock" AS l WHERE l.kind = 'subject' AND l.value = ${person}
    AND (l.until IS NULL OR l.until > ${p("now")})`

/** A guard: it finds no row where no lock stands. */
export const locksOnPerson = statement("locksOnPerson", locksOn(sql`${p("person")}`))

/** Changes a row each time, so that a commit reaches the disk: the probe of readiness. */
export const writeProbe = statement(
  "writeProbe",
  sql`INSERT INTO setting (key, value) VALUES ('probe', ${p("value")})
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
)
