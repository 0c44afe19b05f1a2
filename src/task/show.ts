// What may be seen of tasks: an orchestrator's own, or everybody's for staff. It decides who sees what; a task that the
// viewer may not see answers like one that does not exist.
import { type Refusal, refuse } from "../errors.ts"
import type { Entry } from "../ledger/entry.ts"
import { isApprovable } from "../policy/decide.ts"
import type { Authority } from "../token/authority.ts"
import { formatResource } from "../token/resource.ts"
import { approvalsOfTask } from "./approval-statements.ts"
import { type Approval, viewApproval } from "./approval-view.ts"
import { type Approvable, approvablesOf } from "./approved.ts"
import { type DelegationRow, delegationsOfTask } from "./delegation-statements.ts"
import type { Parts } from "./parts.ts"
import {
  findTasks,
  lastLookedAt,
  TASK_FILTERS,
  type TaskCondition,
  type TaskRow,
  type TokenRow,
  taskById,
  tokensOfTask,
} from "./statements.ts"

export interface Viewer {
  readonly clientId: string
  /** Auditors and operators see every task. */
  readonly staff: boolean
}

export interface TaskSummary {
  readonly taskId: string
  readonly type: string
  readonly state: string
  readonly agent: { readonly id: string; readonly instance: string }
  readonly orchestrator: string
  readonly sub: string
  readonly reference: string | undefined
  /** Epoch milliseconds, as all times here. */
  readonly startedAt: number
  readonly deadline: number
  readonly endedAt: number | undefined
}

/** A sub-agent: what it was given, by whom, and until when it stood. */
export interface TaskDelegation {
  readonly id: string
  /** The delegation above; undefined: the task's own agent delegated. */
  readonly parent: string | undefined
  readonly agent: { readonly id: string; readonly instance: string }
  readonly startedAt: number
  readonly endedAt: number | undefined
  readonly grants: TaskView["grants"]
}

export interface TaskToken {
  readonly jti: string
  readonly api: string
  /** Of the sub-agent that has it. */
  readonly delegation: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
  readonly state: "live" | "expired" | "ended"
  /** There where it ended before its time. */
  readonly endedAt: number | undefined
}

export interface TaskView extends TaskSummary {
  /** Undefined once erased. */
  readonly purpose: string | undefined
  readonly policy: string
  readonly grants: readonly {
    readonly api: string
    readonly operations: readonly string[]
    readonly resources: readonly string[]
    readonly rule: string
  }[]
  /** Every delegation there was, in their order. */
  readonly lineage: readonly TaskDelegation[]
  /** What a person must agree to first, and the questions that were asked. */
  readonly approvable: readonly Approvable[]
  readonly approvals: readonly Approval[]
  readonly tokens: readonly TaskToken[]
  /** What happened to the task, its approvals and its tokens, oldest first; uses are in the ledger. */
  readonly timeline: readonly Entry[]
}

export interface ListFilter {
  readonly state?: string | undefined
  readonly type?: string | undefined
  readonly agent?: string | undefined
  /** For staff: others see their own alone. */
  readonly orchestrator?: string | undefined
  /** A task id: the page starts with the next older one. */
  readonly after?: string | undefined
  /** 1 to 200. */
  readonly limit: number
  /**
   * How many tasks are looked at for one page where no index finds them, so that it is answered in time: such a page may
   * hold fewer than there are, and `next` leads on. Default: all.
   */
  readonly looked?: number
}

export interface TaskPage {
  readonly tasks: readonly TaskSummary[]
  readonly next: string | null
}

export async function showTask(parts: Parts, viewer: Viewer, taskId: string): Promise<TaskView | Refusal> {
  const [task] = await parts.engine.query(taskById, { task_id: taskId })
  if (!task || !(viewer.staff || task.orchestrator === viewer.clientId))
    return refuse("not_found", "[task] no such task for this viewer")
  const now = parts.ledger.at()
  const tokens = await parts.engine.query(tokensOfTask, { task_id: taskId })
  const delegations = await parts.engine.query(delegationsOfTask, { task_id: taskId })
  const story = await parts.ledger.read({ task: taskId, limit: 1000 })
  const authority: Authority = JSON.parse(task.authority)
  return {
    ...summarise(task),
    purpose: task.purpose ?? undefined,
    policy: task.policy,
    grants: grantsOf(authority),
    lineage: delegations.map(viewDelegation),
    approvable: approvablesOf(authority),
    approvals: (await parts.engine.query(approvalsOfTask, { task_id: taskId, now })).map(viewApproval),
    tokens: tokens.map((token) => viewToken(token, now)),
    timeline: story.entries.filter((entry) => /^(task|token|approval)\./.test(entry.kind)),
  }
}

/** Without what a person must agree to first. */
const grantsOf = (authority: Authority): TaskView["grants"] =>
  authority
    .filter((grant) => !isApprovable(grant))
    .map((grant) => ({ ...grant, resources: grant.resources.map(formatResource) }))

const viewDelegation = (row: DelegationRow): TaskDelegation => ({
  id: row.delegation_id,
  parent: row.parent ?? undefined,
  agent: { id: row.agent, instance: row.instance },
  startedAt: row.started_at,
  endedAt: row.ended_at ?? undefined,
  grants: grantsOf(JSON.parse(row.authority)),
})

export async function listTasks(parts: Parts, viewer: Viewer, filter: ListFilter): Promise<TaskPage> {
  const { after = "", limit } = filter
  const given = { ...filter, ...(!viewer.staff && { orchestrator: viewer.clientId }) }
  const conditions = TASK_FILTERS.filter((name) => given[name] !== undefined)
  const looked = isFoundAtOnce(conditions) ? undefined : filter.looked
  const values = {
    ...Object.fromEntries(conditions.map((name) => [name, given[name] ?? ""])),
    ...{ after, looked: looked ?? 0 },
  }
  const page = pageBy(conditions, looked !== undefined)
  const rows = await parts.engine.query(page, { ...values, limit: limit + 1 })
  const tasks = rows.slice(0, limit).map(summarise)
  if (rows.length > limit) return { tasks, next: tasks.at(-1)?.taskId ?? null }
  const [further] = looked === undefined ? [] : await parts.engine.query(lastLookedAt, { after, looked })
  return { tasks, next: further?.task_id ?? null }
}

/** By an index of its own, or whatever comes first. */
const isFoundAtOnce = (conditions: readonly TaskCondition[]): boolean =>
  conditions.length === 0 || (conditions.length === 1 && /^(agent|orchestrator)$/.test(conditions[0] ?? ""))

const pages = new Map<string, ReturnType<typeof findTasks>>()

/** Each is compiled once. */
function pageBy(conditions: readonly TaskCondition[], windowed: boolean): ReturnType<typeof findTasks> {
  const key = `${conditions.join()} ${windowed}`
  const known = pages.get(key) ?? findTasks(conditions, windowed)
  pages.set(key, known)
  return known
}

const summarise = (task: TaskRow): TaskSummary => ({
  taskId: task.task_id,
  type: task.type,
  state: task.state,
  agent: { id: task.agent, instance: task.instance },
  orchestrator: task.orchestrator,
  sub: task.sub,
  reference: task.reference ?? undefined,
  startedAt: task.started_at,
  deadline: task.deadline,
  endedAt: task.ended_at ?? undefined,
})

const viewToken = (token: TokenRow, now: number): TaskToken => ({
  jti: token.jti,
  api: token.api,
  delegation: token.delegation ?? undefined,
  issuedAt: token.iat * 1000,
  expiresAt: token.exp * 1000,
  endedAt: token.ended_at ?? undefined,
  state: token.ended_at !== null ? "ended" : token.exp * 1000 <= now ? "expired" : "live",
})
