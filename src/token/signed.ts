// What one of several keys signed, opened strictly: the steps that every kind of JWT of ours has in common. Whose keys these
// are, and what the claims must be, is each kind's.
import type { JsonObject } from "./json.ts"
import { type Jwt, type JwtRules, readJwt, Unreadable } from "./jwt.ts"
import type { KnownTexts } from "./known-texts.ts"
import { type VerificationKey, verifySignature } from "./signature.ts"

/** The key of this `kid`; undefined where there is none. */
export type KeyOf = (kid: string) => VerificationKey | undefined

export interface Signed {
  readonly payload: JsonObject
  readonly kid: string
}

/**
 * Form, header, key, its algorithm, signature, in this order. The signature of a text that is among `known` is not checked
 * again; one that is right is added. Does NOT check any claim.
 */
export function openSigned(
  text: string,
  rules: JwtRules,
  keyOf: KeyOf,
  known?: KnownTexts,
): Signed | Unreadable {
  const read = readSigned(text, rules, keyOf)
  if (read instanceof Unreadable) return read
  if (known?.has(text)) return { payload: read.jwt.payload, kid: read.kid }
  const signed = checkSigned(read)
  if (!(signed instanceof Unreadable)) known?.add(text)
  return signed
}

/**
 * The same of many texts, in their order. All are read before a signature is checked: checking pushes everything else out of
 * the processor's nearest memory, and one after the other each text would be read from further away.
 */
export function openAllSigned(
  texts: readonly string[],
  rules: JwtRules,
  keyOf: KeyOf,
): readonly (Signed | Unreadable)[] {
  const read = texts.map((text) => readSigned(text, rules, keyOf))
  return read.map((one) => (one instanceof Unreadable ? one : checkSigned(one)))
}

interface ReadJwt {
  readonly jwt: Jwt
  readonly kid: string
  readonly key: VerificationKey
}

function readSigned(text: string, rules: JwtRules, keyOf: KeyOf): ReadJwt | Unreadable {
  const jwt = readJwt(text, rules)
  if (jwt instanceof Unreadable) return jwt
  const { kid, alg } = jwt.header
  const key = kid === undefined ? undefined : keyOf(kid)
  if (kid === undefined || !key) return new Unreadable("kid")
  return key.alg === alg ? { jwt, kid, key } : new Unreadable("alg")
}

const checkSigned = ({ jwt, kid, key }: ReadJwt): Signed | Unreadable =>
  verifySignature(key, jwt.signingInput, jwt.signature)
    ? { payload: jwt.payload, kid }
    : new Unreadable("signature")
