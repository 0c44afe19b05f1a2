// What can happen: the closed list of entry kinds and the members of an entry. It decides which members are personal
// (they enter the hashed bytes as commitments only) and nothing about where entries rest.

export const KINDS = [
  "policy.loaded",
  "policy.used",
  "policy.refused",
  "client.authenticated",
  "client.refused",
  "client.left",
  "task.started",
  "task.refused",
  "task.paused",
  "task.resumed",
  "task.completed",
  "task.failed",
  "task.canceled",
  "task.expired",
  "task.revoked",
  "task.closed",
  "token.issued",
  "token.renewed",
  "token.delegated",
  "token.refused",
  "token.revoked",
  "token.unsigned",
  "token.introspected",
  "token.exposed",
  "approval.requested",
  "approval.granted",
  "approval.denied",
  "approval.expired",
  "use.allowed",
  "use.refused",
  "use.observed",
  "verifier.joined",
  "verifier.reported",
  "verifier.gap",
  "verifier.silent",
  "verifier.returned",
  "lock.set",
  "lock.lifted",
  "key.created",
  "key.activated",
  "key.confirmed",
  "key.retired",
  "key.rewrapped",
  "alarm.raised",
  "alarm.cleared",
  "webhook.abandoned",
  "access.read",
  "canary.issued",
  "ledger.erased",
  "ledger.archived",
  "ledger.begun",
] as const

export type Kind = (typeof KINDS)[number]

/** Outcome of what an entry tells, for filters: it was permitted, it was refused, or it is neither. */
export type OutcomeOfEvent = "allowed" | "refused"

export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json }

/** Personal members of the body; with `sub`, `resource` and `reference` they are committed to, never written out. */
export const PERSONAL_IN_BODY = ["purpose", "inputs", "reason", "parameters", "places"] as const

/**
 * One event, before it is an entry. Times are epoch milliseconds. `body` holds whatever else the kind tells, in
 * snake_case; its members named in PERSONAL_IN_BODY are committed to.
 */
export interface Event {
  readonly kind: Kind
  readonly at: number
  readonly task?: string
  readonly jti?: string
  readonly agent?: string
  readonly instance?: string
  readonly orchestrator?: string
  readonly sub?: string
  readonly api?: string
  readonly operation?: string
  /** Personal: a path of segments joined by `/`. */
  readonly resource?: string
  /** Personal: the orchestrator's own id of the execution. */
  readonly reference?: string | undefined
  readonly outcome?: OutcomeOfEvent
  readonly code?: string
  readonly body?: { readonly [member: string]: Json | undefined }
}
