// The orchestrator's calls in the words of the library: start, show, list, renew and change tasks. It decides nothing;
// it spells requests and reads answers, and hands what it read to task.ts.
import type { Clock } from "../time.ts"
import { parseInstant } from "../time.ts"
import { asRecord, type IssuerCalls } from "./issuer-call.ts"
import { openTask, type RenewRequest, type Task, type TaskCalls } from "./task.ts"
import { misread, readTokens } from "./token-answer.ts"
import { runTask, type WithTaskOptions } from "./with-task.ts"

export interface StartRequest {
  /** The task type's name in the policy. */
  readonly type: string
  readonly agent: { readonly id: string; readonly instance: string }
  /** Why, for people: up to 1,000 characters. It is recorded, and never in a token. */
  readonly purpose: string
  readonly inputs?: Readonly<Record<string, string>>
  /** Your own execution id. The same request with it again gives the same task; a second one is never started. */
  readonly reference?: string
  /** Asks for a subset of what the task type grants. A subset that is none is refused, never narrowed. */
  readonly operations?: readonly string[]
  /** The APIs (resource URLs) whose tokens are wanted now; the others can be had by `renew`. */
  readonly resources?: readonly string[]
  /** RFC 7638 thumbprint of the agent's key; the tokens are then bound to it. */
  readonly dpopJkt?: string
  /** No token is answered: the agent collects them under its own name (`createSession({ issuer, task, credential })`). */
  readonly deliver?: "agent"
  /**
   * The ID token, or a JWT access token, of the user that the task runs for: of an identity provider that the policy
   * names, at most an hour old, and one start for each. It is sent to the issuer and nowhere else.
   */
  readonly subjectToken?: string
}

/** What the issuer tells about a task, in its own words (snake_case). */
export type TaskView = Readonly<Record<string, unknown>>

export interface Orchestrator extends TaskCalls {
  /** Starts a task; with a known `reference` and the same request, answers the task that it started. */
  start(request: StartRequest): Promise<Task>
  /**
   * Starts a task, gives it to `work`, and ends it however that ends: `complete` when it is fulfilled, `fail` when it is
   * rejected, `cancel` as soon as `signal` is aborted. Answers what `work` did, or throws what it threw: the first error.
   */
  withTask<T>(request: StartRequest, work: (task: Task) => Promise<T>, options?: WithTaskOptions): Promise<T>
  show(taskId: string): Promise<TaskView>
  list(filter?: { readonly state?: string; readonly after?: string; readonly limit?: number }): Promise<{
    readonly tasks: readonly TaskView[]
    readonly next: string | null
  }>
}

export function orchestrate(issuer: IssuerCalls, clock: Clock): Orchestrator {
  const orchestrator: Orchestrator = {
    async start(request) {
      const asked = clock.now()
      const { body } = await issuer.call(
        "POST",
        "/tasks",
        startBody(request),
        request.reference !== undefined,
      )
      const { task_id, state, deadline, tokens } = asRecord(body)
      const until = typeof deadline === "string" ? parseInstant(deadline) : undefined
      if (typeof task_id !== "string" || typeof state !== "string" || until === undefined) throw misread()
      const started = {
        id: task_id,
        issuer: issuer.issuer,
        state,
        deadline: until,
        tokens: readTokens(tokens, asked),
      }
      return openTask(started, orchestrator, clock)
    },
    withTask: (request, work, options) => runTask(() => orchestrator.start(request), work, options, clock),
    async show(taskId) {
      return asRecord((await issuer.call("GET", pathOf(taskId))).body)
    },
    async list(filter = {}) {
      const { body } = await issuer.call("GET", `/tasks${queryOf({ ...filter })}`)
      const { tasks, next } = asRecord(body)
      if (!Array.isArray(tasks)) throw misread()
      return { tasks: tasks.map(asRecord), next: typeof next === "string" ? next : null }
    },
    async renew(taskId, request = {}) {
      const asked = clock.now()
      const { body } = await issuer.call("POST", `${pathOf(taskId)}/tokens`, renewBody(request))
      return readTokens(asRecord(body).tokens, asked)
    },
    async change(taskId, change, options = {}) {
      const asked = clock.now()
      const { body } = await issuer.call("POST", `${pathOf(taskId)}/${change}`, { ...options }, true)
      const { state, tokens } = asRecord(body)
      if (typeof state !== "string") throw misread()
      return { state, tokens: tokens === undefined ? [] : readTokens(tokens, asked) }
    },
  }
  return Object.freeze(orchestrator)
}

const pathOf = (taskId: string) => `/tasks/${encodeURIComponent(taskId)}`

function startBody({ type, agent, purpose, inputs = {}, dpopJkt, ...rest }: StartRequest): object {
  const { reference, operations, resources, deliver, subjectToken } = rest
  return withoutAbsent({
    type,
    agent: { id: agent.id, instance: agent.instance },
    purpose,
    inputs,
    reference,
    operations,
    resources,
    dpop_jkt: dpopJkt,
    deliver,
    subject_token: subjectToken,
  })
}

const renewBody = ({ resource, operations, instance, dpopJkt }: RenewRequest): object =>
  withoutAbsent({ resource, operations, instance, dpop_jkt: dpopJkt })

const withoutAbsent = (members: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

function queryOf(filter: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, String(value))
  return query.size > 0 ? `?${query}` : ""
}
