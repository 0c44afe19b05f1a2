// The guard in front of an API: whether one request may reach its handler, and that nothing passes unrecorded. It decides
// by the checks of token/ in the contract's order; what the host does with a refusal is copied, not chosen, by adapters.
import type { Answer } from "./challenge.ts"
import type { VerifierOptions } from "./options.ts"

/** The checked values of an allowed request: what a handler uses instead of reading the URL again. */
export interface TaskUse {
  readonly task: string
  readonly agent: string
  readonly instance: string
  readonly sub: string
  readonly orchestrator: string
  readonly operation: string
  /** The segments that were checked. */
  readonly resource: readonly string[]
  /** The route parameters that the resource was made of, decoded, by name. */
  readonly parameters: Readonly<Record<string, string>>
  readonly useId: string
}

/** A request as an adapter sees it: nothing here is trusted or normalised. */
export interface RequestView {
  readonly method: string
  /** The request target as received: path and query, or absolute-form. */
  readonly target: string
  /** Names and values in turn, as they came over the wire. */
  readonly rawHeaders: readonly string[]
  /** The route that the framework matched, as the host wrote it. */
  readonly route?: string
}

export interface Allowed {
  readonly outcome: "allowed"
  readonly use: TaskUse
  /** Joins the handler's status to the recorded use. Call it once, when the handler is done; it never waits. */
  finished(status: number): void
}

export interface Refused {
  readonly outcome: "refused"
  readonly answer: Answer
}

/** Only with `others: "next"`: the request carries no credential of ours. */
export interface NotOurs {
  readonly outcome: "not_ours"
}

export type Decision = Allowed | Refused | NotOurs

export interface Readiness {
  readonly ready: boolean
  /** What is missing, in words for an operator; empty when all is well. */
  readonly reasons: readonly string[]
}

export interface Verifier {
  /**
   * Decides one request. Allowed means: recorded durably in the spool already. Never rejects: a fault of any kind is a
   * refusal with 503. `resource` undefined: a part of it was absent or is not plain data.
   */
  check(
    view: RequestView,
    operation: string,
    resource: readonly string[] | undefined,
    parameters?: Readonly<Record<string, string>>,
  ): Promise<Decision>
  /** Whether keys and revocations are known and the spool takes uses. */
  ready(): Readiness
  /** Resolves when every use recorded so far is acknowledged by the issuer; waits as long as that takes. */
  flush(): Promise<void>
  /** Ships what it can within five seconds, says a final word to the issuer, releases the spool. What is left is shipped after the next start. */
  close(): Promise<void>
}

/** Opens the spool and starts to fetch keys and revocations. Resolves without network. Throws TypeError for misuse. */
export async function createVerifier(options: VerifierOptions): Promise<Verifier> {
  throw new TypeError(`not built yet: ${options.issuer}`)
}
