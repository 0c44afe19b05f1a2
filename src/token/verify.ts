// Whether a task token is genuine, whether it stands here and now, and whether it grants a use: three questions, in this
// order. Revocation, proof of possession and recording are asked elsewhere.
import { type Refusal, refuse } from "../errors.ts"
import { SKEW_SECONDS } from "../time.ts"
import type { Grant } from "./authority.ts"
import { Unreadable } from "./jwt.ts"
import { isSegment, MAX_SEGMENTS, matchesResource } from "./resource.ts"
import { type KeyOf, openAllSigned, openSigned, type Signed } from "./signed.ts"
import { MAX_TOKEN_BYTES, parseTaskToken, TASK_TOKEN_TYP, type TaskToken } from "./token.ts"

/** Our signature and our shape, whatever its time, audience or state. */
export interface GenuineToken {
  readonly token: TaskToken
  readonly kid: string
}

const RULES = { typ: [TASK_TOKEN_TYP], header: ["typ", "alg", "kid"], maxLength: MAX_TOKEN_BYTES } as const

/**
 * Opens a task token (RFC 9068): size, form, header, key, signature, claims, in this order. Tag `kid`: no such key,
 * which is "cannot tell" while keys can't be fetched. Does NOT check time, issuer, audience, revocation or possession.
 */
export const openTaskToken = (text: string, keyOf: KeyOf): GenuineToken | Unreadable =>
  readClaims(openSigned(text, RULES, keyOf))

/** The same of many, in their order, which costs less than one after the other. */
export const openTaskTokens = (
  texts: readonly string[],
  keyOf: KeyOf,
): readonly (GenuineToken | Unreadable)[] => openAllSigned(texts, RULES, keyOf).map(readClaims)

function readClaims(signed: Signed | Unreadable): GenuineToken | Unreadable {
  if (signed instanceof Unreadable) return signed
  const token = parseTaskToken(signed.payload)
  return token instanceof Unreadable ? token : { token, kid: signed.kid }
}

/**
 * Whether a genuine token stands at this issuer, for this API, now (epoch seconds), with 5 s of skew. Issuer and
 * audience are compared byte for byte. The reason tells which of `iss`, `aud`, `not_yet`, `expired` fails.
 */
export function judgeToken(
  token: TaskToken,
  here: { readonly issuer: string; readonly audience: string; readonly now: number },
): Refusal | undefined {
  if (token.iss !== here.issuer) return refuse("token_invalid", "iss")
  if (token.aud !== here.audience) return refuse("token_invalid", "aud")
  // Never before iat: the parser has seen to it.
  if (token.nbf > here.now + SKEW_SECONDS) return refuse("token_invalid", "not_yet")
  return token.exp < here.now - SKEW_SECONDS ? refuse("token_expired", "expired") : undefined
}

/**
 * Whether the token grants this operation on this resource, and by which of its grants: one that is bound to no parameters
 * where there is one. Segments are data: one that is not refuses the use before anything is compared. Does NOT look at
 * parameters and single use.
 */
export function judgeUse(token: TaskToken, operation: string, resource: readonly string[]): Refusal | Grant {
  if (!token.scope.includes(operation)) return refuse("operation_not_granted", "operation")
  const readable = resource.length > 0 && resource.length <= MAX_SEGMENTS && resource.every(isSegment)
  if (!readable) return refuse("segment_invalid", "segment")
  let found: Grant | undefined
  for (const grant of token.grants) {
    if (!grant.operations.includes(operation)) continue
    if (!grant.resources.some((one) => matchesResource(one, resource))) continue
    if (grant.parameters === undefined && !grant.once) return grant
    found ??= grant
  }
  return found ?? refuse("resource_not_granted", "resource")
}
