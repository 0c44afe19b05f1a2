// The finished answer to a refused request: status, headers and problem body from the one table of refusals. It decides
// nothing about the request; reasons never leave the process.
import { randomUUID } from "node:crypto"
import { REFUSALS, type Refusal } from "../errors.ts"
import type { Algorithm } from "../token/signature.ts"

/** What an adapter copies, as it stands. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The scheme that the request used or needed (RFC 6750, RFC 9449). */
export type Scheme = "Bearer" | "DPoP"

/** `nonce`: the one that the next proof is to have (RFC 9449 section 9); undefined where none is wanted. */
export type Challenge = (refusal: Refusal, scheme: Scheme, operation: string, nonce?: string) => Answer

/** Of every answer to a guarded request: no cache may keep it for others, nor for the same token once that has ended. */
export const NOT_SHARED = Object.freeze({ "Cache-Control": "no-store", Vary: "Authorization, DPoP" })

const ALGORITHMS: readonly Algorithm[] = ["ES256", "EdDSA"]

/** RFC 9728 section 3.1: the well-known path stands between the resource's host and its own path. */
export function metadataAddress(resource: string): string {
  const url = new URL(resource)
  const path = url.pathname === "/" ? "" : url.pathname
  return `${url.origin}/.well-known/oauth-protected-resource${path}`
}

/** RFC 9728: what a client must know to ask this API, at the path that every challenge names. */
export interface ResourceMetadata {
  /** The path of the well-known address, on the resource's own origin. */
  readonly path: string
  /** 200 with the document of RFC 9728 section 2, the same for everybody. */
  readonly answer: Answer
}

/** Only what holds for every operation; which operations there are is told to nobody who has no token. */
export function describeResource(issuer: string, resource: string): ResourceMetadata {
  const document = {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ["header"],
    authorization_details_types_supported: ["task_grant"],
    dpop_signing_alg_values_supported: ALGORITHMS,
  }
  const headers = { "Content-Type": "application/json", "Cache-Control": "public, max-age=300" }
  const answer = Object.freeze({ status: 200, headers, body: JSON.stringify(document) })
  return Object.freeze({ path: new URL(metadataAddress(resource)).pathname, answer })
}

/** Prepares the answers of one API. `operation` is named in `scope` where authority is what is missing. */
export function createChallenge(resource: string): Challenge {
  const metadata = `resource_metadata="${metadataAddress(resource)}"`
  return (refusal, scheme, operation, nonce) => {
    const row = REFUSALS[refusal.code]
    const headers: Record<string, string> = { "Content-Type": "application/problem+json", ...NOT_SHARED }
    if (row.status < 500) headers["WWW-Authenticate"] = authenticate(row.error, scheme, operation, metadata)
    if (refusal.retryAfterSeconds !== undefined) headers["Retry-After"] = String(refusal.retryAfterSeconds)
    if (nonce !== undefined) headers["DPoP-Nonce"] = nonce
    return { status: row.status, headers, body: problem(refusal) }
  }
}

/** RFC 6750 section 3.1: without a credential no error is named. RFC 9449 section 7.1 for the DPoP scheme. */
function authenticate(error: string, scheme: Scheme, operation: string, metadata: string): string {
  const dpop = scheme === "DPoP" || error === "invalid_dpop_proof" || error === "use_dpop_nonce"
  const parts = [
    ...(error === "" ? [] : [`error="${error}"`]),
    ...(error === "insufficient_scope" && operation !== "" ? [`scope="${operation}"`] : []),
    ...(dpop ? [`algs="${ALGORITHMS.join(" ")}"`] : []),
    metadata,
  ]
  return `${dpop ? "DPoP" : "Bearer"} ${parts.join(", ")}`
}

/** RFC 9457, with the contract's members. */
function problem(refusal: Refusal): string {
  const { status, title, next } = REFUSALS[refusal.code]
  const { code, errors } = refusal
  return JSON.stringify({
    type: "about:blank",
    title,
    status,
    code,
    next,
    ...(errors.length > 0 && { errors }),
    request_id: randomUUID(),
  })
}
