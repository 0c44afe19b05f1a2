// All SQL of the roll-ups, once. The guard is the place that they were read at: of several issuers that would count the same
// entries, one does. Reading them goes over rows of a day, never over entries.
import { type Statement, statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"

const p = sql.placeholder

export const rollupPlaces = statement<{ readonly seq: number; readonly newest: number }>(
  "rollup.place",
  sql`SELECT coalesce((SELECT seq FROM rollup_place WHERE id = 1), 0) AS seq,
    coalesce((SELECT max(seq) FROM entry), 0) AS newest`,
)

/** When the newest entry that is counted was written; null before there is one. */
export const countedUntil = statement<{ readonly at: number | null }>(
  "rollup.until",
  sql`SELECT (SELECT at FROM entry WHERE seq = (SELECT seq FROM rollup_place WHERE id = 1)) AS at`,
)

export const beginRollup = statement(
  "rollup.begin",
  sql`INSERT INTO rollup_place (id, seq) VALUES (1, 0) ON CONFLICT (id) DO NOTHING`,
)

export const advanceRollup = statement(
  "rollup.advance",
  sql`UPDATE rollup_place SET seq = ${p("to")} WHERE id = 1 AND seq = ${p("from")}`,
)

/** An entry as it is counted. */
export interface CountedRow {
  readonly at: number
  readonly kind: string
  /** Ids of rows; null where the entry is about no task or token. */
  readonly task: number | null
  readonly token: number | null
  readonly type: string | null
  readonly agent: string | null
  readonly api: string | null
  readonly operation: string | null
  readonly type_id: number | null
  readonly agent_id: number | null
  readonly operation_id: number | null
  /** Of what stopped a task, and of alarms. */
  readonly code: string | null
  readonly resource: string | null
  readonly seq: number
  /**
   * What was hashed, of those that count by it: of what grants and of refusals, that may be many in one. Text where the driver
   * makes it sooner than an array.
   */
  readonly bytes: Uint8Array | string | null
  /** Of the token that was used; null once erased. */
  readonly claims: string | null
  /** Of the same token, epoch seconds. */
  readonly exp: number | null
}

/** The same as it is read, with integers for its names: what was hashed is null also where it rests elsewhere. */
export interface RowToCount
  extends Omit<CountedRow, "kind" | "type" | "agent" | "api" | "operation" | "code"> {
  readonly kind_id: number
  readonly api_id: number | null
  readonly code_id: number | null
}

/** Whose bytes count. */
export const TELLING: ReadonlySet<string> = new Set(["task.started", "token.delegated", "use.refused"])

const isOf = (kinds: Iterable<string>) =>
  sql`e.kind IN (SELECT id FROM name WHERE text IN (${sql.join(
    Array.from(kinds, (kind) => sql`${kind}`),
    sql`, `,
  )}))`
const isTelling = isOf(TELLING)

/** No name is joined, and of most entries nothing else: read for each row, names cost as much as all the rest. */
const entriesWith = (
  bytes: ReturnType<typeof sql>,
) => sql`SELECT e.seq AS seq, e.at AS at, e.kind AS kind_id, e.task AS task, e.token AS token, t.type AS type_id,
      e.agent AS agent_id, e.api AS api_id, e.operation AS operation_id, e.code AS code_id, e.resource AS resource,
      n.claims AS claims, n.exp AS exp, ${bytes} AS bytes
    FROM entry e LEFT JOIN task t ON t.id = e.task LEFT JOIN entry_bytes b ON b.seq = e.seq AND ${isTelling}
      LEFT JOIN token n ON n.id = e.token AND ${isOf(["use.allowed", "use.observed", "use.refused"])}
    WHERE e.seq > ${p("after")} AND e.seq <= ${p("upTo")} ORDER BY e.seq`

export const entriesToCount: Statement<RowToCount> = {
  ...statement<RowToCount>("rollup.entries", entriesWith(sql`CAST(b.bytes AS TEXT)`)),
  postgres: entriesWith(sql`b.bytes`),
}

interface ToldRow {
  readonly seq: number
  readonly bytes: Uint8Array | null
}

/** What the same holder was given in the same task before. The plus: by the task's index, never by the agent's. */
export const delegatedBefore = statement<ToldRow>(
  "rollup.delegated_before",
  sql`SELECT e.seq AS seq, b.bytes AS bytes FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq
    WHERE e.task = ${p("task")} AND e.seq < ${p("seq")} AND +e.agent = ${nameId("agent")}
      AND e.kind = ${nameId("kind")} ORDER BY e.seq`,
)

/** Tasks that entries of a window delegate in, and entries before it did. The plus: by the task's index, never by the place. */
export const delegatedEarlier = statement<{ readonly task: number }>(
  "rollup.delegated_earlier",
  sql`SELECT DISTINCT e.task AS task FROM entry e WHERE e.task IN (SELECT w.task FROM entry w
      WHERE w.seq > ${p("after")} AND w.seq <= ${p("upTo")} AND w.kind = ${nameId("kind")})
    AND +e.seq <= ${p("after")} AND e.kind = ${nameId("kind")}`,
)

/** What the token of a use was minted with. */
export const mintedWith = statement<ToldRow>(
  "rollup.minted_with",
  sql`SELECT e.seq AS seq, b.bytes AS bytes FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq JOIN name k ON k.id = e.kind
    WHERE e.task = ${p("task")} AND e.token = ${p("token")}
      AND k.text IN ('token.issued', 'token.renewed', 'token.delegated') ORDER BY e.seq LIMIT 1`,
)

export const countEntries = statement(
  "rollup.count_entries",
  sql`INSERT INTO rollup_day (day, entries) VALUES (${p("day")}, ${p("entries")})
    ON CONFLICT (day) DO UPDATE SET entries = rollup_day.entries + excluded.entries`,
)

/** Its names must be there. No rule is an empty text, which is no name. */
export const countPrivilege = statement(
  "rollup.count_privilege",
  sql`INSERT INTO rollup_privilege (day, type, agent, api, operation, rule, granted, used, refused, last_used)
    VALUES (${p("day")}, ${nameId("type")}, ${nameId("agent")}, ${nameId("api")}, ${nameId("operation")},
      coalesce(${nameId("rule")}, 0), ${p("granted")}, ${p("used")}, ${p("refused")}, ${p("last_used")})
    ON CONFLICT (day, type, agent, api, operation, rule) DO UPDATE SET
      granted = rollup_privilege.granted + excluded.granted, used = rollup_privilege.used + excluded.used,
      refused = rollup_privilege.refused + excluded.refused,
      last_used = CASE WHEN coalesce(excluded.last_used, 0) > coalesce(rollup_privilege.last_used, 0)
        THEN excluded.last_used ELSE rollup_privilege.last_used END`,
)

/** Its name must be there. No agent is an empty text, which is no name. */
export const countHour = statement(
  "rollup.count_hour",
  sql`INSERT INTO rollup_hour (hour, agent, starts, uses, refusals, last_at, last_seq)
    VALUES (${p("hour")}, coalesce(${nameId("agent")}, 0), ${p("starts")}, ${p("uses")}, ${p("refusals")}, ${p("last_at")},
      ${p("last_seq")})
    ON CONFLICT (hour, agent) DO UPDATE SET starts = rollup_hour.starts + excluded.starts,
      uses = rollup_hour.uses + excluded.uses, refusals = rollup_hour.refusals + excluded.refusals,
      last_at = CASE WHEN excluded.last_at > rollup_hour.last_at THEN excluded.last_at ELSE rollup_hour.last_at END,
      last_seq = excluded.last_seq`,
)

/** Its name must be there. */
export const countApi = statement(
  "rollup.count_api",
  sql`INSERT INTO rollup_api (day, api, allowed, observed, refused, introspected)
    VALUES (${p("day")}, ${nameId("api")}, ${p("allowed")}, ${p("observed")}, ${p("refused")}, ${p("introspected")})
    ON CONFLICT (day, api) DO UPDATE SET allowed = rollup_api.allowed + excluded.allowed,
      observed = rollup_api.observed + excluded.observed, refused = rollup_api.refused + excluded.refused,
      introspected = rollup_api.introspected + excluded.introspected`,
)

export const countStanding = statement(
  "rollup.count_standing",
  sql`INSERT INTO rollup_standing (hour, what, began, ended)
    VALUES (${p("hour")}, ${p("what")}, ${p("began")}, ${p("ended")})
    ON CONFLICT (hour, what) DO UPDATE SET began = rollup_standing.began + excluded.began,
      ended = rollup_standing.ended + excluded.ended`,
)

/** Everything is counted anew from the first entry on. */
export const forgetPrivileges = statement("rollup.forget_privileges", sql`DELETE FROM rollup_privilege`)
export const forgetDays = statement("rollup.forget_days", sql`DELETE FROM rollup_day`)
export const forgetHours = statement("rollup.forget_hours", sql`DELETE FROM rollup_hour`)
export const forgetApis = statement("rollup.forget_apis", sql`DELETE FROM rollup_api`)
export const forgetStanding = statement("rollup.forget_standing", sql`DELETE FROM rollup_standing`)
export const resetRollup = statement("rollup.reset", sql`UPDATE rollup_place SET seq = 0 WHERE id = 1`)

export interface PrivilegeRow {
  readonly type: string
  readonly agent: string
  /** Null where none of the token's rules grants it. */
  readonly rule: string | null
  readonly api: string
  readonly operation: string
  readonly granted: number
  readonly used: number
  readonly refused: number
  readonly last_used: number | null
  readonly type_id: number
  readonly agent_id: number
  readonly rule_id: number
  readonly api_id: number
  readonly operation_id: number
}

const total = (column: string) => sql`CAST(sum(u.${sql.raw(column)}) AS bigint)`

/** An empty type or rule means every one. */
const privileges = (
  who: ReturnType<typeof sql>,
) => sql`SELECT ty.text AS type, a.text AS agent, r.text AS rule,
    ap.text AS api, o.text AS operation, g.granted AS granted, g.used AS used, g.refused AS refused,
    g.last_used AS last_used, g.type AS type_id, g.agent AS agent_id, g.rule AS rule_id, g.api AS api_id,
    g.operation AS operation_id
  FROM (SELECT u.type AS type, u.agent AS agent, u.rule AS rule, u.api AS api, u.operation AS operation,
      ${total("granted")} AS granted, ${total("used")} AS used, ${total("refused")} AS refused,
      max(u.last_used) AS last_used FROM rollup_privilege u
    WHERE ${who} AND u.day >= ${p("from")} AND u.day < ${p("to")}
      AND (${p("type")} = '' OR u.type = ${nameId("type")}) AND (${p("rule")} = '' OR u.rule = ${nameId("rule")})
      AND (u.type, u.agent, u.rule, u.api, u.operation)
        > (${p("type_id")}, ${p("agent_id")}, ${p("rule_id")}, ${p("api_id")}, ${p("operation_id")})
    GROUP BY u.type, u.agent, u.rule, u.api, u.operation
    ORDER BY u.type, u.agent, u.rule, u.api, u.operation LIMIT ${p("limit")}) g
  JOIN name ty ON ty.id = g.type JOIN name a ON a.id = g.agent JOIN name ap ON ap.id = g.api
  JOIN name o ON o.id = g.operation LEFT JOIN name r ON r.id = g.rule
  ORDER BY g.type, g.agent, g.rule, g.api, g.operation`

export const privilegesOfAll = statement<PrivilegeRow>("rollup.privileges", privileges(sql`1 = 1`))

export const privilegesOfAgent = statement<PrivilegeRow>(
  "rollup.privileges_of_agent",
  privileges(sql`u.agent = ${nameId("agent")}`),
)

export const entriesOfDays = statement<{ readonly entries: number }>(
  "rollup.entries_of_days",
  sql`SELECT CAST(coalesce(sum(entries), 0) AS bigint) AS entries FROM rollup_day
    WHERE day >= ${p("from")} AND day < ${p("to")}`,
)

/** Who was given anything, or used it. */
export const seenInDays = statement<{ readonly type: string; readonly agent: string }>(
  "rollup.seen",
  sql`SELECT ty.text AS type, a.text AS agent FROM (SELECT DISTINCT u.type AS type, u.agent AS agent
      FROM rollup_privilege u WHERE u.day >= ${p("from")} AND u.day < ${p("to")} AND u.granted + u.used > 0) g
    JOIN name ty ON ty.id = g.type JOIN name a ON a.id = g.agent`,
)
