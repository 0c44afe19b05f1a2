// All SQL about approvals, once, named. As in statements.ts the guards are in the WHERE clauses: who asks twice, decides
// late or collects after somebody else changes no row.
import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"
import type { APPROVAL_STATES } from "./states.ts"

const p = sql.placeholder

export interface ApprovalRow {
  readonly approval_id: string
  readonly task_id: string
  readonly type: string
  readonly agent: string
  readonly instance: string
  readonly orchestrator: string
  readonly sub: string
  readonly purpose: string | null
  readonly api: string
  readonly operation: string
  readonly resource: string
  readonly parameters: string | null
  readonly digest: string
  readonly reason: string | null
  readonly requested_by: string
  readonly requested_at: number
  readonly deciders: string
  readonly delegation: string | null
  readonly state: (typeof APPROVAL_STATES)[number]
  readonly expires_at: number
  readonly decided_by: string | null
  readonly decided_as: string | null
  readonly decided_at: number | null
  readonly token: string | null
}

/** What is open has expired when its time is over or its task or its delegation has ended, written down or not yet. */
const isOver = sql`(a.state IN ('requested', 'granted')
  AND (a.expires_at <= ${wholeNumber("now")} OR t.state NOT IN ('active', 'paused') OR (a.delegation IS NOT NULL
    AND EXISTS (SELECT 1 FROM delegation e WHERE e.delegation_id = a.delegation AND e.ended_at IS NOT NULL))))`

const columns = sql`a.approval_id AS approval_id, t.task_id AS task_id, ty.text AS type, ag.text AS agent, i.text AS instance,
  o.text AS orchestrator, coalesce(s.text, '') AS sub, t.purpose AS purpose, ap.text AS api, op.text AS operation,
  a.resource AS resource, a.parameters AS parameters, a.digest AS digest, a.reason AS reason, r.text AS requested_by,
  a.requested_at AS requested_at, a.deciders AS deciders, a.delegation AS delegation,
  CASE WHEN ${isOver} THEN 'expired' ELSE a.state END AS state, a.expires_at AS expires_at, a.decided_by AS decided_by,
  a.decided_as AS decided_as, a.decided_at AS decided_at, a.token AS token`

const joins = sql`approval a JOIN task t ON t.id = a.task JOIN name ty ON ty.id = t.type JOIN name ag ON ag.id = t.agent
  JOIN name i ON i.id = t.instance JOIN name o ON o.id = t.orchestrator LEFT JOIN subject s ON s.id = t.subject
  JOIN name ap ON ap.id = a.api JOIN name op ON op.id = a.operation JOIN name r ON r.id = a.requested_by`

export const approvalById = statement<ApprovalRow>(
  "approval.by_id",
  sql`SELECT ${columns} FROM ${joins} WHERE a.approval_id = ${p("approval_id")}`,
)

export const approvalsOfTask = statement<ApprovalRow>(
  "approval.of_task",
  sql`SELECT ${columns} FROM ${joins} WHERE t.task_id = ${p("task_id")} ORDER BY a.id`,
)

const page = (among: ReturnType<typeof sql>, state: ReturnType<typeof sql>) =>
  sql`SELECT * FROM (SELECT a.id AS place, ${columns} FROM ${joins}
    WHERE a.id < coalesce((SELECT id FROM approval WHERE approval_id = ${p("after")}), 9007199254740991) AND ${among}
      AND (${p("orchestrator")} = '' OR t.orchestrator = ${nameId("orchestrator")})
      AND (${p("decider")} = '' OR a.deciders LIKE '%' || ${p("decider")} || '%')) AS found
    WHERE ${state} ORDER BY place DESC LIMIT ${p("limit")}`

export interface ApprovalPageRow extends ApprovalRow {
  /** Later ones have higher numbers. */
  readonly place: number
}

/** Newest first. An empty orchestrator, decider or state means every one; a decider is given as ` name `. */
export const approvalsPage = statement<ApprovalPageRow>(
  "approval.page",
  page(sql`a.id > 0`, sql`${p("state")} = '' OR state = ${p("state")}`),
)

/** The same of those that wait for a person: found by the index of what is open, however many were decided. */
export const approvalsWaiting = statement<ApprovalPageRow>(
  "approval.waiting",
  page(
    sql`a.id IN (SELECT id FROM approval WHERE state IN ('requested', 'granted') AND expires_at > ${wholeNumber("now")})`,
    sql`state = 'requested'`,
  ),
)

/** The same of all others. */
export const approvalsOverWith = statement<ApprovalPageRow>(
  "approval.over_with",
  page(sql`a.id > 0`, sql`state <> 'requested'`),
)

/** The same question of the same holder, still open. */
const sameQuestion = sql`EXISTS (SELECT 1 FROM approval q WHERE q.task = (SELECT id FROM task WHERE task_id = ${p("task_id")})
  AND q.operation = ${nameId("operation")} AND q.resource = ${p("resource")} AND q.digest = ${p("digest")}
  AND coalesce(q.delegation, '') = coalesce(${p("delegation")}, '')
  AND q.state IN ('requested', 'granted') AND q.expires_at > ${wholeNumber("now")})`

/** Only while the question is not open already and the task has fewer open ones than it may. */
export const insertApproval = statement(
  "approval.insert",
  sql`INSERT INTO approval (approval_id, task, api, operation, resource, parameters, digest, reason, requested_by,
      requested_at, deciders, delegation, state, expires_at)
    SELECT ${p("approval_id")}, (SELECT id FROM task WHERE task_id = ${p("task_id")}), ${nameId("api")},
      ${nameId("operation")}, ${p("resource")}, ${p("parameters")}, ${p("digest")}, ${p("reason")},
      ${nameId("requested_by")}, ${wholeNumber("now")}, ${p("deciders")}, ${p("delegation")}, 'requested',
      ${wholeNumber("expires_at")}
    WHERE NOT ${sameQuestion} AND (SELECT count(*) FROM approval n
      WHERE n.task = (SELECT id FROM task WHERE task_id = ${p("task_id")}) AND n.state IN ('requested', 'granted')
        AND n.expires_at > ${wholeNumber("now")}) < ${wholeNumber("most")}`,
)

/** One decision, while the question is open and its task too. */
export const decideApproval = statement(
  "approval.decide",
  sql`UPDATE approval SET state = ${p("state")}, decided_by = ${p("decided_by")}, decided_as = ${p("decided_as")},
      decided_at = ${p("now")}, expires_at = ${p("expires_at")}
    WHERE approval_id = ${p("approval_id")} AND state = 'requested' AND expires_at > ${p("now")}
      AND EXISTS (SELECT 1 FROM task t WHERE t.id = approval.task AND t.state IN ('active', 'paused'))`,
)

/** One winner: in the transaction of the mint, whose token's id it gets. */
export const collectApproval = statement(
  "approval.collect",
  sql`UPDATE approval SET state = ${p("state")}, token = ${p("jti")}
    WHERE approval_id = ${p("approval_id")} AND state = 'granted' AND expires_at > ${p("now")}`,
)

export const approvalsOver = statement<ApprovalRow>(
  "approval.over",
  sql`SELECT ${columns} FROM ${joins} WHERE ${isOver} ORDER BY a.expires_at, a.id LIMIT ${p("limit")}`,
)

export const endApproval = statement(
  "approval.end",
  sql`UPDATE approval SET state = ${p("state")}
    WHERE approval_id = ${p("approval_id")} AND state IN ('requested', 'granted')`,
)

/** One use for each token: the one that comes first, and that one again. Of a live token of an active task, at its own API. */
export const claimUse = statement(
  "approval.claim",
  sql`UPDATE approval SET use = ${p("use")}
    WHERE token = ${p("jti")} AND api = ${nameId("api")} AND (use IS NULL OR use = ${p("use")})
      AND EXISTS (SELECT 1 FROM token k JOIN task t ON t.id = k.task WHERE k.jti = ${p("jti")}
        AND k.ended_at IS NULL AND k.exp > ${wholeNumber("now_seconds")} AND t.state = 'active')`,
)

/** Whether a token of that API was used, or has ended, and in which state its task is. */
export const claimStanding = statement<{
  readonly used: string | null
  readonly ended_at: number | null
  readonly state: string
}>(
  "approval.claim_standing",
  sql`SELECT a.use AS used, k.ended_at AS ended_at, t.state AS state
    FROM approval a JOIN token k ON k.jti = a.token JOIN task t ON t.id = k.task
    WHERE a.token = ${p("jti")} AND a.api = ${nameId("api")}`,
)
