// All SQL of the fixed questions, once: what beside its entries is kept of a task.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

export interface AskedTaskRow {
  readonly task_id: string
  readonly type: string
  readonly agent: string
  readonly instance: string
  readonly orchestrator: string
  /** Null once erased. */
  readonly sub: string | null
  readonly state: string
  readonly started_at: number
  readonly deadline: number
  readonly ended_at: number | null
  readonly purpose: string | null
  readonly policy: string
  readonly authority: string
}

const tasks = sql`SELECT t.task_id AS task_id, ty.text AS type, ag.text AS agent, i.text AS instance,
    o.text AS orchestrator, s.text AS sub, t.state AS state, t.started_at AS started_at, t.deadline AS deadline,
    t.ended_at AS ended_at, t.purpose AS purpose, t.policy AS policy, t.authority AS authority
  FROM task t JOIN name ty ON ty.id = t.type JOIN name ag ON ag.id = t.agent JOIN name i ON i.id = t.instance
    JOIN name o ON o.id = t.orchestrator LEFT JOIN subject s ON s.id = t.subject`

export const taskAsked = statement<AskedTaskRow>(
  "audit.task_asked",
  sql`${tasks} WHERE t.task_id = ${p("task")}`,
)

export const taskOfTokenAsked = statement<AskedTaskRow>(
  "audit.task_of_token_asked",
  sql`${tasks} WHERE t.id = (SELECT task FROM token WHERE jti = ${p("jti")})`,
)

export interface HeldTokenRow {
  readonly jti: string
  /** Epoch milliseconds; null while nothing but its `exp` ends it. */
  readonly ended_at: number | null
  /** Null once erased. */
  readonly claims: string | null
}

export const tokensHeld = statement<HeldTokenRow>(
  "audit.tokens_held",
  sql`SELECT k.jti AS jti, k.ended_at AS ended_at, k.claims AS claims FROM token k
    WHERE k.task = (SELECT id FROM task WHERE task_id = ${p("task")}) ORDER BY k.id`,
)

export const policyLoaded = statement<{ readonly loaded_at: number }>(
  "audit.policy_loaded",
  sql`SELECT loaded_at FROM policy WHERE digest = ${p("digest")}`,
)
