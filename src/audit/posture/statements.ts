// All SQL behind the report of posture, once (what lives: living-statements.ts). What was given, used and heard is read from
// the roll-ups: no entry is read.
import { statement } from "../../database/database.ts"
import { sql, wholeNumber } from "../../database/drizzle.ts"
import { CANARY_TYPE } from "../../token/name.ts"

const p = sql.placeholder
const total = (column: string) => sql`CAST(sum(u.${sql.raw(column)}) AS bigint)`

/** The first day of which anything is counted; null: nothing is. */
export const firstDay = statement<{ readonly day: number | null }>(
  "posture.first_day",
  sql`SELECT min(day) AS day FROM rollup_day`,
)

export interface GivenRow {
  readonly agent: string
  readonly operation: string
  readonly granted: number
  readonly used: number
}

export const givenSince = statement<GivenRow>(
  "posture.given",
  sql`SELECT a.text AS agent, o.text AS operation, g.granted AS granted, g.used AS used
    FROM (SELECT u.agent AS agent, u.operation AS operation, ${total("granted")} AS granted, ${total("used")} AS used
      FROM rollup_privilege u WHERE u.day >= ${p("day")} GROUP BY u.agent, u.operation) g
    JOIN name a ON a.id = g.agent JOIN name o ON o.id = g.operation ORDER BY a.text, o.text`,
)

export interface StartedRow {
  readonly type: string
  readonly operation: string
  readonly granted: number
}

export const startedSince = statement<StartedRow>(
  "posture.started",
  sql`SELECT ty.text AS type, o.text AS operation, g.granted AS granted
    FROM (SELECT u.type AS type, u.operation AS operation, ${total("granted")} AS granted
      FROM rollup_privilege u WHERE u.day >= ${p("day")} GROUP BY u.type, u.operation) g
    JOIN name ty ON ty.id = g.type JOIN name o ON o.id = g.operation`,
)

export interface HeardRow {
  readonly api: string
  readonly allowed: number
  readonly observed: number
  readonly refused: number
  readonly introspected: number
}

export const heardSince = statement<HeardRow>(
  "posture.heard",
  sql`SELECT a.text AS api, g.allowed AS allowed, g.observed AS observed, g.refused AS refused,
      g.introspected AS introspected
    FROM (SELECT u.api AS api, ${total("allowed")} AS allowed, ${total("observed")} AS observed,
        ${total("refused")} AS refused, ${total("introspected")} AS introspected
      FROM rollup_api u WHERE u.day >= ${p("day")} GROUP BY u.api) g
    JOIN name a ON a.id = g.api ORDER BY a.text`,
)

export interface AskedRow {
  readonly type: string
  readonly operation: string
  readonly asked: number
  /** Those that a person agreed to. */
  readonly granted: number
}

/** Of the newest so many questions, those since then. */
export const askedSince = statement<AskedRow>(
  "posture.asked",
  sql`SELECT ty.text AS type, o.text AS operation, g.asked AS asked, g.granted AS granted
    FROM (SELECT t.type AS type, a.operation AS operation, count(*) AS asked,
        CAST(sum(CASE WHEN a.decided_at IS NOT NULL AND a.state <> 'denied' THEN 1 ELSE 0 END) AS bigint) AS granted
      FROM approval a JOIN task t ON t.id = a.task
      WHERE a.id > (SELECT coalesce(max(id), 0) FROM approval) - ${wholeNumber("most")} AND a.requested_at >= ${p("since")}
      GROUP BY t.type, a.operation) g
    JOIN name ty ON ty.id = g.type JOIN name o ON o.id = g.operation`,
)

export interface CanaryRow {
  readonly kid: string
  readonly count: number
}

/** Of one who mints canaries, by key; those of drills, which live when they are minted, are left out. By the index of orchestrators. */
export const canariesOf = statement<CanaryRow>(
  "posture.canaries",
  sql`SELECT s.text AS kid, g.count AS count
    FROM (SELECT k.kid AS kid, count(*) AS count FROM task t JOIN token k ON k.task = t.id
      WHERE t.orchestrator = (SELECT id FROM name WHERE text = ${p("by")})
        AND t.type = (SELECT id FROM name WHERE text = ${CANARY_TYPE}) AND k.exp * 1000 < t.started_at
      GROUP BY k.kid) g
    JOIN name s ON s.id = g.kid`,
)

/** Names in policies for which nothing is minted. */
export const lockedNames = statement<{
  readonly kind: string
  readonly value: string
  readonly revocation: string
}>(
  "posture.locks",
  sql`SELECT kind, value, revocation FROM "lock" WHERE kind IN ('agent', 'orchestrator', 'api')
    AND (until IS NULL OR until > ${p("now")}) ORDER BY kind, value, revocation`,
)

export const ledgerKeyAges = statement<{
  readonly vkey: string
  readonly state: string
  readonly created_at: number
}>(
  "posture.ledger_keys",
  sql`SELECT vkey, state, created_at FROM ledger_key WHERE state <> 'retired' ORDER BY created_at DESC, state`,
)
