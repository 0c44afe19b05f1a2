// All SQL of what is usual, once. It is written with the roll-ups, whose place is the guard; what is read every few seconds is
// found by the entry after which it was counted.
import { type Statement, statement } from "../../database/database.ts"
import { sql } from "../../database/drizzle.ts"
import { nameId } from "../../database/names.ts"
import { ALWAYS_RULES, ANOMALY_RULES } from "../../policy/anomaly-rules.ts"
import { CANARY_TYPE } from "../../token/name.ts"
import { type AlarmRow, listOf } from "../statements.ts"

const p = sql.placeholder

export interface OpenTaskRow {
  readonly task: number
  readonly agent: number
  readonly type: number
  readonly started_at: number
  readonly uses: number
  readonly refused: number
  readonly touched: Uint8Array
  readonly told_at: number
  readonly seq: number
  readonly ended_at: number | null
  readonly acted: string
}

const openColumns = sql`w.task AS task, w.agent AS agent, w.type AS type, w.started_at AS started_at, w.uses AS uses,
  w.refused AS refused, w.touched AS touched, w.told_at AS told_at, w.seq AS seq, w.ended_at AS ended_at, w.acted AS acted`

/** Every row of the tasks that the entries of a window name. */
export const openTasks = statement<OpenTaskRow>(
  "anomaly.open_tasks",
  sql`SELECT ${openColumns} FROM anomaly_task w WHERE w.task IN (SELECT e.task FROM entry e
    WHERE e.seq > ${p("after")} AND e.seq <= ${p("upTo")} AND e.task IS NOT NULL)`,
)

const beginStartedWith = (nothing: string) => sql`INSERT INTO anomaly_task
    (task, agent, type, started_at, uses, refused, touched, told_at, seq, ended_at, acted)
  SELECT e.task, e.agent, t.type, e.at, 0, 0, ${sql.raw(nothing)}, e.at, e.seq, NULL, '' FROM entry e JOIN task t ON t.id = e.task
  WHERE e.seq > ${p("after")} AND e.seq <= ${p("upTo")} AND e.kind = ${nameId("kind")} AND e.agent IS NOT NULL
  ON CONFLICT (task, agent) DO UPDATE SET type = excluded.type, started_at = excluded.started_at, uses = 0, refused = 0,
    touched = excluded.touched, told_at = excluded.told_at, seq = excluded.seq, ended_at = NULL, acted = ''`

/** Every task that started in a window, as one that has done nothing yet. */
export const beginStarted: Statement = {
  ...statement("anomaly.begin_started", beginStartedWith("x''")),
  postgres: beginStartedWith("''::bytea"),
}

/** Of a sub-agent, with what it began with. */
export const beginTask = statement(
  "anomaly.begin_task",
  sql`INSERT INTO anomaly_task (task, agent, type, started_at, uses, refused, touched, told_at, seq, ended_at, acted)
    VALUES (${p("task")}, ${p("agent")}, ${p("type")}, ${p("started_at")}, ${p("uses")}, ${p("refused")},
      ${p("touched")}, ${p("told_at")}, ${p("seq")}, ${p("ended_at")}, ${p("acted")})`,
)

export const keepTask = statement(
  "anomaly.keep_task",
  sql`UPDATE anomaly_task SET uses = ${p("uses")}, refused = ${p("refused")}, touched = ${p("touched")},
      told_at = ${p("told_at")}, seq = ${p("seq")}, ended_at = ${p("ended_at")}, acted = ${p("acted")}
    WHERE task = ${p("task")} AND agent = ${p("agent")}`,
)

export const countHour = statement(
  "anomaly.count_hour",
  sql`INSERT INTO anomaly_hour (type, agent, hour, starts, uses, refused, told_at, seq)
    VALUES (${p("type")}, ${p("agent")}, ${p("hour")}, ${p("starts")}, ${p("uses")}, ${p("refused")}, ${p("told_at")},
      ${p("seq")})
    ON CONFLICT (type, agent, hour) DO UPDATE SET starts = anomaly_hour.starts + excluded.starts,
      uses = anomaly_hour.uses + excluded.uses, refused = anomaly_hour.refused + excluded.refused,
      told_at = excluded.told_at, seq = excluded.seq`,
)

const ifForgotten = (
  column: string,
) => sql`CASE WHEN excluded.since - anomaly_operation.last_at > ${p("forgotten")}
  THEN excluded.${sql.raw(column)} ELSE anomaly_operation.${sql.raw(column)} END`

export const keepOperation = statement(
  "anomaly.keep_operation",
  sql`INSERT INTO anomaly_operation (type, agent, operation, since, task, last_at, seq)
    VALUES (${p("type")}, ${p("agent")}, ${p("operation")}, ${p("since")}, ${p("task")}, ${p("last_at")}, ${p("seq")})
    ON CONFLICT (type, agent, operation) DO UPDATE SET since = ${ifForgotten("since")}, task = ${ifForgotten("task")},
      seq = ${ifForgotten("seq")}, last_at = excluded.last_at`,
)

/** It did nothing more: that it ended, and what stopped it. */
export const markTask = statement(
  "anomaly.mark_task",
  sql`UPDATE anomaly_task SET ended_at = ${p("ended_at")}, acted = ${p("acted")}
    WHERE task = ${p("task")} AND agent = ${p("agent")}`,
)

/** When the last entry happened that was counted. */
export const countedUpTo = statement<{ readonly at: number }>(
  "anomaly.counted_up_to",
  sql`SELECT at FROM entry WHERE seq = (SELECT seq FROM rollup_place WHERE id = 1)`,
)

export const endedTasks = statement<OpenTaskRow>(
  "anomaly.ended_tasks",
  sql`SELECT ${openColumns} FROM anomaly_task w WHERE w.ended_at IS NOT NULL AND w.ended_at < ${p("before")}
    ORDER BY w.ended_at, w.task, w.agent LIMIT ${p("limit")}`,
)

/**
 * Up to one of them, in the order in which they are read. How many go is the guard of counting them among those that ended:
 * of several issuers one finds them, and what was counted since has a higher place than any that was read.
 */
export const closeTasks = statement(
  "anomaly.close_tasks",
  sql`DELETE FROM anomaly_task WHERE ended_at IS NOT NULL AND ended_at <= ${p("ended_at")} AND seq <= ${p("seq")}
    AND (ended_at < ${p("ended_at")} OR task < ${p("task")} OR (task = ${p("task")} AND agent <= ${p("agent")}))`,
)

export const countSize = statement(
  "anomaly.count_size",
  sql`INSERT INTO anomaly_size (type, agent, measure, day, size, tasks)
    VALUES (${p("type")}, ${p("agent")}, ${p("measure")}, ${p("day")}, ${p("size")}, ${p("tasks")})
    ON CONFLICT (type, agent, measure, day, size) DO UPDATE SET tasks = anomaly_size.tasks + excluded.tasks`,
)

export const forgetHours = statement(
  "anomaly.forget_hours",
  sql`DELETE FROM anomaly_hour WHERE hour < ${p("hour")}`,
)
export const forgetSizes = statement(
  "anomaly.forget_sizes",
  sql`DELETE FROM anomaly_size WHERE day < ${p("day")}`,
)

/** Everything is counted anew from the first entry on. */
export const forgetAll = ["anomaly_task", "anomaly_hour", "anomaly_operation", "anomaly_size"].map((table) =>
  statement(`anomaly.forget_${table}`, sql`DELETE FROM ${sql.raw(table)}`),
)

export interface WorkedTaskRow extends OpenTaskRow {
  readonly task_id: string
  readonly type_name: string
  readonly agent_name: string
}

const named = sql`ty.text AS type_name, a.text AS agent_name`
const within = sql`w.seq > ${p("after")} AND w.seq <= ${p("upTo")} AND w.told_at >= ${p("since")}`
const withNames = sql`JOIN name ty ON ty.id = w.type JOIN name a ON a.id = w.agent`

/** Tasks that did enough to be unusual by themselves, and something since. */
export const workedTasks = statement<WorkedTaskRow>(
  "anomaly.worked_tasks",
  sql`SELECT ${openColumns}, ${named}, t.task_id AS task_id FROM anomaly_task w ${withNames} JOIN task t ON t.id = w.task
    WHERE ${within} AND w.uses >= 10 ORDER BY w.seq`,
)

export interface WorkedHourRow {
  readonly type: number
  readonly agent: number
  readonly hour: number
  readonly starts: number
  readonly uses: number
  readonly refused: number
  readonly told_at: number
  readonly type_name: string
  readonly agent_name: string
}

export const workedHours = statement<WorkedHourRow>(
  "anomaly.worked_hours",
  sql`SELECT w.type AS type, w.agent AS agent, w.hour AS hour, w.starts AS starts, w.uses AS uses, w.refused AS refused,
      w.told_at AS told_at, ${named} FROM anomaly_hour w ${withNames} WHERE ${within} ORDER BY w.seq`,
)

export interface NewOperationRow {
  readonly type: number
  readonly agent: number
  readonly operation: string
  readonly since: number
  readonly task_id: string
  readonly type_name: string
  readonly agent_name: string
}

export const newOperations = statement<NewOperationRow>(
  "anomaly.new_operations",
  sql`SELECT w.type AS type, w.agent AS agent, o.text AS operation, w.since AS since, t.task_id AS task_id, ${named}
    FROM anomaly_operation w ${withNames} JOIN name o ON o.id = w.operation JOIN task t ON t.id = w.task
    WHERE w.seq > ${p("after")} AND w.seq <= ${p("upTo")} AND w.since >= ${p("since")} ORDER BY w.seq`,
)

export interface MisuseRow {
  readonly at: number
  readonly code: string
  readonly task_id: string | null
  readonly type: string | null
  readonly agent: string | null
  readonly instance: string | null
  readonly api: string | null
  readonly operation: string | null
}

/** Alarms that were raised with the batches of uses: what is unusual whatever came before. */
export const misuseBetween = statement<MisuseRow>(
  "anomaly.misuse",
  sql`SELECT e.at AS at, c.text AS code, t.task_id AS task_id, ty.text AS type, a.text AS agent, i.text AS instance,
      ap.text AS api, o.text AS operation
    FROM entry e JOIN name c ON c.id = e.code LEFT JOIN task t ON t.id = e.task LEFT JOIN name ty ON ty.id = t.type
      LEFT JOIN name a ON a.id = e.agent LEFT JOIN name i ON i.id = e.instance LEFT JOIN name ap ON ap.id = e.api
      LEFT JOIN name o ON o.id = e.operation
    WHERE e.seq > ${p("after")} AND e.seq <= ${p("upTo")} AND e.at >= ${p("since")}
      AND e.kind = (SELECT id FROM name WHERE text = 'alarm.raised') AND c.text IN ${listOf(ALWAYS_RULES)} ORDER BY e.seq`,
)

export interface HourRow {
  readonly hour: number
  readonly starts: number
  readonly uses: number
  readonly refused: number
}

/** Of one agent and type, the oldest first. */
export const hoursOf = statement<HourRow>(
  "anomaly.hours",
  sql`SELECT hour, starts, uses, refused FROM anomaly_hour WHERE type = ${p("type")} AND agent = ${p("agent")}
    AND hour >= ${p("from")} AND hour < ${p("to")} ORDER BY hour`,
)

export const sizesOf = statement<{ readonly measure: number; readonly size: number; readonly tasks: number }>(
  "anomaly.sizes",
  sql`SELECT measure, size, CAST(sum(tasks) AS bigint) AS tasks FROM anomaly_size
    WHERE type = ${p("type")} AND agent = ${p("agent")} AND day >= ${p("from")} AND day <= ${p("to")}
    GROUP BY measure, size ORDER BY measure, size`,
)

export interface BehindRow {
  readonly task_id: string
  readonly acted: string
}

/** Open tasks of an agent and type that did anything since, or began. */
export const tasksBehind = statement<BehindRow & { readonly started_at: number; readonly refused: number }>(
  "anomaly.tasks_behind",
  sql`SELECT t.task_id AS task_id, w.acted AS acted, w.started_at AS started_at, w.refused AS refused
    FROM anomaly_task w JOIN task t ON t.id = w.task
    WHERE w.type = ${p("type")} AND w.agent = ${p("agent")} AND w.told_at >= ${p("since")}
      AND t.state IN ('active', 'paused') ORDER BY w.task LIMIT ${p("limit")}`,
)

export const actedOn = statement<BehindRow>(
  "anomaly.acted_on",
  sql`SELECT t.task_id AS task_id, coalesce(w.acted, '') AS acted FROM task t LEFT JOIN anomaly_task w ON w.task = t.id
    WHERE t.task_id = ${p("task")} AND t.state IN ('active', 'paused') LIMIT 1`,
)

const columns = sql`l.id AS id, l.kind AS kind, l.value AS value, l.facts AS facts, l.since AS since, l.raised_at AS raised_at`
const isUnusual = sql`l.kind IN ${listOf(ANOMALY_RULES)}`

/** What stands, the oldest first. Empty texts mean every one; `type` and `agent` are patterns of the value. */
export const anomaliesPage = statement<AlarmRow>(
  "anomaly.page",
  sql`SELECT ${columns} FROM alarm l WHERE l.id > ${p("after")} AND ${isUnusual}
    AND (${p("rule")} = '' OR l.kind = ${p("rule")}) AND l.value LIKE ${p("who")} ORDER BY l.id LIMIT ${p("limit")}`,
)

/** What was raised before, and is over. */
export const anomaliesBefore = statement<AlarmRow>(
  "anomaly.before",
  sql`SELECT ${columns} FROM alarm l WHERE l.raised_at <= ${p("before")} AND ${isUnusual}
    ORDER BY l.id LIMIT ${p("limit")}`,
)

export interface LearningRow {
  readonly type: string
  readonly agent: string
  readonly tasks: number
  readonly days: number
}

/** Agents and types with work since, of which less is known than is wanted. Of canaries nothing is learned. */
export const learningPage = statement<LearningRow>(
  "anomaly.learning",
  sql`SELECT ty.text AS type, a.text AS agent, g.days AS days, g.tasks AS tasks
    FROM (SELECT h.type AS type, h.agent AS agent, h.days AS days, coalesce((SELECT CAST(sum(z.tasks) AS bigint)
        FROM anomaly_size z WHERE z.type = h.type AND z.agent = h.agent AND z.measure = 1 AND z.day >= ${p("day")}), 0) AS tasks
      FROM (SELECT type, agent, count(DISTINCT hour / 24) AS days FROM anomaly_hour WHERE hour >= ${p("hour")}
        GROUP BY type, agent) h) g
    JOIN name ty ON ty.id = g.type JOIN name a ON a.id = g.agent
    WHERE ty.text <> ${CANARY_TYPE} AND (g.days < ${p("days")} OR g.tasks < ${p("tasks")}) ORDER BY ty.text, a.text LIMIT ${p("limit")}`,
)
