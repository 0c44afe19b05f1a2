// All SQL of revocations, locks and the feed that verifiers read. Which tokens a revocation covers is written once, as a
// condition, so that what is counted, what is told and what is ended are the same tokens.

import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"
import type { RevocationItem } from "../token/revocation.ts"
import { delegationsUnder } from "./delegation-statements.ts"
import { atAnApi } from "./statements.ts"

const p = sql.placeholder

/**
 * What verifiers are told as a cursor is this much above the row's own. A feed that began anew after a rollback so has
 * cursors above all that were told before, and tells every verifier everything that still matters.
 */
export const feedFrom = sql`coalesce((SELECT feed_from FROM ledger_tree WHERE id = 1), 0)`

/** Live tokens under a name. `exp` goes first: it bounds the search to what still lives. */
export const covered = sql`k.exp > ${p("now_seconds")} AND k.ended_at IS NULL AND (
    (${p("kind")} = 'token' AND k.jti = ${p("value")})
    OR (${p("kind")} = 'key' AND k.kid = ${nameId("value")})
    OR (${p("kind")} = 'api' AND k.api = ${nameId("value")})
    OR (${p("kind")} IN ('delegation', 'agent', 'instance') AND k.delegation IN (${delegationsUnder}))
    OR (${p("kind")} IN ('task', 'agent', 'instance', 'orchestrator', 'subject') AND k.task IN (
      SELECT t.id FROM task t WHERE (${p("kind")} = 'task' AND t.task_id = ${p("value")})
        OR (${p("kind")} = 'agent' AND t.agent = ${nameId("value")})
        OR (${p("kind")} = 'instance' AND t.agent = ${nameId("agent")} AND t.instance = ${nameId("instance")})
        OR (${p("kind")} = 'orchestrator' AND t.orchestrator = ${nameId("value")})
        OR (${p("kind")} = 'subject' AND t.subject = (SELECT id FROM subject WHERE text = ${p("value")})))))`

/** Counts what it will end. Must run before endCovered. */
export const insertRevocation = statement(
  "revocation.insert",
  sql`INSERT INTO revocation (id, kind, value, before, until, reason, set_by, at, tokens)
    SELECT ${p("id")}, ${p("kind")}, ${p("value")},
      coalesce((SELECT max(k.iat) FROM token k WHERE ${covered} AND k.iat > ${p("before")}), ${p("before")}),
      ${p("until")}, ${p("reason")}, ${p("set_by")}, ${p("at")}, (SELECT count(*) FROM token k WHERE ${covered})`,
)

/** One row for each API at which a covered token lives. Must run before endCovered. */
export const feedCovered = statement(
  "feed.covered",
  sql`INSERT INTO feed (kind, value, before, until, api, code, revocation)
    SELECT ${p("kind")}, ${p("fed_value")}, (SELECT before FROM revocation WHERE id = ${p("id")}), max(k.exp), k.api,
      'token_revoked', ${p("id")}
    FROM token k WHERE ${covered} AND ${atAnApi} GROUP BY k.api`,
)

/** To one API, whatever lives there: of a key, `before` is also when the last such token runs out. */
export const feedKey = statement(
  "feed.key",
  sql`INSERT INTO feed (kind, value, before, until, api, code, revocation, successor)
    VALUES ('key', ${p("kid")}, ${p("before")}, ${p("before")}, ${nameId("api")}, 'token_revoked', ${p("id")},
      ${p("successor")})`,
)

export const endCovered = statement(
  "token.end_covered",
  sql`UPDATE token SET ended_at = ${p("at")} WHERE id IN (SELECT k.id FROM token k WHERE ${covered})`,
)

/** A row for each order: a name is locked while any of its rows stands. */
export const setLock = statement(
  "lock.set",
  sql`INSERT INTO "lock" (kind, value, until, revocation)
    VALUES (${p("kind")}, ${p("value")}, ${p("until")}, ${p("id")})`,
)

export const liftLock = statement("lock.lift", sql`DELETE FROM "lock" WHERE revocation = ${p("id")}`)

export const markLifted = statement(
  "revocation.lifted",
  sql`UPDATE revocation SET lifted_at = ${p("at")} WHERE id = ${p("id")} AND lifted_at IS NULL`,
)

export interface RevocationRow {
  readonly id: string
  readonly kind: string
  readonly value: string
  readonly before: number
  readonly until: number | null
  readonly reason: string | null
  readonly set_by: string
  readonly at: number
  readonly tokens: number
  readonly lifted_at: number | null
}

const revocationColumns = sql`r.id AS id, r.kind AS kind, r.value AS value, r.before AS before, r.until AS until,
  r.reason AS reason, r.set_by AS set_by, r.at AS at, r.tokens AS tokens, r.lifted_at AS lifted_at`

export const revocationById = statement<RevocationRow>(
  "revocation.by_id",
  sql`SELECT ${revocationColumns} FROM revocation r WHERE r.id = ${p("id")}`,
)

/** Newest first, below one. */
export const revocationsPage = statement<RevocationRow>(
  "revocation.page",
  sql`SELECT ${revocationColumns} FROM revocation r WHERE r.id < ${p("before")} ORDER BY r.id DESC LIMIT ${p("limit")}`,
)

/** Locks that stand, newest first. */
export const standingLocks = statement<RevocationRow>(
  "lock.standing",
  sql`SELECT ${revocationColumns} FROM "lock" l JOIN revocation r ON r.id = l.revocation
    WHERE l.until IS NULL OR l.until > ${p("now")} ORDER BY r.at DESC, r.id DESC LIMIT 1000`,
)

export const expiredLocks = statement<RevocationRow>(
  "lock.expired",
  sql`SELECT ${revocationColumns} FROM "lock" l JOIN revocation r ON r.id = l.revocation
    WHERE l.until <= ${p("now")} ORDER BY l.until, r.id LIMIT 100`,
)

/** Open tasks under a name, by the index of those; for an API, those that hold or held a token of it. */
export const openTasksUnder = statement<{ task_id: string }>(
  "task.open_under",
  sql`SELECT t.task_id AS task_id FROM task t WHERE t.state IN ('active', 'paused') AND (
      (${p("kind")} = 'task' AND t.task_id = ${p("value")})
      OR (${p("kind")} = 'agent' AND t.agent = ${nameId("value")})
      OR (${p("kind")} = 'instance' AND t.agent = ${nameId("agent")} AND t.instance = ${nameId("instance")})
      OR (${p("kind")} = 'orchestrator' AND t.orchestrator = ${nameId("value")})
      OR (${p("kind")} = 'subject' AND t.subject = (SELECT id FROM subject WHERE text = ${p("value")}))
      OR (${p("kind")} = 'api' AND EXISTS (SELECT 1 FROM token k WHERE k.task = t.id AND k.api = ${nameId("value")})))
    ORDER BY t.deadline, t.id LIMIT ${p("limit")}`,
)

export interface AppliedRow {
  readonly instance: string
  readonly api: string
  readonly wanted: number
  readonly cursor: number | null
  /** When it reached that cursor. */
  readonly applied_at: number | null
  /** When it applied this revocation; null also for one that first reported with the revocation behind it. */
  readonly at: number | null
  readonly last_seen: number
  readonly final: number
}

/** Every verifier instance of the APIs that were told, and how far each has come. */
export const appliedBy = statement<AppliedRow>(
  "revocation.applied_by",
  sql`SELECT v.instance AS instance, a.text AS api, f.wanted + ${feedFrom} AS wanted, v.cursor AS cursor, v.applied_at AS applied_at,
      d.at AS at, v.last_seen AS last_seen, v.final AS final
    FROM (SELECT api, max(cursor) AS wanted FROM feed WHERE revocation = ${p("id")} GROUP BY api) f
      JOIN verifier_instance v ON v.api = f.api JOIN name a ON a.id = v.api
      LEFT JOIN applied d ON d.instance = v.id AND d.revocation = ${p("id")}
    ORDER BY v.id`,
)

export interface FeedRow extends Omit<RevocationItem, "successor"> {
  readonly successor: string | null
}

export const itemOf = ({ successor, ...item }: FeedRow): RevocationItem =>
  successor === null ? item : { ...item, successor }

/** What still matters to one API after a cursor: items whose last token ran out before that instant are left out. */
export const feedAfter = statement<FeedRow>(
  "feed.after",
  sql`SELECT cursor + ${feedFrom} AS cursor, kind, value, before, until, code, successor FROM feed f
    WHERE api = ${nameId("api")} AND f.cursor > ${p("after")} - ${feedFrom} AND until > ${p("since_seconds")}
    ORDER BY f.cursor LIMIT ${p("limit")}`,
)

export const feedHead = statement<{ cursor: number }>(
  "feed.head",
  sql`SELECT coalesce(max(cursor), 0) + ${feedFrom} AS cursor FROM feed WHERE api = ${nameId("api")}`,
)

/** What was written after a cursor, for every API. */
export const feedSince = statement<FeedRow & { readonly api: string }>(
  "feed.since",
  sql`SELECT f.cursor + ${feedFrom} AS cursor, f.kind AS kind, f.value AS value, f.before AS before, f.until AS until, f.code AS code,
      f.successor AS successor, a.text AS api
    FROM feed f JOIN name a ON a.id = f.api WHERE f.cursor > ${p("after")} - ${feedFrom} ORDER BY f.cursor LIMIT ${p("limit")}`,
)

export const feedEnd = statement<{ cursor: number }>(
  "feed.end",
  sql`SELECT coalesce(max(cursor), 0) + ${feedFrom} AS cursor FROM feed`,
)
