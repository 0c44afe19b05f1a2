// What one of several keys signed, opened strictly: the steps that every kind of JWT of ours has in common. Whose keys these
// are, and what the claims must be, is each kind's.
import type { JsonObject } from "./json.ts"
import { type JwtRules, readJwt, Unreadable } from "./jwt.ts"
import type { KnownTexts } from "./known-texts.ts"
import { type VerificationKey, verifySignature } from "./signature.ts"

/** The key of this `kid`; undefined where there is none. */
export type KeyOf = (kid: string) => VerificationKey | undefined

/**
 * Form, header, key, its algorithm, signature, in this order. The signature of a text that is among `known` is not checked
 * again; one that is right is added. Does NOT check any claim.
 */
export function openSigned(
  text: string,
  rules: JwtRules,
  keyOf: KeyOf,
  known?: KnownTexts,
): { readonly payload: JsonObject; readonly kid: string } | Unreadable {
  const jwt = readJwt(text, rules)
  if (jwt instanceof Unreadable) return jwt
  const { kid, alg } = jwt.header
  const key = kid === undefined ? undefined : keyOf(kid)
  if (kid === undefined || !key) return new Unreadable("kid")
  if (key.alg !== alg) return new Unreadable("alg")
  if (known?.has(text)) return { payload: jwt.payload, kid }
  if (!verifySignature(key, jwt.signingInput, jwt.signature)) return new Unreadable("signature")
  known?.add(text)
  return { payload: jwt.payload, kid }
}
