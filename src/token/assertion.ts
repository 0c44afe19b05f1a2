// How a caller proves who it is with a key of its own: private_key_jwt (RFC 7523, OpenID Connect Core section 9).
// Reading is apart from judging, because the claimed name is needed to find the keys. Single use is the database's.
import { type Refusal, refuse } from "../errors.ts"
import { SKEW_SECONDS } from "../time.ts"
import { isEpoch, isText } from "./claims.ts"
import type { JsonValue } from "./json.ts"
import { type Jwt, readJwt, signJwt, Unreadable } from "./jwt.ts"
import { isName } from "./name.ts"
import {
  generatePrivateJwk,
  importSigningKey,
  publicHalf,
  type SigningKey,
  type VerificationKey,
  verifySignature,
} from "./signature.ts"

/** The longest life of an assertion, and how far ahead `exp` may be. */
const MAX_ASSERTION_SECONDS = 300
const ASSERTION_TYP = "client-authentication+jwt"

/** Claimed, not proven, until `judgeAssertion` answers undefined. */
export interface ClientAssertion {
  readonly jwt: Jwt
  /** `iss` and `sub`, which are the same. */
  readonly clientId: string
  readonly aud: JsonValue | undefined
  readonly jti: string
  readonly exp: number
  readonly iat?: number
  readonly nbf?: number
}

const RULES = {
  typ: [ASSERTION_TYP, "JWT", undefined],
  header: ["typ", "alg", "kid"],
  maxLength: 4096,
} as const

/** Reads a client assertion's shape. Claims that are not named here are ignored. Does NOT check signature, audience or time. */
export function readClientAssertion(text: string): ClientAssertion | Unreadable {
  const jwt = readJwt(text, RULES)
  if (jwt instanceof Unreadable) return jwt
  const { iss, sub, aud, jti, exp, iat, nbf } = jwt.payload
  if (!isName(sub) || iss !== sub) return new Unreadable("claims", "sub")
  if (!isText(jti, 256)) return new Unreadable("claims", "jti")
  if (!isEpoch(exp)) return new Unreadable("claims", "exp")
  if (iat !== undefined && (!isEpoch(iat) || iat >= exp)) return new Unreadable("claims", "iat")
  if (nbf !== undefined && !isEpoch(nbf)) return new Unreadable("claims", "nbf")
  return {
    jwt,
    clientId: sub,
    aud,
    jti,
    exp,
    ...(iat !== undefined && { iat }),
    ...(nbf !== undefined && { nbf }),
  }
}

export interface AssertionCircumstances {
  /** The one audience taken: the issuer, as one string. */
  readonly issuer: string
  /** Epoch seconds. */
  readonly now: number
  /** The key sets of the caller claimed, from the policy; empty for a caller that does not exist. */
  readonly keySets: readonly ReadonlyMap<string, VerificationKey>[]
  /** The request's `client_id`, where it came along. */
  readonly clientId?: string | undefined
}

/**
 * Judges an assertion: key and signature first, then audience, name and time (life at most 5 minutes, 5 s of skew).
 * An unknown caller costs the same signature checks, so that the clock tells nothing. Answers `invalid_client` whatever
 * fails; the reason is for the ledger. Does NOT spend the `jti`: one insert in the database does.
 */
export function judgeAssertion(
  assertion: ClientAssertion,
  here: AssertionCircumstances,
): Refusal | undefined {
  const wrong = wrongSignature(assertion.jwt, here.keySets) ?? wrongClaim(assertion, here)
  return wrong === undefined ? undefined : refuse("invalid_client", wrong)
}

/** Without a `kid` a caller's keys are tried in turn; it has two while one replaces the other. */
const LEAST_TRIED = 2

function wrongSignature(jwt: Jwt, keySets: AssertionCircumstances["keySets"]): string | undefined {
  const { kid, alg } = jwt.header
  // Before anything is found out: the first one of an algorithm is made here, which takes a while.
  const decoy = decoyOf(alg)
  const known = keySets.flatMap((set) => (kid === undefined ? [...set.values()] : (set.get(kid) ?? [])))
  const keys = known.filter((key) => key.alg === alg)
  if (keys.some((key) => verifySignature(key, jwt.signingInput, jwt.signature))) return undefined
  const least = kid === undefined ? LEAST_TRIED : 1
  for (let tried = keys.length; tried < least; tried += 1)
    verifySignature(decoy, jwt.signingInput, jwt.signature)
  return keys.length === 0 ? "kid" : "signature"
}

function wrongClaim(assertion: ClientAssertion, here: AssertionCircumstances): string | undefined {
  const { exp, iat, nbf } = assertion
  const [earliest, latest] = [here.now - SKEW_SECONDS, here.now + SKEW_SECONDS]
  if (assertion.aud !== here.issuer) return "aud"
  if (here.clientId !== undefined && here.clientId !== assertion.clientId) return "client_id"
  if (exp < earliest) return "expired"
  if (exp > latest + MAX_ASSERTION_SECONDS) return "exp"
  if (iat !== undefined && (exp - iat > MAX_ASSERTION_SECONDS || iat > latest)) return "iat"
  return nbf !== undefined && nbf > latest ? "nbf" : undefined
}

const decoys = new Map<string, VerificationKey>()

/** A key that nobody has the other half of, of the algorithm asked for: one costs more than another. */
function decoyOf(alg: VerificationKey["alg"]): VerificationKey {
  const decoy = decoys.get(alg) ?? publicHalf(importSigningKey(generatePrivateJwk(alg)))
  decoys.set(alg, decoy)
  return decoy
}

export interface AssertionInput {
  readonly clientId: string
  readonly issuer: string
  /** Unique to this assertion. */
  readonly jti: string
  /** Epoch seconds. */
  readonly now: number
  /** Default 60. */
  readonly lifetimeSeconds?: number
}

/** The caller's side: signs an assertion for one request to the token endpoint. */
export function signClientAssertion(input: AssertionInput, key: SigningKey): string {
  const { clientId, issuer, jti, now } = input
  const exp = now + (input.lifetimeSeconds ?? 60)
  const payload = { iss: clientId, sub: clientId, aud: issuer, jti, iat: now, exp }
  return signJwt({ typ: ASSERTION_TYP, kid: key.kid }, payload, key)
}
