// One task in its orchestrator's hands: its tokens, kept fresh as long as it is used, and its ways to end. It decides
// when to renew; whether it may be renewed is the issuer's decision.
import type { Clock } from "../time.ts"
import { ClientError } from "./error.ts"
import { bearer, notGranted, readTarget, sendWithToken, type TaskFetch, tokenFor } from "./fetch.ts"
import { type HandedToken, handOver, type TaskTokenHeld } from "./held-token.ts"

export interface RenewRequest {
  readonly resource?: string
  readonly operations?: readonly string[]
  readonly instance?: string
  readonly dpopJkt?: string
}

export type Change = "pause" | "resume" | "complete" | "fail" | "cancel"

export interface Changed {
  readonly state: string
  /** After `resume`: fresh tokens; the earlier ones stay ended. */
  readonly tokens: readonly TaskTokenHeld[]
}

/** Plain JSON for the agent's process, given on purpose: whoever reads it can use the task's tokens. */
export interface Handover {
  readonly task: string
  readonly issuer: string
  /** Epoch milliseconds. */
  readonly deadline: number
  readonly tokens: readonly HandedToken[]
}

export interface Task {
  readonly id: string
  /** As last told by the issuer: `active`, `paused`, `completed`, `failed`, `canceled`, `expired` or `revoked`. */
  readonly state: string
  /** Epoch milliseconds after which nothing of the task lives. */
  readonly deadline: number
  readonly tokens: readonly TaskTokenHeld[]
  /**
   * Sends a request with the token of the API that the URL belongs to; ClientError `url_not_granted` where the task has
   * none. Renews a token that is due. Follows no redirect. The answer may be a refusal of the API: look at `status`.
   */
  readonly fetch: TaskFetch
  /** Replaces the tokens, of all APIs or of `resource`. */
  renew(request?: RenewRequest): Promise<void>
  /** Ends every live token of the task; `resume` gets fresh ones. */
  pause(reason?: string): Promise<void>
  resume(): Promise<void>
  complete(reason?: string): Promise<void>
  fail(reason?: string): Promise<void>
  cancel(reason?: string): Promise<void>
  /** The tokens as text, for `createSession({ ...handover, key })` in the agent's process. */
  handover(): Handover
}

interface Started {
  readonly id: string
  readonly issuer: string
  readonly state: string
  readonly deadline: number
  readonly tokens: readonly TaskTokenHeld[]
}

/** What a task needs of its orchestrator. */
export interface TaskCalls {
  /** Fresh tokens of a task: renewed, or had for the first time. Earlier ones live until they expire. */
  renew(taskId: string, request?: RenewRequest): Promise<readonly TaskTokenHeld[]>
  /** The state a task is already in is no error; leaving an ended state is (`task_ended`). */
  change(taskId: string, change: Change, options?: { readonly reason?: string }): Promise<Changed>
}

/** How long a failed renewal rests before the next request tries again. */
const RENEWAL_REST_MILLISECONDS = 5000

export function openTask(started: Started, calls: TaskCalls, clock: Clock): Task {
  let { state, tokens } = started
  const renew = async (request: RenewRequest = {}) => {
    const fresh = await calls.renew(started.id, request)
    const replaced = new Set(fresh.map((held) => held.resource))
    tokens = [...tokens.filter((held) => !replaced.has(held.resource)), ...fresh]
  }
  const change = async (to: Change, reason?: string) => {
    const changed = await calls.change(started.id, to, reason === undefined ? {} : { reason })
    state = changed.state
    tokens = changed.tokens
  }
  const keepFresh = renewWhenDue(renew, clock)
  const task: Task = {
    id: started.id,
    deadline: started.deadline,
    get state() {
      return state
    },
    get tokens() {
      return tokens
    },
    async fetch(url, init) {
      const target = readTarget(url, init)
      const held = tokenFor(tokens, target)
      if (!held) throw notGranted(tokens, target)
      if (held.tokenType === "DPoP") throw boundElsewhere(held)
      await keepFresh(held)
      return sendWithToken(tokenFor(tokens, target) ?? held, target, init, bearer)
    },
    renew,
    pause: (reason) => change("pause", reason),
    resume: () => change("resume"),
    complete: (reason) => change("complete", reason),
    fail: (reason) => change("fail", reason),
    cancel: (reason) => change("cancel", reason),
    handover: () => ({
      task: started.id,
      issuer: started.issuer,
      deadline: started.deadline,
      tokens: tokens.map(handOver),
    }),
  }
  return Object.freeze(task)
}

/**
 * Renews a token that is due, once for all requests that wait for it. While the old token lives, a renewal that fails is
 * tried again later and the request goes on with the old one; when it has expired, the failure is the request's.
 */
function renewWhenDue(renew: (request: RenewRequest) => Promise<void>, clock: Clock) {
  const underWay = new Map<string, Promise<void>>()
  const restUntil = new Map<string, number>()
  return async (held: TaskTokenHeld): Promise<void> => {
    const { resource, renewAt, expiresAt } = held
    const now = clock.now()
    const lives = now < expiresAt
    if (now < renewAt || (lives && now < (restUntil.get(resource) ?? 0))) return
    const renewal = underWay.get(resource) ?? renew({ resource }).finally(() => underWay.delete(resource))
    underWay.set(resource, renewal)
    try {
      await renewal
    } catch (error) {
      if (!lives) throw error
      const final = error instanceof ClientError && error.next === "stop"
      restUntil.set(resource, final ? expiresAt : now + RENEWAL_REST_MILLISECONDS)
    }
  }
}

const boundElsewhere = (held: TaskTokenHeld) =>
  new ClientError(
    `The token for ${held.resource} is bound to the agent's key; hand it over and use it in a session with that key`,
    { code: "token_missing", next: "stop" },
  )
