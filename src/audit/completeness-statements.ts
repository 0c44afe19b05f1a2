// All SQL of reports that are not whole: verifier instances with a gap, and those whose clock is off.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

export interface IncompleteRow {
  readonly instance: string
  readonly api: string
  readonly sequence: number
  readonly since: number
  /** Batches that are missing. */
  readonly missing: number
}

const noAlarm = (kind: string) => sql`NOT EXISTS (SELECT 1 FROM alarm l
  WHERE l.kind = ${sql.raw(`'${kind}'`)} AND l.value = v.instance)`

/** Instances with a gap that nobody wrote off, those with an alarm left out. */
export const incompleteVerifiers = statement<IncompleteRow>(
  "audit.incomplete_verifiers",
  sql`SELECT v.instance AS instance, a.text AS api, v.sequence AS sequence, g.since AS since, g.missing AS missing
    FROM (SELECT instance, min(told_at) AS since, CAST(sum(last - first + 1) AS bigint) AS missing
      FROM verifier_gap WHERE written_off_at IS NULL GROUP BY instance) g
    JOIN verifier_instance v ON v.id = g.instance JOIN name a ON a.id = v.api
    WHERE ${noAlarm("verifier_gap")} ORDER BY v.id LIMIT ${p("limit")}`,
)

/** A guard: something is missing and not written off. */
export const verifierStillIncomplete = statement(
  "audit.verifier_still_incomplete",
  sql`SELECT id FROM verifier_instance WHERE instance = ${p("instance")} AND EXISTS (SELECT 1 FROM verifier_gap g
    WHERE g.instance = verifier_instance.id AND g.written_off_at IS NULL)`,
)

export interface DriftedRow {
  readonly instance: string
  readonly api: string
  readonly drift: number | null
  readonly since: number
}

/** Instances whose clock is off, those with an alarm left out. */
export const driftedVerifiers = statement<DriftedRow>(
  "audit.drifted_verifiers",
  sql`SELECT v.instance AS instance, a.text AS api, v.drift AS drift, v.drifted_since AS since
    FROM verifier_instance v JOIN name a ON a.id = v.api
    WHERE v.drifted_since IS NOT NULL AND v.final = 0 AND ${noAlarm("verifier_drifted")}
    ORDER BY v.id LIMIT ${p("limit")}`,
)

/** A guard: it has been off since then. */
export const verifierStillDrifted = statement(
  "audit.verifier_still_drifted",
  sql`SELECT id FROM verifier_instance WHERE instance = ${p("instance")} AND final = 0
    AND drifted_since = ${p("since")}`,
)

/** Of the instances that have not ended. */
export const worstDrift = statement<{ readonly drift: number | null }>(
  "audit.worst_drift",
  sql`SELECT max(CASE WHEN drift < 0 THEN -drift ELSE drift END) AS drift FROM verifier_instance WHERE final = 0`,
)
