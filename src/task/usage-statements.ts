// All SQL about what agents have done lately, as the ledger has it.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"

const p = sql.placeholder

export interface MinuteRow {
  readonly kind: string
  /** Minutes since the epoch. */
  readonly minute: number
  readonly entries: number
}

/** An agent's entries after one place and up to another, by kind and minute: the newest of them, at most so many. */
export const entriesOfAgent = statement<MinuteRow>(
  "usage.of_agent",
  sql`SELECT k.text AS kind, g.minute AS minute, g.entries AS entries FROM (
      SELECT kind, at / 60000 AS minute, count(*) AS entries FROM (
        SELECT kind, at FROM entry WHERE agent = ${nameId("agent")} AND seq > ${p("after")} AND seq <= ${p("upTo")}
        ORDER BY seq DESC LIMIT ${p("most")}) AS newest
      WHERE at >= ${p("since")} GROUP BY kind, at / 60000) AS g JOIN name k ON k.id = g.kind`,
)

export const newestEntry = statement<{ readonly seq: number }>(
  "usage.newest_entry",
  sql`SELECT coalesce(max(seq), 0) AS seq FROM entry`,
)
