// All SQL behind closing statements, once: what is read of one task's entries, always up to a place, so that reads that
// follow each other see the same ledger. Allowed uses are counted by the database, a window at a time; no row of them is
// read.

import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import type { RestingRow } from "../ledger/entry.ts"
import { before } from "../ledger/tree-statements.ts"
import { CANARY_TYPE } from "../token/name.ts"

const p = sql.placeholder

const taskId = sql`(SELECT id FROM task WHERE task_id = ${p("task_id")})`
/** Uses that let a request through: what may come by the hundred thousand. */
const PASSED = sql`(SELECT id FROM name WHERE text IN ('use.allowed', 'use.observed'))`

export interface AccountedTaskRow {
  readonly orchestrator: string
  /** JSON: what was granted at the start, with what a person must agree to. */
  readonly authority: string
  /** Null once erased. */
  readonly key: Uint8Array | null
}

/** None of a canary: there is nothing to account for. */
export const accountedTask = statement<AccountedTaskRow>(
  "account.task",
  sql`SELECT o.text AS orchestrator, t.authority AS authority, t.key AS key
    FROM task t JOIN name o ON o.id = t.orchestrator WHERE t.task_id = ${p("task_id")}
      AND t.type <> coalesce((SELECT id FROM name WHERE text = ${CANARY_TYPE}), 0)`,
)

export interface RangeRow {
  readonly first: number | null
  readonly last: number | null
  readonly entries: number
}

export const rangeOfTask = statement<RangeRow>(
  "account.range",
  sql`SELECT min(seq) AS first, max(seq) AS last, count(*) AS entries FROM entry
    WHERE task = ${taskId} AND seq <= ${p("through")}`,
)

/** Everything that is told of a task but the uses that passed, with values where they are not erased. */
export const storyOfTask = statement<RestingRow>(
  "account.story",
  sql`SELECT e.seq AS seq, b.bytes AS bytes, b.personal AS personal, s.text AS sub, e.resource AS resource,
      coalesce(e.reference, t.reference) AS reference
    FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq JOIN task t ON t.id = e.task LEFT JOIN subject s ON s.id = e.subject
    WHERE e.task = ${taskId} AND e.seq > ${p("after")} AND e.seq <= ${p("through")} AND e.kind NOT IN ${PASSED}
    ORDER BY e.seq LIMIT ${p("limit")}`,
)

export interface UseRow {
  readonly kind: string
  readonly agent: string
  readonly instance: string
  readonly api: string
  readonly operation: string
  /** Null once erased. */
  readonly resource: string | null
  readonly uses: number
  readonly first_at: number
  readonly last_at: number
  /** Place of the last of them. */
  readonly last_seq: number
}

/** The next so many uses that passed, those that are alike in one row, in the order of the first of each. */
export const usesOfTask = statement<UseRow>(
  "account.uses",
  sql`SELECT k.text AS kind, ag.text AS agent, i.text AS instance, a.text AS api, o.text AS operation,
      u.resource AS resource, u.uses AS uses, u.first_at AS first_at, u.last_at AS last_at, u.last_seq AS last_seq
    FROM (SELECT w.kind AS kind, w.agent AS agent, w.instance AS instance, w.api AS api, w.operation AS operation,
        w.resource AS resource, count(*) AS uses, min(w.at) AS first_at, max(w.at) AS last_at,
        min(w.seq) AS first_seq, max(w.seq) AS last_seq
      FROM (SELECT e.seq AS seq, e.at AS at, e.kind AS kind, e.agent AS agent, e.instance AS instance, e.api AS api,
          e.operation AS operation, e.resource AS resource FROM entry e
        WHERE e.task = ${taskId} AND e.seq > ${p("after")} AND e.seq <= ${p("through")} AND e.kind IN ${PASSED}
        ORDER BY e.seq LIMIT ${p("limit")}) w
      GROUP BY w.kind, w.agent, w.instance, w.api, w.operation, w.resource) u
    JOIN name k ON k.id = u.kind JOIN name ag ON ag.id = u.agent JOIN name i ON i.id = u.instance
    JOIN name a ON a.id = u.api JOIN name o ON o.id = u.operation
    ORDER BY u.first_seq`,
)

export interface ReporterRow {
  readonly verifier: string
  readonly api: string
  readonly sequence: number
  readonly last_seen: number
  readonly final: number
  /** 1: it has applied what it was told up to the task's end. */
  readonly applied: number
  /** An operator gave it up, and it was not heard since. */
  readonly written_off_at: number | null
}

/** How far an instance must have come to know what its API was told up to a place of the feed; 0: of nothing. */
const toldBy = (cursor: ReturnType<typeof sql>) => sql`coalesce((SELECT max(f.cursor) FROM feed f
  WHERE f.api = v.api AND f.cursor <= ${cursor}) + coalesce((SELECT feed_from FROM ledger_tree WHERE id = 1), 0), 0)`

/** The instances of the APIs that the task had tokens for, but those that closed before it began. */
export const reportersOfTask = statement<ReporterRow>(
  "account.reporters",
  sql`SELECT v.instance AS verifier, a.text AS api, v.sequence AS sequence, v.last_seen AS last_seen, v.final AS final,
      v.written_off_at AS written_off_at,
      CASE WHEN coalesce(v.cursor, 0) >= ${toldBy(sql`${wholeNumber("cursor")}`)} THEN 1 ELSE 0 END AS applied
    FROM verifier_instance v JOIN name a ON a.id = v.api
    WHERE v.api IN (SELECT k.api FROM token k WHERE k.task = ${taskId})
      AND (v.final = 0 OR v.last_seen >= (SELECT started_at FROM task WHERE task_id = ${p("task_id")}))
    ORDER BY a.text, v.instance LIMIT ${p("limit")}`,
)

export interface MissingRow {
  readonly verifier: string
  readonly api: string
  /** Numbers of batches. */
  readonly first: number
  readonly last: number
  readonly why: "missing" | "chain_differs"
  readonly told_at: number
  readonly written_off_at: number | null
  /** How many rows there are, those beyond the limit, too. */
  readonly total: number
}

/** Batches of those APIs that are not there, and may tell of the task: the batch that showed it came after the task began. */
export const missingOfTask = statement<MissingRow>(
  "account.missing",
  sql`SELECT v.instance AS verifier, a.text AS api, g.first AS first, g.last AS last, g.why AS why, g.told_at AS told_at,
      g.written_off_at AS written_off_at, count(*) OVER () AS total
    FROM verifier_gap g JOIN verifier_instance v ON v.id = g.instance JOIN name a ON a.id = v.api
    WHERE v.api IN (SELECT k.api FROM token k WHERE k.task = ${taskId})
      AND g.told_at >= (SELECT started_at FROM task WHERE task_id = ${p("task_id")})
    ORDER BY a.text, v.instance, g.first LIMIT ${p("limit")}`,
)

/** Place of the last entry under the newest checkpoint, and the checkpoint. */
export const signedThrough = statement<{ readonly through: number; readonly note: string }>(
  "account.signed_through",
  sql`SELECT c.size AS through, c.note AS note FROM ledger_checkpoint c WHERE c.size > ${before}
    ORDER BY c.size DESC LIMIT 1`,
)

/** Of the log that there is now. */
export const sizeOfLog = statement<{ readonly size: number }>(
  "account.size_of_log",
  sql`SELECT coalesce(max(seq), 0) - ${before} AS size FROM entry`,
)

export interface KeptRow {
  readonly number: number
  readonly at: number
  readonly through: number
  readonly digest: string
  readonly jws: string
}

export const newestStatement = statement<KeptRow>(
  "statement.newest",
  sql`SELECT number, at, through, digest, jws FROM task_statement WHERE task = ${taskId} ORDER BY number DESC LIMIT 1`,
)

/** The primary key is the verdict: of two issuers that close the same task, one does. */
export const insertStatement = statement(
  "statement.insert",
  sql`INSERT INTO task_statement (task, number, at, through, digest, jws)
    VALUES (${taskId}, ${p("number")}, ${p("at")}, ${p("through")}, ${p("digest")}, ${p("jws")})`,
)

export interface DueRow {
  readonly id: number
  readonly task_id: string
  readonly since: number
  readonly cursor: number
  readonly late: number
  /** 1: some instance of its APIs has not reported past its end. */
  readonly awaited: number
}

/** Whose statement is owed, by their rows' numbers. */
export const dueStatements = statement<DueRow>(
  "statement.due",
  sql`SELECT d.task AS id, t.task_id AS task_id, d.since AS since, d.cursor AS cursor, d.late AS late,
      CASE WHEN EXISTS (SELECT 1 FROM verifier_instance v
        WHERE v.api IN (SELECT k.api FROM token k WHERE k.task = d.task) AND v.final = 0
          AND (v.last_seen <= d.since + ${wholeNumber("margin")} OR coalesce(v.cursor, 0) < ${toldBy(sql`d.cursor`)}))
        THEN 1 ELSE 0 END AS awaited
    FROM statement_due d JOIN task t ON t.id = d.task
    WHERE d.task > ${p("after")} ORDER BY d.task LIMIT ${p("limit")}`,
)

export const dueOfTask = statement<{ readonly cursor: number }>(
  "statement.due_of_task",
  sql`SELECT cursor FROM statement_due WHERE task = ${taskId}`,
)

export const forgetDue = statement(
  "statement.forget_due",
  sql`DELETE FROM statement_due WHERE task = ${taskId}`,
)

const PLACE = sql`'statements_read_to'`

export const readClosingPlace = statement<{ readonly value: string }>(
  "statement_place.read",
  sql`SELECT value FROM setting WHERE key = ${PLACE}`,
)

export const beginClosingPlace = statement(
  "statement_place.begin",
  sql`INSERT INTO setting (key, value) VALUES (${PLACE}, '0') ON CONFLICT (key) DO NOTHING`,
)

/** The guard of every window: nobody else has read on from there. */
export const moveClosingPlace = statement(
  "statement_place.move",
  sql`UPDATE setting SET value = ${p("to")} WHERE key = ${PLACE} AND value = ${p("from")}`,
)

/** Of the tasks that ended between two places. */
export const owe = statement(
  "statement.owe",
  sql`INSERT INTO statement_due (task, since, cursor, late)
    SELECT t.id, t.ended_at, coalesce((SELECT max(cursor) FROM feed), 0), 0 FROM task t
    WHERE t.ended_at IS NOT NULL AND t.id IN (SELECT e.task FROM entry e WHERE e.seq > ${p("after")}
      AND e.seq <= ${p("up_to")} AND e.kind IN (SELECT id FROM name WHERE text IN
        ('task.completed', 'task.failed', 'task.canceled', 'task.expired', 'task.revoked')))
    ON CONFLICT (task) DO NOTHING`,
)

/**
 * Gaps told of between two places; and before them, where the tasks that were closed between the two places were read up to
 * before the gap was told of.
 */
export const toldGaps = statement<{
  readonly seq: number
  readonly bytes: Uint8Array | null
  readonly at: number
  readonly api: number
}>(
  "statement.told_gaps",
  sql`SELECT e.seq AS seq, b.bytes AS bytes, e.at AS at, e.api AS api
    FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq
    WHERE e.kind = (SELECT id FROM name WHERE text = 'verifier.gap') AND e.api IS NOT NULL AND e.seq <= ${p("up_to")}
      AND e.seq > coalesce((SELECT min(s.through) FROM task_statement s
        WHERE s.number = (SELECT max(n.number) FROM task_statement n WHERE n.task = s.task) AND s.task IN
          (SELECT c.task FROM entry c WHERE c.seq > ${p("after")} AND c.seq <= ${p("up_to")}
            AND c.kind = (SELECT id FROM name WHERE text = 'task.closed'))
        AND s.through < ${wholeNumber("after")}), ${wholeNumber("after")})
    ORDER BY e.seq`,
)

/**
 * Of the tasks whose final statement was read before a gap was told of, those with tokens for its API that ran when what is
 * missing may have been used: they began before the gap was told of and ended after `ended`. `oldest`: no such task's id is below.
 */
export const oweAfterGap = statement(
  "statement.owe_after_gap",
  sql`INSERT INTO statement_due (task, since, cursor, late)
    SELECT t.id, ${wholeNumber("now")}, 0, 1 FROM task t
    WHERE t.task_id >= ${p("oldest")} AND t.ended_at >= ${p("ended")} AND t.started_at <= ${p("told")}
      AND (SELECT max(s.through) FROM task_statement s WHERE s.task = t.id) < ${p("seq")}
      AND EXISTS (SELECT 1 FROM token k WHERE k.task = t.id AND k.api = ${p("api")})
    ON CONFLICT (task) DO NOTHING`,
)

/**
 * Of the tasks told of between two places that have uses which no final statement covers. A use can be read past before the
 * statement that lacks it is committed: the entry of that statement, which comes after both, makes the task be looked at again.
 */
export const oweSuccessors = statement(
  "statement.owe_successors",
  sql`INSERT INTO statement_due (task, since, cursor, late)
    SELECT s.task, ${wholeNumber("now")}, 0, 1
    FROM (SELECT task, max(through) AS through FROM task_statement WHERE task IN
        (SELECT e.task FROM entry e WHERE e.seq > ${p("after")} AND e.seq <= ${p("up_to")}) GROUP BY task) s
    WHERE EXISTS (SELECT 1 FROM entry e WHERE e.task = s.task AND e.seq > s.through AND e.seq <= ${p("up_to")}
      AND e.kind IN (SELECT id FROM name WHERE text IN ('use.allowed', 'use.observed', 'use.refused')))
    ON CONFLICT (task) DO NOTHING`,
)
