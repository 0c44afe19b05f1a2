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

/** RFC 6749 section 5.2. A wrong proof is 400 here, where no token is presented (RFC 9449 section 5). */
export function oauthError(
  refusal: Refusal,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { title, error, next } = REFUSALS[refusal.code]
  const errors = refusal.errors.length > 0 ? { errors: refusal.errors } : {}
  const body = { error, error_description: title, code: refusal.code, next, ...errors, request_id: requestId }
  const status = error === "invalid_dpop_proof" ? 400 : statusAtIssuer(refusal)
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      ...INERT,
      "cache-control": "no-store",
      ...(status === 401 && error !== "invalid_client" && { "www-authenticate": challenge(refusal, error) }),
      ...retryAfter(refusal),
      ...headers,
    },
  })
}

/** RFC 6750 section 3: no error where no credential was sent; RFC 9449 section 7.1 for proofs. */
function challenge(refusal: Refusal, error: string): string {
  if (refusal.code === "service_token_missing") return "Bearer"
  const scheme = error === "invalid_dpop_proof" || error === "use_dpop_nonce" ? "DPoP" : "Bearer"
  return `${scheme} error="${error}"`
}

const retryAfter = (refusal: Refusal): Record<string, string> =>
  refusal.retryAfterSeconds === undefined ? {} : { "retry-after": String(refusal.retryAfterSeconds) }
