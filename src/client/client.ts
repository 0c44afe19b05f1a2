// The orchestrator's and the agent's side of taskmint: start a task, use its tokens at the APIs they are for, finish it.
// It decides nothing about rights: the issuer does when it mints, and each API when it is called.
import { type Clock, systemClock } from "../time.ts"
import type { HandedToken } from "./held-token.ts"
import { type IssuerOptions, openIssuer } from "./issuer-call.ts"
import { type Orchestrator, orchestrate } from "./orchestrator.ts"
import { openSession, type Session, type SessionKey } from "./session.ts"

export interface OrchestratorOptions {
  /** The issuer's name: an https URL, compared byte for byte. Plain http is taken on loopback only. */
  readonly issuer: string
  /** Where the issuer is reached, when that is not its name. */
  readonly issuerAddress?: string
  /**
   * The orchestrator's name in the policy and its private key (a JWK, or a file holding one), or the file in which its
   * platform keeps a JWT for the issuer.
   */
  readonly credential: IssuerOptions["credential"]
  /** Milliseconds after which a call to the issuer counts as unanswered. Default 10,000. */
  readonly timeoutMilliseconds?: number
  /** Lets issuer and address be plain http anywhere: tokens then travel in the clear. Default false. */
  readonly dangerouslyAllowPlainHttp?: boolean
  readonly clock?: Clock
}

/**
 * The orchestrator's side. Nothing is sent before the first call; service tokens (RFC 7523) are fetched when needed and
 * kept fresh. Every call throws ClientError, which is exported by "taskmint"; misuse is a TypeError here, at construction.
 */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  const clock = options.clock ?? systemClock
  return orchestrate(openIssuer(options, clock), clock)
}

export interface SessionOptions {
  /** What `task.handover().tokens` gave. */
  readonly tokens: readonly HandedToken[]
  /** The agent's private key (JWK), for tokens bound to it by `dpopJkt` (RFC 9449). */
  readonly key?: SessionKey
  readonly clock?: Clock
}

/**
 * The agent's side, with tokens that its orchestrator handed over. It can use them and nothing else: it does not renew,
 * and it does NOT check the tokens. Its calls throw ClientError, which is exported by "taskmint". TypeError when a token
 * is bound to a key and none was given.
 */
export async function createSession(options: SessionOptions): Promise<Session> {
  if (!Array.isArray(options.tokens))
    throw new TypeError(
      "tokens must be what task.handover() gave; an agent that collects its own is not supported yet",
    )
  return openSession(options.tokens, options.key, options.clock ?? systemClock)
}
