// The front door of the task room: the life of a task, from its start to its end, for callers that were authenticated
// elsewhere. Start reading here; gate.ts decides, mint.ts plans and signs, commit.ts writes.
import type { Refusal } from "../errors.ts"
import { type CollectRequest, collectTokens } from "./collect.ts"
import type { Exchanged } from "./delegate.ts"
import { type ExchangeRequest, exchangeToken } from "./exchange.ts"
import { type Change, type Changed, changeTask, expireTasks, type Operated, operateTask } from "./finish.ts"
import { createOutgrown } from "./outgrown.ts"
import { assembleParts, type TaskOptions } from "./parts.ts"
import { type Renewed, type RenewRequest, renewTask } from "./renew.ts"
import { type ListFilter, listTasks, showTask, type TaskPage, type TaskView, type Viewer } from "./show.ts"
import { type Started, type StartRequest, startTask } from "./start.ts"

export interface Tasks {
  /** Starts a task, or answers the one that this reference started. Refusals are in the ledger before they are answered. */
  start(orchestrator: string, request: StartRequest): Promise<Started | Refusal>
  renew(orchestrator: string, taskId: string, request: RenewRequest): Promise<Renewed | Refusal>
  /** RFC 8693: a fresh token for a holder, or the first of its sub-agent. The form of the request is the issuer's. */
  exchange(request: ExchangeRequest): Promise<Exchanged | Refusal>
  /** For the task's own agent, authenticated as such. */
  collect(agent: string, taskId: string, request: CollectRequest): Promise<Renewed | Refusal>
  change(orchestrator: string, taskId: string, change: Change, reason?: string): Promise<Changed | Refusal>
  /** For an operator, whoever's task it is. */
  operate(by: string, taskId: string, change: Operated, reason?: string): Promise<Changed | Refusal>
  show(viewer: Viewer, taskId: string): Promise<TaskView | Refusal>
  list(viewer: Viewer, filter: ListFilter): Promise<TaskPage>
  /** Records the tasks that ran out; call it every second or so. */
  sweep(): Promise<number>
  /** Ends live tokens that the policy in force covers no more, where it is a new one; call it several times a second. */
  review(): Promise<void>
  /** Why this process can't mint at the moment, for readiness. */
  unready(): Refusal | undefined
  /** Why nothing can be dated at the moment: no service token either. */
  unsteady(): Refusal | undefined
}

/** NOT checked here: who the caller is, and the shape of the wire; both are the issuer's. */
export function createTasks(options: TaskOptions): Tasks {
  const parts = assembleParts(options)
  const outgrown = createOutgrown(options)
  return {
    start: (orchestrator, request) => startTask(parts, orchestrator, request),
    renew: (orchestrator, taskId, request) => renewTask(parts, orchestrator, taskId, request),
    exchange: (request) => exchangeToken(parts, request),
    collect: (agent, taskId, request) => collectTokens(parts, agent, taskId, request),
    change: (orchestrator, taskId, change, reason) => changeTask(parts, orchestrator, taskId, change, reason),
    operate: (by, taskId, change, reason) => operateTask(parts, by, taskId, change, reason),
    show: (viewer, taskId) => showTask(parts, viewer, taskId),
    list: (viewer, filter) => listTasks(parts, viewer, filter),
    sweep: () => expireTasks(parts),
    review: outgrown.look,
    unready: () => parts.mayMint(),
    unsteady: () => parts.steady(),
  }
}
