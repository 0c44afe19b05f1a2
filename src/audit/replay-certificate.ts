// A signed statement of one replay: which candidate, over which part of which ledger, with what result. Whoever ran the
// replay signs with the key by which they call the issuer, as a compact JWS; anybody checks it with that key's public half.
// It proves who says so, not that it is so: the checkpoint lets the same replay be done again.
import { isJsonObject, type JsonObject } from "../token/json.ts"
import { readJwt, signJwt, Unreadable } from "../token/jwt.ts"
import { KeyFault, readKeySet, type SigningKey, verifySignature } from "../token/signature.ts"
import type { ReplayReport } from "./replay.ts"

const TYP = "policy-replay+jwt"
const MAX_BYTES = 64 * 1024

/** What is signed; times are RFC 3339. */
export interface ReplayClaims {
  /** Who replayed: a name in the policy. */
  readonly iss: string
  /** Epoch seconds. */
  readonly iat: number
  /** The candidate's digest. */
  readonly policy: string
  /** The issuer whose ledger it is, or the file that was read. */
  readonly ledger: string
  readonly from: string
  readonly to: string
  /** A signed checkpoint (C2SP tlog-checkpoint) that stood when the reading ended. */
  readonly checkpoint?: string
  readonly statement: string
  readonly result: Omit<ReplayReport, "hits">
}

/** `12 of 12 uses in the window permitted`. */
export const statementOf = ({ uses }: ReplayReport): string =>
  `${uses.permitted} of ${uses.total} uses in the window permitted`

export const signReplay = (claims: ReplayClaims, key: SigningKey): string =>
  signJwt({ typ: TYP, kid: key.kid }, claims, key)

/** The claims of a certificate that one of these keys (RFC 7517 section 5) signed; else why it is none. */
export function readReplay(text: string, keys: unknown): JsonObject | string {
  const set = readKeySet(keys)
  if (set instanceof KeyFault) return "the keys are no set of public keys"
  const jwt = readJwt(text, { typ: [TYP], header: ["typ", "alg", "kid"], maxLength: MAX_BYTES })
  if (jwt instanceof Unreadable) return `it can't be read (${jwt.tag})`
  const key = set.get(jwt.header.kid ?? "")
  if (!key || key.alg !== jwt.header.alg) return "none of the keys has signed it"
  if (!verifySignature(key, jwt.signingInput, jwt.signature)) return "its signature does not hold"
  return isJsonObject(jwt.payload) ? jwt.payload : "it says nothing"
}
