// The life of a task after its start: pause, resume, complete, fail, cancel, and running out. It decides which state may
// follow which; every change is one transaction with its entry, and ends or mints tokens in the same one.
import { committed, type Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Kind } from "../ledger/event.ts"
import { toEpochSeconds } from "../time.ts"
import { type Attempt, type Settled, settleDecision } from "./commit.ts"
import type { MintedToken } from "./mint.ts"
import { apiOf, nextFloor, type Parts } from "./parts.ts"
import { endingSteps, factsOf, mintAgain, ownTask, passAgain, refusingOf } from "./renew.ts"
import {
  endTask,
  forgetStarts,
  pauseTask,
  renewableOf,
  type TaskRow,
  taskById,
  tasksPastDeadline,
  tokensOfTask,
  uncountTask,
} from "./statements.ts"
import { stillUnused } from "./use-left.ts"

export type Change = "pause" | "resume" | "complete" | "fail" | "cancel"

export interface Changed {
  readonly taskId: string
  readonly state: string
  /** Fresh ones, after a resumption. */
  readonly tokens: readonly MintedToken[]
}

type EndState = "completed" | "failed" | "canceled" | "expired" | "revoked"

const TARGET = {
  pause: "paused",
  resume: "active",
  complete: "completed",
  fail: "failed",
  cancel: "canceled",
} as const satisfies Record<Change, string>

const ENTRY = {
  paused: "task.paused",
  active: "task.resumed",
  completed: "task.completed",
  failed: "task.failed",
  canceled: "task.canceled",
  expired: "task.expired",
  revoked: "task.revoked",
} as const satisfies Record<string, Kind>

export const isOpen = (task: TaskRow): boolean => task.state === "active" || task.state === "paused"

/** Changes the state of the caller's own task. The state it is already in is an answer, not a refusal. */
export async function changeTask(
  parts: Parts,
  orchestrator: string,
  taskId: string,
  change: Change,
  reason?: string,
): Promise<Changed | Refusal> {
  let task: TaskRow | undefined
  const decide = async () => {
    task = await ownTask(parts, orchestrator, taskId)
    if (!task) return refuse("not_found", "[task] no such task of this orchestrator")
    return planChange(parts, task, change, { reason })
  }
  return settleDecision<Changed>(parts, decide, () => task && refusingOf("task.refused", task))
}

export type Operated = Extract<Change, "pause" | "resume">

/**
 * The same by an operator, who is named in the entry. A resumption answers no tokens: the task's orchestrator, or its agent,
 * asks for its own, for nobody else may hold them.
 */
export async function operateTask(
  parts: Parts,
  by: string,
  taskId: string,
  change: Operated,
  reason?: string,
): Promise<Changed | Refusal> {
  let task: TaskRow | undefined
  const decide = async () => {
    ;[task] = await parts.engine.query(taskById, { task_id: taskId })
    if (!task) return refuse("not_found", "[task] no such task")
    return planChange(parts, task, change, { reason, by })
  }
  return settleDecision<Changed>(parts, decide, () => task && refusingOf("task.refused", task))
}

/** What the entry tells of a change beside the task. */
interface Told {
  readonly reason?: string | undefined
  /** The operator; absent: the task's own orchestrator. */
  readonly by?: string | undefined
  /** The rule by which it was stopped: unlike the reason nothing personal. */
  readonly code?: string
}

async function planChange(
  parts: Parts,
  task: TaskRow,
  change: Change,
  told: Told,
): Promise<Attempt<Changed> | Settled<Changed> | Refusal> {
  const state = TARGET[change]
  if (task.state === state) return { settled: { taskId: task.task_id, state, tokens: [] } }
  if (!isOpen(task)) return refuse("task_ended", `[state] the task is ${task.state}`)
  if (state === "active") return planResume(parts, task, told)
  const answer = () => ({ taskId: task.task_id, state, tokens: [] })
  if (state === "paused") return { steps: pauseSteps(parts, task, told), answer }
  return { steps: endSteps(parts, task, state, told), answer }
}

/** Pauses an active task: state, tokens, verifiers and entry in one transaction. */
export function pauseSteps(parts: Parts, task: TaskRow, told: Told = {}): Step[] {
  const now = parts.ledger.at()
  const values = { task_id: task.task_id, ...floorsOf(task, now) }
  return [
    { statement: pauseTask, values, rows: 1 },
    ...endingSteps(task.task_id, now, "task_paused"),
    ...changeEntry(parts, task, "paused", now, told),
  ]
}

/** Ends an open task: state, limits, tokens, verifiers and entry in one transaction. */
export function endSteps(parts: Parts, task: TaskRow, state: EndState, told: Told = {}): Step[] {
  const now = parts.ledger.at()
  const values = { task_id: task.task_id, state, now, ...floorsOf(task, now) }
  return [
    { statement: endTask, values, rows: 1 },
    { statement: uncountTask, values: { type: task.type }, rows: 1 },
    ...endingSteps(task.task_id, now, state === "revoked" ? "token_revoked" : "task_ended"),
    ...changeEntry(parts, task, state, now, told),
  ]
}

const floorsOf = ({ iat_floor: floor }: TaskRow, now: number) => ({
  floor,
  new_floor: nextFloor(now, floor),
  now_seconds: toEpochSeconds(now),
})

const changeEntry = (
  parts: Parts,
  task: TaskRow,
  state: keyof typeof ENTRY,
  at: number,
  { reason, by, code }: Told,
): Step[] => {
  const body = { ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) }
  const told = { ...(code !== undefined && { code }), ...(Object.keys(body).length > 0 && { body }) }
  return parts.ledger.steps({ ...factsOf(ENTRY[state], task), at, ...told }, task.key ?? "erased")
}

async function planResume(parts: Parts, task: TaskRow, told: Told): Promise<Attempt<Changed> | Refusal> {
  const unused = await stillUnused(parts, task)
  if (unused instanceof Refused) return unused
  const passed = await passAgain(parts, task, {})
  if (passed instanceof Refused) return passed
  const all = await parts.engine.query(tokensOfTask, { task_id: task.task_id })
  const had = new Set(renewableOf(all).map((row) => row.api))
  const mayHold = (resource: string) =>
    resource === parts.issuer || had.has(apiOf(passed.policy, resource)?.name ?? "")
  const wanted = told.by === undefined ? passed.wanted.filter(mayHold) : []
  const entry = [...unused, ...changeEntry(parts, task, "active", passed.now, told)]
  const minted = mintAgain(parts, task, { ...passed, wanted }, { from: "paused", ending: undefined }, entry)
  if (minted instanceof Refused) return minted
  return {
    steps: minted.steps,
    answer: async () => {
      const renewed = await minted.answer()
      if (renewed instanceof Refused) return renewed
      return { taskId: task.task_id, state: "active", tokens: renewed.tokens }
    },
  }
}

const SWEEP_AT_ONCE = 200

/** Records the tasks whose deadline has passed as expired. Answers how many. Safe to run at any time, by anyone. */
export async function expireTasks(parts: Parts): Promise<number> {
  const now = parts.ledger.at()
  const due = await parts.engine.query(tasksPastDeadline, { now, limit: SWEEP_AT_ONCE })
  const ended = await Promise.all(due.map((task) => endIfOpen(parts, task, "expired")))
  const hourAgo = Math.floor(now / 60_000) - 60
  await parts.engine.atomically([{ statement: forgetStarts, values: { since: hourAgo } }])
  return ended.filter(Boolean).length
}

/** False when the task changed meanwhile: whoever changed it, or the next sweep, has it. */
export async function endIfOpen(
  parts: Parts,
  task: TaskRow,
  state: "expired" | "revoked",
  reason?: string,
): Promise<boolean> {
  return committed(parts.engine, endSteps(parts, task, state, { reason }))
}

/** Pauses or revokes a task for what was found of it; one that is stopped already, or changed meanwhile, stays as it is. */
export async function stopTask(
  parts: Parts,
  taskId: string,
  action: "pause" | "revoke",
  why: { readonly reason: string; readonly code: string },
): Promise<void> {
  const [task] = await parts.engine.query(taskById, { task_id: taskId })
  if (!task || !isOpen(task)) return
  if (action === "revoke") await committed(parts.engine, endSteps(parts, task, "revoked", why))
  else if (task.state === "active") await committed(parts.engine, pauseSteps(parts, task, why))
}
