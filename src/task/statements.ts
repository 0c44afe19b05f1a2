// All SQL of the task room about tasks and their tokens, once, named. The guards are in the WHERE clauses: the row count
// is the verdict, so a statement that changes nothing means that somebody else was first.

import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { named, nameId } from "../database/names.ts"

const p = sql.placeholder

export interface TaskRow {
  readonly task_id: string
  readonly type: string
  readonly agent: string
  readonly instance: string
  readonly orchestrator: string
  readonly sub: string
  readonly state: string
  readonly started_at: number
  readonly deadline: number
  readonly ended_at: number | null
  readonly reference: string | null
  readonly request_digest: string
  readonly policy: string
  readonly authority: string
  readonly inputs: string | null
  readonly jkt: string | null
  readonly key: Uint8Array | null
  readonly iat_floor: number
  /** Null once erased. */
  readonly purpose: string | null
  /** JSON of what is kept of the user; null where it runs for its orchestrator. */
  readonly behalf: string | null
}

export const taskColumns = sql`t.task_id AS task_id, ty.text AS type, ag.text AS agent, i.text AS instance,
  o.text AS orchestrator, coalesce(s.text, '') AS sub, t.state AS state, t.started_at AS started_at,
  t.deadline AS deadline, t.ended_at AS ended_at, t.reference AS reference, t.request_digest AS request_digest,
  t.policy AS policy, t.authority AS authority, t.inputs AS inputs, t.jkt AS jkt, t.key AS key, t.iat_floor AS iat_floor,
  t.behalf AS behalf, t.purpose AS purpose`

export const taskJoins = sql`task t JOIN name ty ON ty.id = t.type JOIN name ag ON ag.id = t.agent
  JOIN name i ON i.id = t.instance JOIN name o ON o.id = t.orchestrator LEFT JOIN subject s ON s.id = t.subject`

export const taskById = statement<TaskRow>(
  "task.by_id",
  sql`SELECT ${taskColumns} FROM ${taskJoins} WHERE t.task_id = ${p("task_id")}`,
)

export const taskByReference = statement<TaskRow>(
  "task.by_reference",
  sql`SELECT ${taskColumns} FROM ${taskJoins}
    WHERE t.orchestrator = ${nameId("orchestrator")} AND t.reference = ${p("reference")}`,
)

/** One condition for each filter of a list. */
const TASK_CONDITIONS = {
  orchestrator: sql`t.orchestrator = ${nameId("orchestrator")}`,
  agent: sql`t.agent = ${nameId("agent")}`,
  type: sql`t.type = ${nameId("type")}`,
  state: sql`t.state = ${p("state")}`,
} as const

export type TaskCondition = keyof typeof TASK_CONDITIONS
export const TASK_FILTERS = Object.keys(TASK_CONDITIONS) as readonly TaskCondition[]

/** Where a page begins: below this one. */
const below = sql`coalesce((SELECT id FROM task WHERE task_id = ${p("after")}),
  (SELECT coalesce(max(id), 0) + 1 FROM task))`

/** The last of the so many before one: counted, because a start that was undone may have used its number up. */
const lastLooked = sql`(SELECT min(w.id) FROM (SELECT id FROM task WHERE id < ${below} ORDER BY id DESC
  LIMIT ${p("looked")}) AS w)`

/** Those that meet all conditions, newest first, among all before one; `windowed`: among the so many before it. */
export const findTasks = (conditions: readonly TaskCondition[], windowed: boolean) =>
  statement<TaskRow>(
    `task.page_by_${conditions.join("_")}${windowed ? "_windowed" : ""}`,
    sql`SELECT ${taskColumns} FROM ${taskJoins} WHERE ${sql.join(
      [
        sql`t.id < ${below}`,
        ...(windowed ? [sql`t.id >= ${lastLooked}`] : []),
        ...conditions.map((one) => TASK_CONDITIONS[one]),
      ],
      sql` AND `,
    )} ORDER BY t.id DESC LIMIT ${p("limit")}`,
  )

/** The last of the so many before one, where there are more behind it. */
export const lastLookedAt = statement<{ readonly task_id: string }>(
  "task.last_looked_at",
  sql`SELECT t.task_id AS task_id FROM task t WHERE t.id = ${lastLooked}
    AND EXISTS (SELECT 1 FROM task o WHERE o.id < t.id) ORDER BY t.id LIMIT 1`,
)

export const tasksPastDeadline = statement<TaskRow>(
  "task.past_deadline",
  sql`SELECT ${taskColumns} FROM ${taskJoins}
    WHERE t.state IN ('active', 'paused') AND t.deadline <= ${p("now")} ORDER BY t.deadline, t.id LIMIT ${p("limit")}`,
)

export const insertTask = named(
  "task.insert",
  { names: ["type", "agent", "instance", "orchestrator"], subject: "sub" },
  (
    name,
    subject,
  ) => sql`INSERT INTO task (task_id, type, agent, instance, orchestrator, subject, state, started_at,
      deadline, reference, request_digest, policy, authority, purpose, inputs, jkt, key, iat_floor, behalf, collect_by)
    VALUES (${p("task_id")}, ${name("type")}, ${name("agent")}, ${name("instance")}, ${name("orchestrator")},
      ${subject("sub")}, 'active', ${p("started_at")}, ${p("deadline")}, ${p("reference")}, ${p("request_digest")},
      ${p("policy")}, ${p("authority")}, ${p("purpose")}, ${p("inputs")}, ${p("jkt")}, ${p("key")}, 0,
      ${p("behalf")}, ${p("collect_by")})`,
)

/** Of the task's live tokens: by another issuer's clock, or while a transaction waited, one may be dated later than now. */
const isLive = sql`k.task = task.id AND k.ended_at IS NULL AND k.exp > ${p("now_seconds")}`

/** At least this floor, and no live token above it. */
const floorAbove = sql`coalesce((SELECT max(k.iat) FROM token k WHERE ${isLive} AND k.iat > ${p("new_floor")}), ${p("new_floor")})`

/** The guard of every mint after the start: the task is still as it was read, and now also past this floor. */
export const keepTask = statement(
  "task.keep",
  sql`UPDATE task SET state = 'active', instance = ${nameId("instance")}, jkt = ${p("jkt")},
      iat_floor = ${p("new_floor")}
    WHERE task_id = ${p("task_id")} AND state = ${p("state")} AND iat_floor = ${p("floor")}
      AND deadline > ${p("now")}`,
)

export const pauseTask = statement(
  "task.pause",
  sql`UPDATE task SET state = 'paused', iat_floor = ${floorAbove}
    WHERE task_id = ${p("task_id")} AND state = 'active' AND iat_floor = ${p("floor")}`,
)

export const endTask = statement(
  "task.end",
  sql`UPDATE task SET state = ${p("state")}, ended_at = ${p("now")}, iat_floor = ${floorAbove}
    WHERE task_id = ${p("task_id")} AND state IN ('active', 'paused') AND iat_floor = ${p("floor")}`,
)

/** What a token came of: a start or a takeover, which the same start answers again, a later mint, or an approval. */
export const GENERATION = { start: 0, later: 1, approval: 2 } as const
export type Generation = (typeof GENERATION)[keyof typeof GENERATION]

export interface TokenRow {
  readonly jti: string
  readonly api: string
  readonly iat: number
  readonly exp: number
  /** The key that signs it, however often. */
  readonly kid: string
  readonly claims: string | null
  readonly generation: Generation
  readonly ended_at: number | null
  /** The delegation whose holder has it; null: the task's own agent. */
  readonly delegation: string | null
}

/** Stands where a token's API is named, for the agent's own; no API can have this name. */
export const OWN_API = "@issuer"

export const tokensOfTask = statement<TokenRow>(
  "token.of_task",
  sql`SELECT k.jti AS jti, a.text AS api, k.iat AS iat, k.exp AS exp, s.text AS kid, k.claims AS claims,
      k.generation AS generation, k.ended_at AS ended_at, d.delegation_id AS delegation
    FROM token k JOIN name a ON a.id = k.api JOIN name s ON s.id = k.kid
      LEFT JOIN delegation d ON d.id = k.delegation
    WHERE k.task = (SELECT id FROM task WHERE task_id = ${p("task_id")}) ORDER BY k.id`,
)

/** Those of the task's own agent that it may have again: what was approved is a token of its own. */
export const renewableOf = (rows: readonly TokenRow[]): readonly TokenRow[] =>
  rows.filter((row) => row.delegation === null && row.generation !== GENERATION.approval)

/** Whether a token was ended and in which state its task is. */
export interface StandingRow {
  readonly ended_at: number | null
  readonly state: string
  /** Of the task's commitments; null once erased. */
  readonly key: Uint8Array | null
}

export const tokenStanding = statement<StandingRow>(
  "token.standing",
  sql`SELECT k.ended_at AS ended_at, t.state AS state, t.key AS key FROM token k JOIN task t ON t.id = k.task
    WHERE k.jti = ${p("jti")}`,
)

export const INSERT_TOKEN = "token.insert"
/**
 * Only while the key that is to sign it is the one that signs: `signer` is its id. Where a guard fails, no column may be
 * null: a row from VALUES is all or nothing by itself, one from a SELECT makes SQLite copy each page that it touches.
 */
export const insertToken = named(
  INSERT_TOKEN,
  { names: ["api", "kid"] },
  (name) => sql`INSERT INTO token (jti, task, api, iat, exp, kid, claims, generation, delegation)
    VALUES (${p("jti")}, (SELECT id FROM task WHERE task_id = ${p("task_id")}), ${name("api")}, ${p("iat")}, ${p("exp")},
      CASE WHEN EXISTS (SELECT 1 FROM signing_key WHERE kid = ${p("signer")} AND state = 'current')
        THEN CAST(${name("kid")} AS bigint) END,
      ${p("claims")}, ${p("generation")}, (SELECT id FROM delegation WHERE delegation_id = ${p("delegation")}))`,
)

/** Not the agent's own tokens: no verifier reads those. */
export const atAnApi = sql`api <> coalesce((SELECT id FROM name WHERE text = ${OWN_API}), 0)`

/** A guard: no live token of the task is above the floor that was decided on. */
export const noneAbove = statement(
  "token.none_above",
  sql`SELECT task.id AS id FROM task JOIN token k ON ${isLive} WHERE task_id = ${p("task_id")} AND k.iat > ${p("new_floor")}
    ORDER BY k.id LIMIT 1`,
)

/**
 * Tells the verifiers of every API at which the task holds a live token; runs before endTokensOfTask, and after what moves
 * the floor.
 */
export const feedTask = statement(
  "feed.task",
  sql`INSERT INTO feed (kind, value, before, until, api, code)
    SELECT 'task', ${p("task_id")}, (SELECT iat_floor FROM task WHERE task_id = ${p("task_id")}), max(exp), api, ${p("code")}
    FROM token
    WHERE task = (SELECT id FROM task WHERE task_id = ${p("task_id")})
      AND ended_at IS NULL AND exp > ${p("now_seconds")} AND ${atAnApi} GROUP BY api`,
)

export const endTokensOfTask = statement(
  "token.end_of_task",
  sql`UPDATE token SET ended_at = ${p("now")}
    WHERE task = (SELECT id FROM task WHERE task_id = ${p("task_id")}) AND ended_at IS NULL AND exp > ${p("now_seconds")}`,
)

/** A guard: no lock stands against any of these names, nor against this API. */
export const noLock = statement(
  "lock.none",
  sql`SELECT kind FROM "lock" WHERE (until IS NULL OR until > ${p("now")}) AND (
    (kind = 'agent' AND value = ${p("agent")}) OR (kind = 'instance' AND value = ${p("instance")})
    OR (kind = 'orchestrator' AND value = ${p("orchestrator")}) OR (kind = 'subject' AND value = ${p("sub")})
    OR (kind = 'api' AND value = ${p("api")}))`,
)

export const COUNT_TASK = "task_count.add"
export const countTask = named(
  COUNT_TASK,
  { names: ["type"] },
  (
    name,
  ) => sql`INSERT INTO task_count (type, active) VALUES (${name("type")}, CASE WHEN ${wholeNumber("most")} > 0 THEN 1 END)
    ON CONFLICT (type) DO UPDATE SET active = task_count.active + 1 WHERE task_count.active < ${p("most")}`,
)

export const uncountTask = statement(
  "task_count.take",
  sql`UPDATE task_count SET active = active - 1 WHERE type = ${nameId("type")}`,
)

export const COUNT_START = "start_minute.add"
/** Counts a start, unless the last sixty minutes hold as many as may be. */
export const countStart = named(
  COUNT_START,
  { names: ["type"] },
  (name) => sql`INSERT INTO start_minute (type, minute, count) VALUES (${name("type")}, ${p("minute")},
      CASE WHEN (SELECT coalesce(sum(count), 0) FROM start_minute
        WHERE type = ${name("type")} AND minute > ${p("since")}) < ${wholeNumber("most")} THEN 1 END)
    ON CONFLICT (type, minute) DO UPDATE SET count = start_minute.count + 1`,
)

export interface MinuteOfStarts {
  /** Since the epoch. */
  readonly minute: number
  readonly count: number
}

/** Oldest first. */
export const startsByMinute = statement<MinuteOfStarts>(
  "start_minute.by_minute",
  sql`SELECT minute, count FROM start_minute WHERE type = ${nameId("type")} AND minute > ${p("since")} ORDER BY minute`,
)

export const forgetStarts = statement(
  "start_minute.forget",
  sql`DELETE FROM start_minute WHERE minute <= ${p("since")}`,
)
