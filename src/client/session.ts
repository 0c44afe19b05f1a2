// The agent's side of a task: its tokens, used with proofs of possession where they are bound to the agent's key, and kept
// fresh where the agent may renew them. It decides nothing about rights.
import type { SigningKey } from "../token/signature.ts"
import type { Delegated, DelegateRequest } from "./delegation.ts"
import { ClientError } from "./error.ts"
import { readTarget, type TaskFetch } from "./fetch.ts"
import { type HandedToken, type TaskTokenHeld, takeOver } from "./held-token.ts"
import { createKeeper, type Renew } from "./keeper.ts"
import { createProofs } from "./proofs.ts"
import { fetching, type Sending } from "./sending.ts"
import { callApi, giveUpAtOf, type SessionParts, tokenOf } from "./session-call.ts"
import type { Surroundings } from "./surroundings.ts"

export interface Session {
  /** The tokens of the task's APIs, as they are now. */
  readonly tokens: readonly TaskTokenHeld[]
  /**
   * Sends a request with its API's token; ClientError `url_not_granted` where there is none. Follows no redirect. A refusal of
   * the API's guard is acted on: `renew` once, `wait` as long as the session may, unless the body is a stream, which
   * can't be sent twice. What is left of it is thrown as ClientError. Answers of the API itself are returned as they came.
   */
  readonly fetch: TaskFetch
  /** The headers for one request that something else sends: `authorization`, and `dpop` for a bound token. */
  headers(method: string, url: string | URL): Promise<Readonly<Record<string, string>>>
  /** The live token of the API that a URL belongs to, for programs that must have it. */
  token(url: string | URL): Promise<TaskTokenHeld>
  /** Takes fresh tokens from the orchestrator: after `resume`, or where the agent may not renew. */
  take(tokens: readonly HandedToken[]): void
  /**
   * Gives a part of the task to a sub-agent, where the policy says so: its tokens, for its process. Throws ClientError;
   * TypeError where the session does not know its issuer or has no key.
   */
  delegate(request: DelegateRequest): Promise<Delegated>
  /** No renewal begins after this, and every call is refused. The task goes on: ending it is its orchestrator's. */
  close(): Promise<void>
}

/** For hosts that send requests themselves. */
export interface SendingSession extends Session {
  /** What `fetch` is made of: the token, and what follows a refusal. */
  send<T>(sending: Sending<T>): Promise<T>
}

export interface Opened {
  readonly tokens: readonly TaskTokenHeld[]
  readonly key: SigningKey | undefined
  /** Whose resource is the agent's own token's; undefined: there is none. */
  readonly issuer: string | undefined
  /** Given the agent's own token as it is now, where there is one. Undefined: nothing is renewed. */
  readonly renew: ((resource: string, own: OwnToken) => ReturnType<Renew>) | undefined
  readonly waitMilliseconds: number
  /** Asks a person about a refused call, with the agent's own token. */
  readonly ask?: (
    own: () => Promise<TaskTokenHeld>,
    ...refused: Parameters<NonNullable<SessionParts["ask"]>>
  ) => Promise<TaskTokenHeld | undefined>
  readonly delegate?: (own: TaskTokenHeld, request: DelegateRequest) => Promise<Delegated>
  /** Told whenever a token was taken. */
  readonly changed?: () => void
}

/**
 * The agent's own token for the renewal of this resource: renewed first where it has expired, except for its own renewal,
 * which `renewal_grace` may allow even then.
 */
export type OwnToken = (resource: string) => Promise<TaskTokenHeld>

export function openSession(opened: Opened, around: Surroundings): SendingSession {
  const { key, issuer, waitMilliseconds, renew, ask, changed } = opened
  const needsKey = (tokens: readonly TaskTokenHeld[]) => {
    const bound = tokens.find((held) => held.tokenType === "DPoP")
    if (bound && !key)
      throw new TypeError(`The token for ${bound.resource} is bound to a key; give it as key`)
  }
  needsKey(opened.tokens)
  const own: OwnToken = async (resource) => {
    const held = keeper.tokens.find((one) => one.resource === issuer)
    return held && resource === issuer ? held : keeper.fresh(issuer ?? "", around.clock.now())
  }
  const keeper = createKeeper(opened.tokens, renew && ((resource) => renew(resource, own)), around, changed)
  const parts: SessionParts = {
    keeper,
    proofs: createProofs(key, around.clock),
    around,
    waitMilliseconds,
    tokens: () => keeper.tokens.filter((held) => held.resource !== issuer),
    ...(ask && { ask: (...refused) => ask(() => own(""), ...refused) }),
  }
  const live = async (target: URL) => tokenOf(parts, target, giveUpAtOf(parts))
  return Object.freeze<SendingSession>({
    get tokens() {
      return Object.freeze(parts.tokens())
    },
    send: (sending) => callApi(parts, sending),
    fetch: async (url: string | URL, init?: RequestInit) =>
      callApi(parts, fetching(readTarget(url, init), init)),
    async headers(method: string, url: string | URL) {
      const target = readTarget(url, undefined)
      return parts.proofs.headersOf(await live(target), method.toUpperCase(), target)
    },
    token: async (url: string | URL) => live(readTarget(url, undefined)),
    take(tokens: readonly HandedToken[]) {
      const taken = tokens.map((one) => Object.freeze(takeOver(one)))
      needsKey(taken)
      keeper.take(taken)
    },
    async delegate(request) {
      if (!opened.delegate)
        throw new TypeError("To delegate, open the session with issuer and the agent's key")
      if (!keeper.tokens.some((held) => held.resource === issuer)) throw noOwnToken()
      return opened.delegate(await own(""), request)
    },
    close: () => keeper.close(),
  })
}

const noOwnToken = () =>
  new ClientError("The agent has no token of its own: the policy lets it neither delegate, renew nor ask", {
    code: "token_missing",
    next: "stop",
  })

/** Whatever a renewal by somebody else's function fails with: asked again later, as an issuer that is not there. */
export const renewalFailed = (cause: unknown): ClientError =>
  cause instanceof ClientError
    ? cause
    : new ClientError("The renew function that the session was given has failed", {
        code: "issuer_unreachable",
        next: "wait",
        cause,
      })
