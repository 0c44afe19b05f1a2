// All SQL behind the overview and the pages of agents, once. Hours and days are read from the roll-ups, entries only by a place
// or from a small index, so that a page costs the same however long the ledger is.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"
import type { StandingCount } from "./standing-count.ts"
import type { AlarmRow } from "./statements.ts"

const p = sql.placeholder
const agentId = nameId("agent")
const total = (column: string) => sql`CAST(sum(u.${sql.raw(column)}) AS bigint)`

export interface HourRow {
  readonly hour: number
  readonly starts: number
  readonly uses: number
  readonly refusals: number
}

const hours = (who: ReturnType<typeof sql>) => sql`SELECT u.hour AS hour, ${total("starts")} AS starts,
    ${total("uses")} AS uses, ${total("refusals")} AS refusals
  FROM rollup_hour u WHERE ${who} AND u.hour >= ${p("from")} GROUP BY u.hour ORDER BY u.hour`

export const hoursOfAll = statement<HourRow>("activity.hours", hours(sql`1 = 1`))
export const hoursOfAgent = statement<HourRow>("activity.hours_of_agent", hours(sql`u.agent = ${agentId}`))

/** Of what stands for a while, from an hour on. */
export const standingHours = statement<StandingCount>(
  "activity.standing_hours",
  sql`SELECT u.hour AS hour, u.what AS what, u.began AS began, u.ended AS ended FROM rollup_standing u
    WHERE u.hour >= ${p("from")} ORDER BY u.hour, u.what`,
)

/** Tasks that have not ended, by the counter that limits them; and questions that nobody has decided. */
export const standingCounts = statement<{ readonly tasks: number; readonly approvals: number }>(
  "activity.standing",
  sql`SELECT (SELECT CAST(coalesce(sum(active), 0) AS bigint) FROM task_count) AS tasks,
    (SELECT count(*) FROM approval a WHERE a.state IN ('requested', 'granted') AND a.expires_at > ${p("now")}
      AND a.state = 'requested') AS approvals`,
)

export interface RefusalRow {
  readonly seq: number
  readonly at: number
  readonly kind: string
  readonly task_id: string | null
  readonly agent: string | null
  readonly instance: string | null
  readonly api: string | null
  readonly operation: string | null
  readonly code: string | null
}

/**
 * The newest first, among the newest thousand of all that came out as a "no": those of other kinds (a token that was asked about
 * and is not live any more) could be many, and are not gone through for ever.
 */
export const newestRefusals = statement<RefusalRow>(
  "activity.refusals",
  sql`SELECT r.seq AS seq, r.at AS at, k.text AS kind, t.task_id AS task_id, ag.text AS agent, i.text AS instance,
      a.text AS api, o.text AS operation, c.text AS code
    FROM (SELECT seq, at, kind, task, agent, instance, api, operation, code FROM entry
      WHERE outcome = 0 ORDER BY seq DESC LIMIT 1000) r
    JOIN name k ON k.id = r.kind AND k.text IN ('task.refused', 'token.refused', 'use.refused')
    LEFT JOIN task t ON t.id = r.task LEFT JOIN name ag ON ag.id = r.agent
    LEFT JOIN name i ON i.id = r.instance LEFT JOIN name a ON a.id = r.api LEFT JOIN name o ON o.id = r.operation
    LEFT JOIN name c ON c.id = r.code ORDER BY r.seq DESC LIMIT ${p("limit")}`,
)

export interface SeenRow {
  /** When it was seen last, and the place of that entry; null: never. */
  readonly last_at: number | null
  readonly last_seq: number | null
  readonly uses: number
  readonly refusals: number
  /** Operations that it was given in these days, and how many of them it used. */
  readonly granted: number
  readonly used: number
}

/** Uses and refusals from an hour on; operations from a day on. */
export const agentSeen = statement<SeenRow>(
  "activity.seen",
  sql`SELECT s.last_at AS last_at, s.last_seq AS last_seq, coalesce(h.uses, 0) AS uses,
      coalesce(h.refusals, 0) AS refusals, coalesce(r.granted, 0) AS granted, coalesce(r.used, 0) AS used
    FROM (SELECT ${total("uses")} AS uses, ${total("refusals")} AS refusals FROM rollup_hour u
        WHERE u.agent = ${agentId} AND u.hour >= ${p("hour")}) h
      CROSS JOIN (SELECT count(*) AS granted, CAST(sum(g.used) AS bigint) AS used FROM (SELECT u.operation AS operation,
          CASE WHEN sum(u.used) > 0 THEN 1 ELSE 0 END AS used FROM rollup_privilege u
        WHERE u.agent = ${agentId} AND u.day >= ${p("day")} GROUP BY u.operation HAVING sum(u.granted) > 0) g) r
      LEFT JOIN (SELECT u.last_at AS last_at, u.last_seq AS last_seq FROM rollup_hour u WHERE u.agent = ${agentId}
        ORDER BY u.hour DESC LIMIT 1) s ON 1 = 1`,
)

export interface OperationRow {
  readonly api: string
  readonly operation: string
  readonly granted: number
  readonly used: number
  readonly refused: number
  readonly last_used: number | null
}

export const operationsOfAgent = statement<OperationRow>(
  "activity.operations",
  sql`SELECT ap.text AS api, o.text AS operation, g.granted AS granted, g.used AS used, g.refused AS refused,
      g.last_used AS last_used
    FROM (SELECT u.api AS api, u.operation AS operation, ${total("granted")} AS granted, ${total("used")} AS used,
        ${total("refused")} AS refused, max(u.last_used) AS last_used FROM rollup_privilege u
      WHERE u.agent = ${agentId} AND u.day >= ${p("day")} GROUP BY u.api, u.operation) g
    JOIN name ap ON ap.id = g.api JOIN name o ON o.id = g.operation ORDER BY o.text LIMIT ${p("limit")}`,
)

export interface SpreadRow {
  readonly operation: string
  readonly uses: number
  readonly resources: number
}

/** Of the uses that were let through between two places of the ledger. */
export const resourcesOfAgent = statement<SpreadRow>(
  "activity.resources",
  sql`SELECT o.text AS operation, g.uses AS uses, g.resources AS resources
    FROM (SELECT e.operation AS operation, count(*) AS uses, count(DISTINCT e.resource) AS resources FROM entry e
      WHERE e.agent = ${agentId} AND e.seq > ${p("after")} AND e.seq <= ${p("upTo")}
        AND e.kind IN (SELECT id FROM name WHERE text IN ('use.allowed', 'use.observed')) GROUP BY e.operation) g
    JOIN name o ON o.id = g.operation ORDER BY o.text`,
)

export interface AgentTaskRow {
  readonly task_id: string
  readonly type: string
  readonly state: string
  readonly instance: string
  readonly orchestrator: string
  readonly started_at: number
  readonly ended_at: number | null
}

/** Its own tasks, the newest first, from one on. */
export const tasksOfAgent = statement<AgentTaskRow>(
  "activity.tasks",
  sql`SELECT t.task_id AS task_id, ty.text AS type, t.state AS state, i.text AS instance, o.text AS orchestrator,
      t.started_at AS started_at, t.ended_at AS ended_at
    FROM task t JOIN name ty ON ty.id = t.type JOIN name i ON i.id = t.instance JOIN name o ON o.id = t.orchestrator
    WHERE t.agent = ${agentId} AND t.id < coalesce((SELECT id FROM task WHERE task_id = ${p("after")}), 9007199254740991)
    ORDER BY t.id DESC LIMIT ${p("limit")}`,
)

export interface AgentDelegationRow {
  readonly task_id: string
  readonly type: string
  readonly instance: string
  readonly started_at: number
  readonly ended_at: number | null
}

/** Tasks of others that it was delegated to in, the newest first. */
export const delegationsOfAgent = statement<AgentDelegationRow>(
  "activity.delegations",
  sql`SELECT t.task_id AS task_id, ty.text AS type, i.text AS instance, d.started_at AS started_at, d.ended_at AS ended_at
    FROM (SELECT id, task, instance, started_at, ended_at FROM delegation WHERE agent = ${agentId}
      ORDER BY id DESC LIMIT ${p("limit")}) d
    JOIN task t ON t.id = d.task JOIN name ty ON ty.id = t.type JOIN name i ON i.id = d.instance ORDER BY d.id DESC`,
)

const alarmColumns = sql`l.id AS id, l.kind AS kind, l.value AS value, l.facts AS facts, l.since AS since,
  l.raised_at AS raised_at`

/** Those that stand, the newest first. An empty kind means every kind. */
export const newestAlarms = statement<AlarmRow>(
  "activity.alarms",
  sql`SELECT ${alarmColumns} FROM alarm l WHERE l.id < ${p("before")} AND (${p("kind")} = '' OR l.kind = ${p("kind")})
    ORDER BY l.id DESC LIMIT ${p("limit")}`,
)

/** Those that name an agent: `named` and `listed` are how its name is written in what is known of one. */
export const alarmsOfAgent = statement<AlarmRow>(
  "activity.alarms_of_agent",
  sql`SELECT ${alarmColumns} FROM alarm l
    WHERE l.facts LIKE ${p("named")} OR (l.kind = 'key_shared' AND l.facts LIKE ${p("listed")})
    ORDER BY l.id DESC LIMIT ${p("limit")}`,
)

/** Whether anything ever named it. */
export const isNameKnown = statement<{ readonly known: number }>(
  "activity.is_known",
  sql`SELECT CASE WHEN EXISTS (SELECT 1 FROM rollup_hour u WHERE u.agent = ${agentId})
    OR EXISTS (SELECT 1 FROM task t WHERE t.agent = ${agentId}) THEN 1 ELSE 0 END AS known`,
)
