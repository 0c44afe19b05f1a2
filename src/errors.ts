// Every refusal taskmint can give: its code, its HTTP status, the error its standard wants, the public text, and what the caller
// should do next. A refusal is a value; it decides nothing about who sees the reason (the ledger does, the wire never does).

/** What a caller does after a refusal: renew the token, wait and try again, ask for approval, or give up. */
export type Next = "renew" | "wait" | "ask_approval" | "stop"

interface Row {
  readonly status: number
  /** The error code of the standard that speaks at that place: RFC 6749, 6750, 8693, 8707 or 9449. */
  readonly error: string
  readonly title: string
  readonly next: Next
  /** The status at the issuer, where it differs from an API's: there, the token is fine and the task is not. */
  readonly issuerStatus?: number
}

const row = (status: number, error: string, next: Next, title: string, issuerStatus?: number): Row =>
  issuerStatus === undefined ? { status, error, title, next } : { status, error, title, next, issuerStatus }

/** The closed table. A code that is not here does not compile. */
export const REFUSALS = {
  // Requests that can't be read.
  invalid_request: row(400, "invalid_request", "stop", "The request is malformed; see errors for the fields"),
  unsupported_media_type: row(415, "invalid_request", "stop", "Send the content type that is documented"),
  body_too_large: row(413, "invalid_request", "stop", "The body is larger than this endpoint takes"),
  not_found: row(404, "invalid_request", "stop", "There is no such thing, or you may not see it"),
  method_not_allowed: row(405, "invalid_request", "stop", "This method is not offered here"),

  // Callers of the issuer.
  invalid_client: row(401, "invalid_client", "stop", "The caller could not be authenticated"),
  sign_in_again: row(401, "invalid_client", "stop", "The person has to sign in again: it was too long ago"),
  scope_not_allowed: row(400, "invalid_scope", "stop", "A scope was asked for that the caller does not have"),
  too_many_requests: row(
    429,
    "temporarily_unavailable",
    "wait",
    "Too many requests of this caller; wait, and reuse service tokens",
  ),
  unsupported_grant_type: row(
    400,
    "unsupported_grant_type",
    "stop",
    "Use client_credentials or token-exchange",
  ),
  service_token_missing: row(
    401,
    "invalid_token",
    "stop",
    "Send a service token from POST /token in Authorization",
  ),
  service_token_invalid: row(
    401,
    "invalid_token",
    "renew",
    "The service token is not valid; get a new one from POST /token",
  ),
  role_missing: row(403, "insufficient_scope", "stop", "The caller's role does not include this"),
  form_foreign: row(403, "access_denied", "stop", "The form was not sent by a page of this issuer"),

  // Mints.
  access_denied: row(
    403,
    "access_denied",
    "stop",
    "Policy does not allow this caller to start this task for this agent",
  ),
  condition_not_met: row(403, "access_denied", "stop", "A condition of the policy does not hold at present"),
  inputs_invalid: row(
    400,
    "invalid_request",
    "stop",
    "The inputs do not fit the task type; see errors for the fields",
  ),
  operation_not_allowed: row(
    403,
    "invalid_scope",
    "stop",
    "An operation was asked for that the task does not grant",
  ),
  api_not_allowed: row(
    400,
    "invalid_target",
    "stop",
    "A resource was asked for that the task does not grant",
  ),
  user_token_invalid: row(
    400,
    "invalid_grant",
    "stop",
    "The user's token is not accepted: it must be fresh, for this issuer, and not used before",
  ),
  authority_too_large: row(
    400,
    "invalid_scope",
    "stop",
    "The token would exceed 6 KiB; ask for fewer operations or split the task",
  ),
  key_required: row(
    400,
    "invalid_request",
    "stop",
    "The task type requires proof of possession; send dpop_jkt",
  ),
  locked: row(403, "access_denied", "stop", "A lock stands against this name; an operator can lift it"),
  limit_reached: row(429, "temporarily_unavailable", "wait", "A limit of the task type is reached"),
  uses_exhausted: row(403, "access_denied", "stop", "The task has had all the uses that its type allows"),
  reference_conflict: row(409, "invalid_request", "stop", "This reference was used for another request"),
  task_conflict: row(409, "temporarily_unavailable", "wait", "The task changed at the same time; try again"),
  renewal_not_allowed: row(403, "access_denied", "stop", "The task type does not allow renewal"),

  // Token exchange (RFC 8693).
  subject_token_invalid: row(
    400,
    "invalid_grant",
    "stop",
    "The subject token is none that can be exchanged: another kind, not genuine, or ended",
  ),
  subject_token_expired: row(
    400,
    "invalid_grant",
    "stop",
    "The subject token has expired; the orchestrator gets a new one",
  ),
  exchange_not_allowed: row(
    400,
    "unauthorized_client",
    "stop",
    "This caller may not exchange this token: agents use their own token with their key, orchestrators those of their tasks",
  ),
  delegation_not_allowed: row(
    403,
    "access_denied",
    "stop",
    "Policy does not allow this holder to delegate to this agent",
  ),
  delegation_ended: row(400, "invalid_grant", "stop", "The delegation, or one above it, has ended"),
  holder_above_expired: row(
    409,
    "temporarily_unavailable",
    "wait",
    "The holder above has no live token at the moment; it renews first",
  ),

  // Approvals.
  approval_required: row(403, "access_denied", "ask_approval", "A person has to agree first"),
  approval_pending: row(403, "access_denied", "wait", "Nobody has decided yet"),
  approval_denied: row(403, "access_denied", "stop", "The approval was denied"),
  approval_invalid: row(
    403,
    "access_denied",
    "ask_approval",
    "No such approval of this task stands any more",
  ),
  approver_not_allowed: row(403, "access_denied", "stop", "You may not decide this approval"),
  approval_decided: row(409, "invalid_request", "stop", "The approval was decided otherwise, or has ended"),
  token_used: row(401, "invalid_token", "ask_approval", "The task token was for one use and had it", 409),

  // Erasing.
  person_required: row(403, "access_denied", "stop", "Only a person who signed in may do this"),
  erasure_blocked: row(409, "invalid_request", "wait", "It is still needed: end it, lift locks, or wait"),

  // Answers of a proof of possession (RFC 9449).
  proof_invalid: row(401, "invalid_dpop_proof", "renew", "The DPoP proof is missing or wrong"),
  proof_nonce_wanted: row(401, "use_dpop_nonce", "renew", "Repeat the proof with the nonce from DPoP-Nonce"),

  // Policy and batches.
  policy_refused: row(
    422,
    "invalid_request",
    "stop",
    "The policy files are not valid; the policy in force stays",
  ),
  policy_superseded: row(
    409,
    "invalid_request",
    "stop",
    "This policy was superseded; an operator can bring it back with policy use",
  ),
  batch_invalid: row(
    400,
    "invalid_request",
    "stop",
    "The batch of uses is malformed or not signed by its instance",
  ),
  verifier_active: row(
    409,
    "temporarily_unavailable",
    "wait",
    "This verifier still reports; stop it, or wait a minute after its last word",
  ),
  key_signer_missing: row(
    409,
    "invalid_request",
    "stop",
    "Every signer that was configured has had its turn; configure a further one",
  ),
  key_encryption_key_wrong: row(
    409,
    "invalid_request",
    "stop",
    "The stored keys do not open with this key-encryption key; nothing was changed",
  ),
  batch_conflict: row(409, "invalid_request", "stop", "This sequence number was used for another batch"),

  // Task tokens at an API.
  token_missing: row(401, "", "stop", "This API needs a task token"),
  token_invalid: row(401, "invalid_token", "stop", "The task token is not valid here"),
  token_expired: row(401, "invalid_token", "renew", "The task token has expired"),
  token_revoked: row(401, "invalid_token", "stop", "The task token was revoked"),
  task_paused: row(401, "invalid_token", "wait", "The task is paused", 409),
  task_ended: row(401, "invalid_token", "stop", "The task has ended", 409),
  credential_ambiguous: row(
    400,
    "invalid_request",
    "stop",
    "Send exactly one credential, in the Authorization header",
  ),
  operation_not_granted: row(
    403,
    "insufficient_scope",
    "stop",
    "The task token does not grant this operation",
  ),
  resource_not_granted: row(403, "insufficient_scope", "stop", "The task token does not grant this resource"),
  segment_invalid: row(403, "insufficient_scope", "stop", "A part of the resource is not plain data"),
  parameters_not_granted: row(
    403,
    "insufficient_scope",
    "ask_approval",
    "The task token does not grant these parameters",
  ),
  route_unmapped: row(403, "insufficient_scope", "stop", "No operation is mapped to this route"),

  // Cannot tell.
  keys_unavailable: row(
    503,
    "temporarily_unavailable",
    "wait",
    "The issuer's keys are not to be had at the moment",
  ),
  revocations_stale: row(
    503,
    "temporarily_unavailable",
    "wait",
    "It is not known at the moment whether the token still stands",
  ),
  recording_unavailable: row(
    503,
    "temporarily_unavailable",
    "wait",
    "The use can't be recorded at the moment, so it is not served",
  ),
  temporarily_unavailable: row(
    503,
    "temporarily_unavailable",
    "wait",
    "The request can't be decided at the moment",
  ),
  clock_stepped: row(
    503,
    "temporarily_unavailable",
    "wait",
    "The issuer's clock stepped; it mints again when the clock is steady",
  ),
  ledger_forked: row(503, "temporarily_unavailable", "stop", "The ledger is not the one this API knew"),
  ledger_broken: row(503, "temporarily_unavailable", "stop", "The ledger is not the one that was signed"),
} as const satisfies Record<string, Row>

export type Code = keyof typeof REFUSALS

/** A place in the request that does not fit: an RFC 6901 pointer and what was expected there. */
export interface FieldError {
  readonly pointer: string
  readonly expected: string
}

/** A decision "no". `reason` is for the ledger and the log of the side that refused, never for the wire. */
export class Refusal {
  readonly code: Code
  readonly reason: string
  readonly errors: readonly FieldError[]
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: Code,
    reason: string,
    extra: { readonly errors?: readonly FieldError[]; readonly retryAfterSeconds?: number } = {},
  ) {
    this.code = code
    this.reason = reason
    this.errors = extra.errors ?? []
    this.retryAfterSeconds = extra.retryAfterSeconds ?? (REFUSALS[code].status === 503 ? 2 : undefined)
  }
}

export const refuse = (
  code: Code,
  reason: string,
  extra?: { readonly errors?: readonly FieldError[]; readonly retryAfterSeconds?: number },
): Refusal => new Refusal(code, reason, extra)
