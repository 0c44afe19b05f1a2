// Which keys of somebody else's issuer (GitHub, a cluster, a cloud) verify its JWTs here, and whether a signature of theirs
// holds. Wider than signature.ts, because their algorithm is not ours to choose, and still closed: RS256, PS256, ES256 and
// EdDSA. It decides nothing about who the issuer is.
import { constants, createPublicKey, type KeyObject, verify } from "node:crypto"
import { JsonFault, parseJson } from "./json.ts"
import { KeyFault, readPublicJwk, type VerificationKey, verifySignature } from "./signature.ts"

export type ForeignAlgorithm = "RS256" | "PS256" | "ES256" | "EdDSA"

/** One key of theirs. What it verifies is fixed by the key, never by a token. */
export interface ForeignKey {
  readonly kid: string
  readonly alg: ForeignAlgorithm
  readonly verifies: (signingInput: Uint8Array, signature: Uint8Array) => boolean
}

const MAX_KEYS = 64
const MAX_TEXT = 64 * 1024
const KID = /^[\x21-\x7e]{1,256}$/
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
const SECRETS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]

/** A key id as others spell it: visible ASCII. */
export const isForeignKid = (value: unknown): value is string => typeof value === "string" && KID.test(value)

/** The same of a text, as an issuer answered it. */
export function readForeignKeys(text: string): ReadonlyMap<string, ForeignKey> | KeyFault {
  const value = parseJson(text, { maxLength: MAX_TEXT })
  return value instanceof JsonFault ? new KeyFault("format") : readForeignKeySet(value)
}

/**
 * Reads a key set (RFC 7517 section 5) of another issuer by `kid`. Keys that can't be used here (for encryption, of other
 * algorithms, RSA below 2048 bits, without a `kid`) are left out; a private or symmetric key, a `kid` used twice, more than
 * 64 keys or no key that can be used refuse the whole set. An RSA key without `alg` is for RS256 alone.
 */
export function readForeignKeySet(value: unknown): ReadonlyMap<string, ForeignKey> | KeyFault {
  const keys = isRecord(value) ? value.keys : undefined
  if (!Array.isArray(keys)) return new KeyFault("format")
  if (keys.length > MAX_KEYS) return new KeyFault("size")
  const set = new Map<string, ForeignKey>()
  for (const one of keys) {
    if (!isRecord(one)) return new KeyFault("format")
    if (one.kty === "oct" || SECRETS.some((name) => one[name] !== undefined)) return new KeyFault("private")
    const key = readForeignKey(one)
    if (!key) continue
    if (set.has(key.kid)) return new KeyFault("kid_duplicate")
    set.set(key.kid, key)
  }
  return set.size === 0 ? new KeyFault("algorithm") : set
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function readForeignKey(members: Readonly<Record<string, unknown>>): ForeignKey | undefined {
  const { kty, alg, use, key_ops: operations, kid } = members
  if (!isForeignKid(kid)) return undefined
  if (use !== undefined && use !== "sig") return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
    return undefined
  if (kty === "RSA") return readRsa(members, kid, alg ?? "RS256")
  const { crv, x, y } = members
  const own = readPublicJwk({ kty, crv, x, ...(y !== undefined && { y }), ...(alg !== undefined && { alg }) })
  return own instanceof KeyFault ? undefined : fromOwn(own, kid)
}

const fromOwn = (key: VerificationKey, kid: string): ForeignKey => ({
  kid,
  alg: key.alg,
  verifies: (input, signature) => verifySignature(key, input, signature),
})

function readRsa(
  { n, e }: Readonly<Record<string, unknown>>,
  kid: string,
  alg: unknown,
): ForeignKey | undefined {
  if (alg !== "RS256" && alg !== "PS256") return undefined
  if (typeof n !== "string" || n.length > 2 * MAX_RSA_BITS || e !== "AQAB") return undefined
  const key = importRsa(n, e)
  const bits = key?.asymmetricKeyDetails?.modulusLength ?? 0
  if (!key || bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return undefined
  const padded =
    alg === "RS256"
      ? { key, padding: constants.RSA_PKCS1_PADDING }
      : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const length = Math.ceil(bits / 8)
  const verifies = (input: Uint8Array, signature: Uint8Array) =>
    signature.length === length && verify("sha256", input, padded, signature)
  return { kid, alg, verifies }
}

function importRsa(n: string, e: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" })
  } catch {
    return undefined // node:crypto throws different errors for a modulus that is none; all mean that
  }
}
