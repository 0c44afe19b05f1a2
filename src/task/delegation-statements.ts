// All SQL about delegations, once, named. That a holder's sub-agent is one delegation at a time is a unique index; that a
// holder has no more than policy lets it, that it still stands and that its tokens still live are guards.
import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { named, nameId } from "../database/names.ts"
import { atAnApi, type TaskRow, taskColumns, taskJoins } from "./statements.ts"

const p = sql.placeholder

/** The delegation that a placeholder names; 0 for null, which is the task's own agent. */
const holderId = (placeholder: string) =>
  sql`coalesce((SELECT id FROM delegation WHERE delegation_id = ${p(placeholder)}), 0)`

const taskId = sql`(SELECT id FROM task WHERE task_id = ${p("task_id")})`

/** Delegations that start at one of these, and all below them. */
const below = (these: ReturnType<typeof sql>) => sql`WITH RECURSIVE below(id) AS (${these}
  UNION SELECT d.id FROM delegation d JOIN below b ON d.parent = b.id) SELECT id FROM below`

export interface SubjectRow extends TaskRow {
  readonly token_ended_at: number | null
  /** Epoch seconds. */
  readonly token_exp: number
  readonly delegation: string | null
}

/** The task of a token, and how the token itself stands. */
export const taskOfToken = statement<SubjectRow>(
  "task.of_token",
  sql`SELECT ${taskColumns}, k.ended_at AS token_ended_at, k.exp AS token_exp, de.delegation_id AS delegation
    FROM ${taskJoins} JOIN token k ON k.task = t.id LEFT JOIN delegation de ON de.id = k.delegation
    WHERE k.jti = ${p("jti")}`,
)

export interface DelegationRow {
  readonly delegation_id: string
  /** Of the one above; null: the task's own agent. */
  readonly parent: string | null
  readonly agent: string
  readonly instance: string
  readonly jkt: string | null
  readonly authority: string
  readonly started_at: number
  readonly ended_at: number | null
}

const delegationColumns = sql`d.delegation_id AS delegation_id, ab.delegation_id AS parent, ag.text AS agent,
  i.text AS instance, d.jkt AS jkt, d.authority AS authority, d.started_at AS started_at, d.ended_at AS ended_at`

const delegationJoins = sql`JOIN name ag ON ag.id = d.agent JOIN name i ON i.id = d.instance
  LEFT JOIN delegation ab ON ab.id = d.parent`

/** A delegation and those above it, outermost first. */
export const chainOf = statement<DelegationRow>(
  "delegation.chain",
  sql`SELECT ${delegationColumns} FROM (WITH RECURSIVE up(id, height) AS (
      SELECT d.id, 0 FROM delegation d WHERE d.delegation_id = ${p("delegation")}
      UNION ALL SELECT d.parent, u.height + 1 FROM delegation d JOIN up u ON u.id = d.id WHERE d.parent <> 0)
    SELECT id, height FROM up) u JOIN delegation d ON d.id = u.id ${delegationJoins} ORDER BY u.height DESC`,
)

export const delegationsOfTask = statement<DelegationRow>(
  "delegation.of_task",
  sql`SELECT ${delegationColumns} FROM delegation d ${delegationJoins} WHERE d.task = ${taskId} ORDER BY d.id`,
)

/** A holder's sub-agent, while that delegation has not ended. */
export const livingBelow = statement<DelegationRow>(
  "delegation.living_below",
  sql`SELECT ${delegationColumns} FROM delegation d ${delegationJoins}
    WHERE d.task = ${taskId} AND d.parent = ${holderId("parent")} AND d.agent = ${nameId("agent")}
      AND d.instance = ${nameId("instance")} AND d.ended_at IS NULL`,
)

/** Until when (epoch seconds) the latest live token of a holder lives; null where it has none. */
export const livesUntil = statement<{ readonly until: number | null }>(
  "holder.lives_until",
  sql`SELECT max(exp) AS until FROM token WHERE task = ${taskId} AND coalesce(delegation, 0) = ${holderId("holder")}
    AND ended_at IS NULL AND exp > ${p("now_seconds")}`,
)

/** A guard: a live token of that holder lives at least so long. */
export const holderLives = statement(
  "holder.lives",
  sql`SELECT id FROM token WHERE task = ${taskId} AND coalesce(delegation, 0) = ${holderId("holder")}
    AND ended_at IS NULL AND exp >= ${p("until")} ORDER BY id LIMIT 1`,
)

/** A guard: the token has not been ended. */
export const tokenStands = statement(
  "token.stands",
  sql`SELECT id FROM token WHERE jti = ${p("jti")} AND ended_at IS NULL`,
)

/** A guard: the delegation has not ended. */
export const delegationStands = statement(
  "delegation.stands",
  sql`SELECT id FROM delegation WHERE delegation_id = ${p("delegation")} AND ended_at IS NULL`,
)

/** A guard: beside this one, the holder has fewer sub-agents with a live token than it may. */
export const placeBelow = statement(
  "delegation.place",
  sql`SELECT 1 AS free WHERE (SELECT count(*) FROM delegation d
      WHERE d.task = ${taskId} AND d.parent = ${holderId("parent")} AND d.ended_at IS NULL
        AND d.delegation_id <> ${p("delegation")} AND EXISTS (SELECT 1 FROM token k
          WHERE k.delegation = d.id AND k.ended_at IS NULL AND k.exp > ${p("now_seconds")})) < ${wholeNumber("most")}`,
)

export const insertDelegation = named(
  "delegation.insert",
  { names: ["agent", "instance"] },
  (
    name,
  ) => sql`INSERT INTO delegation (delegation_id, task, parent, agent, instance, jkt, authority, started_at)
    VALUES (${p("delegation")}, ${taskId}, ${holderId("parent")}, ${name("agent")}, ${name("instance")}, ${p("jkt")},
      ${p("authority")}, ${p("now")})`,
)

/** The delegation that is named, and those below it. */
export const oneAndBelow = below(
  sql`SELECT d.id FROM delegation d WHERE d.delegation_id = ${p("delegation")}`,
)

/** Tells the verifiers of every API at which a delegation, or one below it, has a live token; before these end. */
export const feedDelegation = statement(
  "feed.delegation",
  sql`INSERT INTO feed (kind, value, before, until, api, code)
    SELECT 'delegation', ${p("delegation")}, max(iat), max(exp), api, 'token_revoked' FROM token
    WHERE delegation IN (${oneAndBelow}) AND ended_at IS NULL AND exp > ${p("now_seconds")} AND ${atAnApi} GROUP BY api`,
)

export const endTokensOfDelegation = statement(
  "token.end_of_delegation",
  sql`UPDATE token SET ended_at = ${p("now")}
    WHERE delegation IN (${oneAndBelow}) AND ended_at IS NULL AND exp > ${p("now_seconds")}`,
)

export const endDelegation = statement(
  "delegation.end",
  sql`UPDATE delegation SET ended_at = ${p("now")} WHERE id IN (${oneAndBelow}) AND ended_at IS NULL`,
)

export const endDelegationsOfTask = statement(
  "delegation.end_of_task",
  sql`UPDATE delegation SET ended_at = ${p("now")} WHERE task = ${taskId} AND ended_at IS NULL`,
)

/** Delegations under a revoked name, each with all below it. */
export const delegationsUnder = below(
  sql`SELECT d.id FROM delegation d WHERE (${p("kind")} = 'delegation' AND d.delegation_id = ${p("value")})
    OR (${p("kind")} = 'agent' AND d.agent = ${nameId("value")})
    OR (${p("kind")} = 'instance' AND d.agent = ${nameId("agent")} AND d.instance = ${nameId("instance")})`,
)

export const endDelegationsUnder = statement(
  "delegation.end_under",
  sql`UPDATE delegation SET ended_at = ${p("at")} WHERE id IN (${delegationsUnder}) AND ended_at IS NULL`,
)
