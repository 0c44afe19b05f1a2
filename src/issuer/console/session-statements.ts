// The statements of sessions at the console.
import { statement } from "../../database/database.ts"
import { sql } from "../../database/drizzle.ts"
import { locksOn } from "../statements.ts"

const p = sql.placeholder

export interface SessionRow {
  readonly person: string
  readonly identity: string
  readonly signed_in_at: number
  readonly seen_at: number
  readonly until: number
}

export const insertSession = statement(
  "insertSession",
  sql`INSERT INTO console_session (digest, person, identity, signed_in_at, seen_at, until)
    VALUES (${p("digest")}, ${p("person")}, ${p("identity")}, ${p("signed_in_at")}, ${p("now")}, ${p("until")})`,
)

/** None where a lock stands against the person. */
export const sessionByDigest = statement<SessionRow>(
  "sessionByDigest",
  sql`SELECT person, identity, signed_in_at, seen_at, until FROM console_session AS s WHERE digest = ${p("digest")}
    AND NOT EXISTS (${locksOn(sql`s.person`)})`,
)

/** Never back in time: of two requests at once the later one counts. */
export const seeSession = statement(
  "seeSession",
  sql`UPDATE console_session SET seen_at = ${p("now")} WHERE digest = ${p("digest")} AND seen_at < ${p("now")}`,
)

export const deleteSession = statement(
  "deleteSession",
  sql`DELETE FROM console_session WHERE digest = ${p("digest")}`,
)

/** Leaves so many of a person, none at 0: those that were seen longest ago go. */
export const deleteSurplus = statement(
  "deleteSurplus",
  sql`DELETE FROM console_session WHERE person = ${p("person")} AND digest NOT IN
    (SELECT digest FROM console_session WHERE person = ${p("person")} ORDER BY seen_at DESC, digest LIMIT ${p("kept")})`,
)

/** A batch at a time: a writer is never held for long. */
export const pruneSessions = statement(
  "pruneSessions",
  sql`DELETE FROM console_session WHERE digest IN
    (SELECT digest FROM console_session WHERE until <= ${p("now")} OR seen_at <= ${p("idle")} LIMIT 1000)`,
)
