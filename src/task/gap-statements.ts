// All SQL of gaps: batches of verifier instances that were not taken in, until they come or an operator writes them off.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import type { Gap } from "./chain.ts"

const p = sql.placeholder

export interface GapRow extends Gap {
  readonly id: number
  readonly instance: string
  readonly told_at: number
  readonly written_off_at: number | null
}

const instanceId = sql`(SELECT id FROM verifier_instance WHERE instance = ${p("instance")})`
const columns = sql`g.id AS id, v.instance AS instance, g.first AS first, g.last AS last, g.why AS why, g.known AS known,
  g.previous AS previous, g.told_at AS told_at, g.written_off_at AS written_off_at`

export const insertGap = statement(
  "verifier_gap.insert",
  sql`INSERT INTO verifier_gap (instance, first, last, why, known, previous, told_at, written_off_at)
    VALUES (${instanceId}, ${p("first")}, ${p("last")}, ${p("why")}, ${p("known")}, ${p("previous")}, ${p("told_at")},
      ${p("written_off_at")})`,
)

/** The gap in which a batch of that number is missing. */
export const gapOfNumber = statement<GapRow>(
  "verifier_gap.of_number",
  sql`SELECT ${columns} FROM verifier_gap g JOIN verifier_instance v ON v.id = g.instance
    WHERE v.instance = ${p("instance")} AND g.why = 'missing' AND g.first <= ${p("sequence")}
      AND g.last >= ${p("sequence")}`,
)

/** Unless something of it came meanwhile. */
export const removeGap = statement(
  "verifier_gap.remove",
  sql`DELETE FROM verifier_gap WHERE id = ${p("id")} AND first = ${p("first")} AND last = ${p("last")}`,
)

/** Of the instances with the ids from one to another, the oldest gap first. */
export const gapsBetween = statement<GapRow>(
  "verifier_gap.between",
  sql`SELECT ${columns} FROM verifier_gap g JOIN verifier_instance v ON v.id = g.instance
    WHERE g.instance >= ${p("from")} AND g.instance <= ${p("to")} ORDER BY g.id`,
)

export const openGaps = statement<{ readonly gaps: number }>(
  "verifier_gap.open",
  sql`SELECT count(*) AS gaps FROM verifier_gap WHERE instance = ${instanceId} AND written_off_at IS NULL`,
)

export const writeOffGaps = statement(
  "verifier_gap.write_off",
  sql`UPDATE verifier_gap SET written_off_at = ${p("now")} WHERE instance = ${instanceId} AND written_off_at IS NULL`,
)
