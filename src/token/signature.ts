// Which keys sign and which signatures hold: ES256 and EdDSA (Ed25519), nothing else, so that no algorithm can be
// talked into. It decides nothing about who owns a key. Synchronous node:crypto: it signs twice as fast as WebCrypto.
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto"

import { fromDer, toDer } from "./der.ts"
import { Members } from "./members.ts"
import { CURVES, type Curve, type Point, pointOf } from "./point.ts"

export type Algorithm = "ES256" | "EdDSA"

/** A public key as RFC 7517 writes it: `x` and `y` for P-256, `x` alone for Ed25519. */
export interface PublicJwk {
  readonly kty: "EC" | "OKP"
  readonly crv: "P-256" | "Ed25519"
  readonly x: string
  readonly y?: string
  readonly kid?: string
  readonly alg?: Algorithm
  readonly use?: "sig"
}

/** RFC 7517 section 5, public keys only. */
export interface JsonWebKeySet {
  readonly keys: readonly PublicJwk[]
}

export interface PrivateJwk extends PublicJwk {
  readonly kid: string
  readonly d: string
}

export interface VerificationKey {
  readonly kid: string
  readonly alg: Algorithm
  /** RFC 7638, SHA-256, base64url: what `cnf.jkt` carries. */
  readonly thumbprint: string
  readonly key: KeyObject
  /** With `kid`, `alg` and `use` filled in, and no member that was not checked. */
  readonly jwk: PublicJwk
}

export interface SigningKey {
  readonly kid: string
  readonly alg: Algorithm
  readonly thumbprint: string
  readonly publicJwk: PublicJwk
  /** 64 bytes: r and s (RFC 7518 section 3.4), or an Ed25519 signature (RFC 8037). */
  sign(input: Uint8Array): Uint8Array
}

/** A signing key of the issuer: where its private half rests elsewhere, a signature takes its time. */
export interface IssuingKey extends Omit<SigningKey, "sign"> {
  sign(input: Uint8Array): Uint8Array | Promise<Uint8Array>
}

export type KeyFaultTag =
  | "format"
  | "private"
  | "algorithm"
  | "use"
  | "point"
  | "kid"
  | "kid_duplicate"
  | "size"

/** Why a key or a key set was not taken. Carries no piece of it. */
export class KeyFault {
  readonly tag: KeyFaultTag

  constructor(tag: KeyFaultTag) {
    this.tag = tag
  }
}

const DIGESTS: Readonly<Record<Algorithm, "sha256" | null>> = { ES256: "sha256", EdDSA: null }

const MAX_KEYS = 16
const SIGNATURE_BYTES = 64
const KID = /^[A-Za-z0-9_-]{1,64}$/
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"]

/** A key id as every header and key set of ours spells it. */
export const isKid = (value: unknown): value is string => typeof value === "string" && KID.test(value)

/**
 * Reads one public key. Guaranteed: P-256 or Ed25519, a point of the curve in its one spelling, for signatures, no
 * private member. `kid` defaults to the thumbprint, `alg` to the curve's. Members that are not named above are dropped.
 * Does NOT check whose key it is.
 */
export function readPublicJwk(value: unknown): VerificationKey | KeyFault {
  const members = ownMembers(value)
  if (!members) return new KeyFault("format")
  if (PRIVATE_MEMBERS.some((name) => members[name] !== undefined)) return new KeyFault("private")
  const curve = CURVES.find((one) => one.kty === members.kty && one.crv === members.crv)
  if (!curve || (members.alg !== undefined && members.alg !== curve.alg)) return new KeyFault("algorithm")
  if (!isForVerifying(members)) return new KeyFault("use")
  if (members.kid !== undefined && !isKid(members.kid)) return new KeyFault("kid")
  if (curve.kty === "OKP" && members.y !== undefined) return new KeyFault("format")
  const point = pointOf(curve, members)
  if (!point) return new KeyFault("point")
  return describe(curve, members, point)
}

/**
 * Reads a key set (RFC 7517 section 5) into a map by `kid`: all of its keys or none. One key that can't be taken (RSA,
 * symmetric, private, off the curve), a `kid` used twice or more than 16 keys refuse the whole set.
 */
export function readKeySet(value: unknown): ReadonlyMap<string, VerificationKey> | KeyFault {
  const keys = ownMembers(value)?.keys
  if (!Array.isArray(keys)) return new KeyFault("format")
  if (keys.length > MAX_KEYS) return new KeyFault("size")
  const set = new Map<string, VerificationKey>()
  for (const one of keys) {
    const key = readPublicJwk(one)
    if (key instanceof KeyFault) return key
    if (set.has(key.kid)) return new KeyFault("kid_duplicate")
    set.set(key.kid, key)
  }
  return set
}

/** Whether the signature of exactly 64 bytes holds. An ECDSA signature has a twin that holds too: never a key to a cache. */
export function verifySignature(
  key: VerificationKey,
  signingInput: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  return verify(DIGESTS[key.alg], signingInput, key.key, key.alg === "ES256" ? toDer(signature) : signature)
}

/** Imports a private key and tries it once. Throws TypeError where it is not a P-256 or Ed25519 key pair. */
export function importSigningKey(privateJwk: unknown): SigningKey {
  const members = ownMembers(privateJwk)
  if (!members || typeof members.d !== "string")
    throw new TypeError("A private JWK with the member d is needed")
  const { d, ...publicMembers } = members
  const own = readPublicJwk(publicMembers)
  if (own instanceof KeyFault)
    throw new TypeError(`A private JWK of P-256 or Ed25519 is needed; this one fails in: ${own.tag}`)
  const signer = signerOf(own, importSecret(own.jwk, d))
  const probe = Buffer.from(own.thumbprint)
  if (!verifySignature(own, probe, signer.sign(probe)))
    throw new TypeError("The private JWK's halves don't belong together")
  return signer
}

const signerOf = (own: VerificationKey, secret: KeyObject): SigningKey => ({
  kid: own.kid,
  alg: own.alg,
  thumbprint: own.thumbprint,
  publicJwk: own.jwk,
  sign: (input) => {
    const signature = sign(DIGESTS[own.alg], input, secret)
    return own.alg === "ES256" ? fromDer(signature) : signature
  },
})

/** A fresh key whose private half nobody can have: no function answers it, and it ends with the process. */
export function generateSigningKey(alg: Algorithm): SigningKey {
  const pair = generatePair(alg)
  const own = readPublicJwk(pair.publicKey.export({ format: "jwk" }))
  if (own instanceof KeyFault) throw new Error("A generated key could not be read back")
  return signerOf(own, pair.privateKey)
}

const generatePair = (alg: Algorithm) =>
  alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519")

/** The half of a signing key that verifies. */
export function publicHalf(key: SigningKey): VerificationKey {
  const own = readPublicJwk(key.publicJwk)
  if (own instanceof KeyFault) throw new TypeError("The signing key has no readable public half")
  return own
}

/** A fresh key pair, `kid` its RFC 7638 thumbprint. */
export function generatePrivateJwk(alg: Algorithm): PrivateJwk {
  const { d, ...publicMembers } = generatePair(alg).privateKey.export({ format: "jwk" })
  const own = readPublicJwk(publicMembers)
  if (own instanceof KeyFault || d === undefined) throw new Error("A generated key could not be read back")
  return { ...own.jwk, kid: own.kid, d }
}

function describe(
  curve: Curve,
  members: Readonly<Record<string, unknown>>,
  { key, thumbprint }: Point,
): VerificationKey {
  const kid = isKid(members.kid) ? members.kid : thumbprint
  const { kty, crv, alg } = curve
  const y = curve.kty === "EC" ? { y: String(members.y) } : {}
  return { kid, alg, thumbprint, key, jwk: { kty, crv, x: String(members.x), ...y, kid, alg, use: "sig" } }
}

function isForVerifying(members: Readonly<Record<string, unknown>>): boolean {
  if (members.use !== undefined && members.use !== "sig") return false
  const operations = members.key_ops
  return (
    operations === undefined ||
    (Array.isArray(operations) && operations.length === 1 && operations[0] === "verify")
  )
}

function importSecret(jwk: PublicJwk, d: string): KeyObject {
  const { kty, crv, x, y } = jwk
  try {
    return createPrivateKey({ key: { kty, crv, x, d, ...(y !== undefined && { y }) }, format: "jwk" })
  } catch {
    // Without a cause: what node:crypto says of a private key is nobody's to read.
    throw new TypeError("The private JWK can't be imported")
  }
}

/** Own members only, so that nothing inherited is ever taken for a member. */
function ownMembers(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  return Object.assign(new Members<unknown>(), value)
}
