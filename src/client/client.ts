// The orchestrator's and the agent's side of taskmint: start a task, use its tokens at the APIs they are for, finish it.
// It decides nothing about rights: the issuer does when it mints, and each API when it is called.
import { type Clock, systemClock } from "../time.ts"
import { type IssuerOptions, openIssuer } from "./issuer-call.ts"
import { type Orchestrator, orchestrate } from "./orchestrator.ts"
import { openSession, type Session } from "./session.ts"
import { createOwnKey, type OwnKey } from "./session-key.ts"
import { readSessionOptions, type SessionOptions } from "./session-options.ts"
import { surroundingsOf } from "./surroundings.ts"

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

/**
 * The agent's side. With `tokens` that its orchestrator handed over it starts at once; with `task` and `credential` it
 * collects them first, under a key that is made here. It renews by itself where the agent has a token of its own, a
 * credential, or a `renew` function; it does NOT check the tokens. Its calls throw ClientError, which is exported by
 * "taskmint". TypeError for options that don't go together. A session that is not closed keeps no process alive.
 */
export async function createSession(options: SessionOptions): Promise<Session> {
  const around = surroundingsOf(options?.clock)
  return openSession(await readSessionOptions(options, around), around)
}

/** A fresh key for a session: its `thumbprint` is what the orchestrator gives as `dpopJkt`. It can't be exported. */
export const createSessionKey = (): OwnKey => createOwnKey()
