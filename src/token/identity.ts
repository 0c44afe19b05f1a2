// What a genuine JWT of another issuer says about who somebody is: its audience, its time, and whether it is one of those
// that a policy's rules name. Plain data and `now` in, a verdict out. Values are compared exactly: there are no patterns, so
// nothing that somebody else may choose a name for can be made to fit.
import { hash } from "node:crypto"
import { SKEW_SECONDS } from "../time.ts"
import { isEpoch, isText } from "./claims.ts"
import type { ForeignJwt } from "./foreign-jwt.ts"
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts"
import { Unreadable } from "./jwt.ts"

/** What claims must be: a text or a truth value, the same one; members within members for claims that are objects. */
export interface ClaimRules {
  readonly [claim: string]: string | boolean | ClaimRules
}

/** Whom a rule names: all that is given must fit. */
export interface IdentityRule {
  readonly subject?: string
  readonly claims?: ClaimRules
}

export interface IdentityRules {
  /** The one `aud`: as a string, or as a list with nothing else in it. */
  readonly audience: string
  /** Who is meant: it fits one of them at least. Empty: whoever the issuer names. */
  readonly anyOf: readonly IdentityRule[]
  /** Epoch seconds. */
  readonly now: number
  /** The `typ` values taken besides none, `JWT` and `JOSE`, in any case. */
  readonly typ?: readonly string[]
  /** Longest life. Default one hour. */
  readonly maxLifeSeconds?: number
  /** Default 5; 0 for a token that is being exchanged. */
  readonly skewSeconds?: number
  /** A rule's text also fits a claim that is a list with that text in it: for groups of people. Default false. */
  readonly lists?: boolean
}

export interface VerifiedIdentity {
  readonly issuer: string
  readonly subject: string
  readonly claims: JsonObject
  readonly exp: number
  readonly kid: string
  /** The first of `anyOf` that it fits; undefined where `anyOf` is empty. */
  readonly rule: IdentityRule | undefined
  /** What makes the token this one and no other: its `jti`, else the hash of what was signed. Never its text. */
  readonly once: string
}

const MAX_SUBJECT = 1024
const DEFAULT_TYPES = ["jwt", "jose"]

/** Judges the claims of a JWT whose signature held. Does NOT spend it. */
export function judgeIdentity(jwt: ForeignJwt, rules: IdentityRules): VerifiedIdentity | Unreadable {
  const { payload, signingInput } = jwt
  const types = [...DEFAULT_TYPES, ...(rules.typ ?? [])]
  if (jwt.typ !== undefined && !types.includes(jwt.typ.toLowerCase())) return new Unreadable("typ")
  const { sub, jti, exp } = payload
  if (!isText(sub, MAX_SUBJECT)) return new Unreadable("claims", "sub")
  if (jti !== undefined && !isText(jti, 1024)) return new Unreadable("claims", "jti")
  if (!isOnly(payload.aud, rules.audience)) return new Unreadable("aud")
  const late = wrongTime(payload, rules)
  if (late) return late
  const rule = rules.anyOf.find((one) => fits(sub, payload, one, rules.lists ?? false))
  if (rules.anyOf.length > 0 && !rule) return new Unreadable("claims", "rule")
  const once = jti === undefined ? `sha-256:${hash("sha256", signingInput, "base64url")}` : `jti:${jti}`
  return { issuer: jwt.iss, subject: sub, claims: payload, exp: Number(exp), kid: jwt.kid, rule, once }
}

const isOnly = (aud: JsonValue | undefined, audience: string): boolean =>
  aud === audience || (Array.isArray(aud) && aud.length === 1 && aud[0] === audience)

function wrongTime({ exp, iat, nbf }: JsonObject, rules: IdentityRules): Unreadable | undefined {
  const { now, maxLifeSeconds: longest = 3600, skewSeconds: skew = SKEW_SECONDS } = rules
  if (!isEpoch(exp)) return new Unreadable("claims", "exp")
  if (iat !== undefined && (!isEpoch(iat) || iat >= exp)) return new Unreadable("claims", "iat")
  if (nbf !== undefined && !isEpoch(nbf)) return new Unreadable("claims", "nbf")
  if (exp <= now - skew) return new Unreadable("expired")
  if ((iat ?? 0) > now + SKEW_SECONDS || (nbf ?? 0) > now + SKEW_SECONDS) return new Unreadable("not_yet")
  // Without `iat` how long it lives is not known; how long it still lives is.
  return exp - (iat ?? now) > longest + (iat === undefined ? SKEW_SECONDS : 0)
    ? new Unreadable("claims", "exp")
    : undefined
}

function fits(sub: string, payload: JsonObject, rule: IdentityRule, lists: boolean): boolean {
  if (rule.subject === undefined && rule.claims === undefined) return false
  return (
    (rule.subject === undefined || rule.subject === sub) &&
    (rule.claims === undefined || claimsFit(payload, rule.claims, lists))
  )
}

/** Whether claims are what rules say they must be; `lists`: a claim that is a list may hold the text. */
export function claimsFit(claims: JsonObject, rules: ClaimRules, lists: boolean): boolean {
  return Object.entries(rules).every(([name, wanted]) => {
    const claim = claims[name]
    if (typeof wanted === "object") return isJsonObject(claim) && claimsFit(claim, wanted, lists)
    return claim === wanted || (lists && Array.isArray(claim) && claim.includes(wanted))
  })
}
