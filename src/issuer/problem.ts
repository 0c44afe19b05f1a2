// How a refusal looks on the wire: problem+json (RFC 9457), or an OAuth error where OAuth says so (RFC 6749 section 5.2). The code
// comes from the one table in errors.ts; the reason stays inside.
import { REFUSALS, type Refusal } from "../errors.ts"
import { INERT } from "./inert.ts"

export const PROBLEM_TYPE = "application/problem+json"

/** At an API the token is at fault, here the task. */
export const statusAtIssuer = (refusal: Refusal): number =>
  REFUSALS[refusal.code].issuerStatus ?? REFUSALS[refusal.code].status

/** `requestId` is what a caller quotes to the operator. Nothing of the request itself is repeated. */
export function problem(
  refusal: Refusal,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { title, next, error } = REFUSALS[refusal.code]
  const status = statusAtIssuer(refusal)
  const errors = refusal.errors.length > 0 ? { errors: refusal.errors } : {}
  const body = {
    type: "about:blank",
    title,
    status,
    code: refusal.code,
    next,
    ...errors,
    request_id: requestId,
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": PROBLEM_TYPE,
      ...INERT,
      "cache-control": "no-store",
      ...(status === 401 && { "www-authenticate": challenge(refusal, error) }),
      ...retryAfter(refusal),
      ...headers,
    },
  })
}

/** As RFC 6749 section 5.2 has them: always 400. A wrong proof, too, where no token is presented (RFC 9449 section 5). */
const ALWAYS_400: ReadonlySet<string> = new Set([
  "invalid_grant",
  "invalid_scope",
  "invalid_target",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_dpop_proof",
  "use_dpop_nonce",
])

/**
 * What OAuth calls a refusal, and its status. The token of a task that doesn't run is no grant; what no error of OAuth says,
 * such as that policy says no or that it passes, keeps its own status.
 */
function inOAuth(refusal: Refusal): { readonly error: string; readonly status: number } {
  const { error } = REFUSALS[refusal.code]
  const status = statusAtIssuer(refusal)
  if (error === "invalid_token" && status !== 401) return { error: "invalid_grant", status: 400 }
  return { error, status: ALWAYS_400.has(error) ? 400 : status }
}

/** RFC 6749 section 5.2. `unauthenticated`: what a service token that is none is called there. */
const oauth =
  (unauthenticated: "invalid_client" | "invalid_token"): typeof problem =>
  (refusal, requestId, headers = {}) => {
    const { title, next } = REFUSALS[refusal.code]
    const { error, status } = inOAuth(refusal)
    const errors = refusal.errors.length > 0 ? { errors: refusal.errors } : {}
    const called = error === "invalid_token" ? unauthenticated : error
    const { code } = refusal
    const body = { error: called, error_description: title, code, next, ...errors, request_id: requestId }
    return new Response(JSON.stringify(body), {
      status,
      headers: {
        "content-type": "application/json",
        ...INERT,
        "cache-control": "no-store",
        ...(status === 401 &&
          error !== "invalid_client" && { "www-authenticate": challenge(refusal, error) }),
        ...retryAfter(refusal),
        ...headers,
      },
    })
  }

/** Where a service token is the credential (RFC 7662 section 2.3, RFC 7009 section 2.2.1). */
export const oauthError = oauth("invalid_token")

/** At the token endpoint, where it authenticates a client. */
export const tokenError = oauth("invalid_client")

/** RFC 6750 section 3: no error where no credential was sent; RFC 9449 section 7.1 for proofs. */
function challenge(refusal: Refusal, error: string): string {
  if (refusal.code === "service_token_missing") return "Bearer"
  const scheme = error === "invalid_dpop_proof" || error === "use_dpop_nonce" ? "DPoP" : "Bearer"
  return `${scheme} error="${error}"`
}

const retryAfter = (refusal: Refusal): Record<string, string> =>
  refusal.retryAfterSeconds === undefined ? {} : { "retry-after": String(refusal.retryAfterSeconds) }
