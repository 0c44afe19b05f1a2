// All SQL of the audit room, once. What is read every few seconds is found by an index, from where the last look ended:
// tokens by when they ran out, entries and mints by their number, verifier instances by when they were last heard.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"
import { ANOMALY_RULES } from "../policy/anomaly-rules.ts"

const p = sql.placeholder

export interface QuietVerifierRow {
  readonly instance: string
  readonly api: string
  readonly sequence: number
  readonly last_seen: number
}

/** Instances that said nothing since then and have not said their last word, those with an alarm left out. */
export const quietVerifiers = statement<QuietVerifierRow>(
  "audit.quiet_verifiers",
  sql`SELECT v.instance AS instance, a.text AS api, v.sequence AS sequence, v.last_seen AS last_seen
    FROM verifier_instance v JOIN name a ON a.id = v.api
    WHERE v.final = 0 AND v.last_seen < ${p("before")}
      AND NOT EXISTS (SELECT 1 FROM alarm l WHERE l.kind = 'verifier_silent' AND l.value = v.instance)
    ORDER BY v.last_seen, v.id LIMIT ${p("limit")}`,
)

/** A guard: nothing was heard of it since it was read. */
export const verifierStillQuiet = statement(
  "audit.verifier_still_quiet",
  sql`SELECT id FROM verifier_instance WHERE instance = ${p("instance")} AND final = 0 AND last_seen = ${p("last_seen")}`,
)

interface WatchedTaskRow {
  readonly task_id: string
  readonly type: string
  readonly agent: string
  readonly instance: string
  readonly orchestrator: string
}

export interface StalledTaskRow extends WatchedTaskRow {
  /** Epoch seconds: when its last token ran out, or would have. */
  readonly ran_out: number
}

const hasLiveToken = (task: string, after: string) => sql`EXISTS (SELECT 1 FROM token n
  WHERE n.task = ${sql.raw(task)} AND n.exp > ${p(after)} AND n.ended_at IS NULL)`

export const nextToRunOut = statement<{ readonly exp: number | null }>(
  "audit.next_to_run_out",
  sql`SELECT min(exp) AS exp FROM token WHERE exp > ${p("from")}`,
)

/** Active tasks of which a token ran out between those times (epoch seconds) and that have none after it. */
export const stalledTasks = statement<StalledTaskRow>(
  "audit.stalled_tasks",
  sql`SELECT t.task_id AS task_id, ty.text AS type, ag.text AS agent, i.text AS instance, o.text AS orchestrator,
      s.ran_out AS ran_out
    FROM (SELECT k.task AS task, max(k.exp) AS ran_out FROM token k
      WHERE k.exp > ${p("from")} AND k.exp <= ${p("until")} GROUP BY k.task) s
    JOIN task t ON t.id = s.task JOIN name ty ON ty.id = t.type JOIN name ag ON ag.id = t.agent
    JOIN name i ON i.id = t.instance JOIN name o ON o.id = t.orchestrator
    WHERE t.state = 'active' AND NOT ${hasLiveToken("t.id", "until")}
      AND NOT EXISTS (SELECT 1 FROM alarm l WHERE l.kind = 'task_unrenewed' AND l.value = t.task_id)
    ORDER BY s.ran_out, t.id`,
)

/** A guard: the task is active and without a live token. */
export const taskStillStalled = statement(
  "audit.task_still_stalled",
  sql`SELECT id FROM task WHERE task_id = ${p("task")} AND state = 'active' AND NOT ${hasLiveToken("task.id", "now")}`,
)

const hasToken = (task: string) => sql`EXISTS (SELECT 1 FROM token n WHERE n.task = ${sql.raw(task)})`

export const nextToCollect = statement<{ readonly at: number | null }>(
  "audit.next_to_collect",
  sql`SELECT min(collect_by) AS at FROM task WHERE collect_by > ${p("from")}`,
)

export interface UncollectedTaskRow extends WatchedTaskRow {
  readonly started_at: number
}

/** Active tasks whose agent should have collected tokens between those times (epoch seconds), and has none. */
export const uncollectedTasks = statement<UncollectedTaskRow>(
  "audit.uncollected_tasks",
  sql`SELECT t.task_id AS task_id, ty.text AS type, ag.text AS agent, i.text AS instance, o.text AS orchestrator,
      t.started_at AS started_at
    FROM task t JOIN name ty ON ty.id = t.type JOIN name ag ON ag.id = t.agent
    JOIN name i ON i.id = t.instance JOIN name o ON o.id = t.orchestrator
    WHERE t.collect_by > ${p("from")} AND t.collect_by <= ${p("until")} AND t.state = 'active' AND NOT ${hasToken("t.id")}
      AND NOT EXISTS (SELECT 1 FROM alarm l WHERE l.kind = 'task_uncollected' AND l.value = t.task_id)
    ORDER BY t.collect_by, t.id`,
)

/** A guard: the task is active and nothing was collected. */
export const taskStillUncollected = statement(
  "audit.task_still_uncollected",
  sql`SELECT id FROM task WHERE task_id = ${p("task")} AND state = 'active' AND NOT ${hasToken("task.id")}`,
)

/**
 * Keys of the tasks that got tokens between those two that another agent's open task is bound to as well. The first and the
 * last agent of a key are two steps in its index; looking for another one reads every task of a key that has thousands.
 */
export const sharedKeys = statement<{ readonly jkt: string }>(
  "audit.shared_keys",
  sql`SELECT t.jkt AS jkt FROM token k JOIN task t ON t.id = k.task
    WHERE k.id > ${p("after")} AND k.id <= ${p("upTo")} AND t.jkt IS NOT NULL AND t.state IN ('active', 'paused')
      AND (SELECT min(o.agent) FROM task o WHERE o.jkt = t.jkt AND o.jkt IS NOT NULL
          AND o.state IN ('active', 'paused'))
        <> (SELECT max(o.agent) FROM task o WHERE o.jkt = t.jkt AND o.jkt IS NOT NULL
          AND o.state IN ('active', 'paused'))
      AND NOT EXISTS (SELECT 1 FROM alarm l WHERE l.kind = 'key_shared' AND l.value = t.jkt)
    GROUP BY t.jkt ORDER BY min(k.id)`,
)

/** The agents whose open tasks are bound to this key. */
export const holdersOfKey = statement<{ readonly agent: string }>(
  "audit.holders_of_key",
  sql`SELECT DISTINCT a.text AS agent FROM task t JOIN name a ON a.id = t.agent
    WHERE t.jkt = ${p("jkt")} AND t.jkt IS NOT NULL AND t.state IN ('active', 'paused') ORDER BY a.text`,
)

export interface OutcomeRow {
  readonly kind: string
  readonly agent: string
  readonly instance: string
  /** 1 allowed, 0 refused. */
  readonly outcome: number
  readonly entries: number
  readonly first_seq: number
  readonly last_seq: number
  readonly first_at: number
  readonly last_at: number
  readonly code: string | null
}

const outcomes = (
  condition: ReturnType<typeof sql>,
) => sql`SELECT k.text AS kind, a.text AS agent, i.text AS instance,
    g.outcome AS outcome, g.entries AS entries, g.first_seq AS first_seq, g.last_seq AS last_seq, g.first_at AS first_at,
    g.last_at AS last_at, c.text AS code
  FROM (SELECT kind, agent, instance, outcome, count(*) AS entries, min(seq) AS first_seq, max(seq) AS last_seq,
      min(at) AS first_at, max(at) AS last_at, max(code) AS code FROM entry
    WHERE seq > ${p("after")} AND seq <= ${p("upTo")} AND outcome IS NOT NULL AND ${condition}
    GROUP BY kind, agent, instance, outcome) g
  JOIN name k ON k.id = g.kind JOIN name a ON a.id = g.agent JOIN name i ON i.id = g.instance
  LEFT JOIN name c ON c.id = g.code ORDER BY g.first_seq`

/** How what agents asked for came out, in the entries after one place and up to another; who asked first comes first. */
export const outcomesBetween = statement<OutcomeRow>(
  "audit.outcomes",
  outcomes(sql`agent IS NOT NULL AND instance IS NOT NULL`),
)

/** The same of one agent instance. */
export const outcomesOfHolder = statement<OutcomeRow>(
  "audit.outcomes_of_holder",
  outcomes(sql`agent = ${nameId("agent")} AND instance = ${nameId("instance")}`),
)

export const newestNumbers = statement<{ readonly seq: number; readonly token: number }>(
  "audit.newest",
  sql`SELECT (SELECT coalesce(max(seq), 0) FROM entry) AS seq, (SELECT coalesce(max(id), 0) FROM token) AS token`,
)

export interface AlarmRow {
  readonly id: number
  readonly kind: string
  readonly value: string
  readonly facts: string
  readonly since: number
  readonly raised_at: number
}

const alarmColumns = sql`l.id AS id, l.kind AS kind, l.value AS value, l.facts AS facts, l.since AS since,
  l.raised_at AS raised_at`

/** The unique key is the verdict: of all who see the same, one says so. */
export const insertAlarm = statement(
  "alarm.insert",
  sql`INSERT INTO alarm (kind, value, facts, since, raised_at)
    VALUES (${p("kind")}, ${p("value")}, ${p("facts")}, ${p("since")}, ${p("at")})`,
)

export const deleteAlarm = statement("alarm.delete", sql`DELETE FROM alarm WHERE id = ${p("id")}`)

/** In parentheses, as texts of a statement. */
export const listOf = (kinds: readonly string[]) =>
  sql.raw(`(${kinds.map((kind) => `'${kind}'`).join(", ")})`)
const ofSilence = sql`NOT IN ${listOf(ANOMALY_RULES)}`

/** Of silence, the oldest first. An empty kind means every kind. */
export const alarmsPage = statement<AlarmRow>(
  "alarm.page",
  sql`SELECT ${alarmColumns} FROM alarm l WHERE l.id > ${p("after")} AND l.kind ${ofSilence}
      AND (${p("kind")} = '' OR l.kind = ${p("kind")})
    ORDER BY l.id LIMIT ${p("limit")}`,
)

export const alarmCounts = statement<{ readonly kind: string; readonly count: number }>(
  "alarm.counts",
  sql`SELECT kind, count(*) AS count FROM alarm GROUP BY kind`,
)

export interface JudgedRow extends AlarmRow {
  /** 1 while nothing has changed. */
  readonly stands: number
  /** Of a verifier instance: when it was last heard. */
  readonly last_seen: number | null
  /** 1: batches of it are missing since. */
  readonly missing: number
}

/** A page of alarms of silence of which the database itself knows whether they still stand. */
export const judgedAlarms = statement<JudgedRow>(
  "alarm.judged",
  sql`SELECT ${alarmColumns}, v.last_seen AS last_seen, CASE WHEN EXISTS (SELECT 1 FROM verifier_gap g
      WHERE g.instance = v.id AND g.told_at > l.since) THEN 1 ELSE 0 END AS missing, CASE l.kind
      WHEN 'verifier_silent' THEN CASE WHEN v.final = 0 AND v.last_seen <= l.since THEN 1 ELSE 0 END
      WHEN 'verifier_gap' THEN CASE WHEN EXISTS (SELECT 1 FROM verifier_gap g
        WHERE g.instance = v.id AND g.written_off_at IS NULL) THEN 1 ELSE 0 END
      WHEN 'verifier_drifted' THEN CASE WHEN v.final = 0 AND v.drifted_since IS NOT NULL THEN 1 ELSE 0 END
      WHEN 'task_unrenewed' THEN CASE WHEN t.state = 'active' AND NOT ${hasLiveToken("t.id", "now")} THEN 1 ELSE 0 END
      WHEN 'task_uncollected' THEN CASE WHEN t.state = 'active' AND NOT ${hasToken("t.id")} THEN 1 ELSE 0 END
      ELSE CASE WHEN (SELECT count(DISTINCT o.agent) FROM task o WHERE o.jkt = l.value AND o.jkt IS NOT NULL
        AND o.state IN ('active', 'paused')) > 1 THEN 1 ELSE 0 END END AS stands
    FROM (SELECT * FROM alarm WHERE id > ${p("after")} AND kind ${ofSilence}
      AND kind <> 'agent_refused' ORDER BY id LIMIT ${p("limit")}) l
    LEFT JOIN verifier_instance v ON l.kind IN ('verifier_silent', 'verifier_gap', 'verifier_drifted')
      AND v.instance = l.value
    LEFT JOIN task t ON l.kind IN ('task_unrenewed', 'task_uncollected') AND t.task_id = l.value
    ORDER BY l.id`,
)

const PLACE = sql`'silence_looked_at'`

export const readPlace = statement<{ readonly value: string }>(
  "silence_place.read",
  sql`SELECT value FROM setting WHERE key = ${PLACE}`,
)

export const savePlace = statement(
  "silence_place.save",
  sql`INSERT INTO setting (key, value) VALUES (${PLACE}, ${p("value")})
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
)
