// DPoP (RFC 9449): a proof, made for one request, that the sender holds a key. Reading checks the proof's own signature;
// judging compares it with the request. Replay and nonces are the caller's, who can remember.
import { hash } from "node:crypto"
import { type Refusal, refuse } from "../errors.ts"
import { isEpoch, isText } from "./claims.ts"
import { newUuid } from "./id.ts"
import { readJwt, signJwt, Unreadable } from "./jwt.ts"
import { isHash } from "./name.ts"
import {
  KeyFault,
  readPublicJwk,
  type SigningKey,
  type VerificationKey,
  verifySignature,
} from "./signature.ts"

const PROOF_TYP = "dpop+jwt"
/** How old a proof may be, and how far ahead. A replay store keeps a proof until `iat + MAX_PROOF_AGE_SECONDS` has passed. */
export const MAX_PROOF_AGE_SECONDS = 60
export const MAX_PROOF_AHEAD_SECONDS = 10

export interface Proof {
  /** RFC 7638 thumbprint of the key that made it. */
  readonly jkt: string
  readonly key: VerificationKey
  readonly jti: string
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly ath?: string
  readonly nonce?: string
}

const RULES = { typ: [PROOF_TYP], header: ["typ", "alg", "jwk"], maxLength: 4096 } as const

/**
 * Reads a proof and checks that the key in it made it (RFC 9449 section 4.3, checks 2 to 7). Does NOT compare it with any
 * request, token or time.
 */
export function readProof(text: string): Proof | Unreadable {
  const jwt = readJwt(text, RULES)
  if (jwt instanceof Unreadable) return jwt
  const key = readPublicJwk(jwt.header.jwk)
  if (key instanceof KeyFault) return new Unreadable("key")
  if (key.alg !== jwt.header.alg) return new Unreadable("alg")
  if (!verifySignature(key, jwt.signingInput, jwt.signature)) return new Unreadable("signature")
  const { jti, htm, htu, iat, ath, nonce } = jwt.payload
  if (!isText(jti, 256)) return new Unreadable("claims", "jti")
  if (!isText(htm, 32)) return new Unreadable("claims", "htm")
  if (!isText(htu, 2048)) return new Unreadable("claims", "htu")
  if (!isEpoch(iat)) return new Unreadable("claims", "iat")
  if (ath !== undefined && !isHash(ath)) return new Unreadable("claims", "ath")
  if (nonce !== undefined && !isText(nonce, 256)) return new Unreadable("claims", "nonce")
  const { thumbprint: jkt } = key
  return {
    jkt,
    key,
    jti,
    htm,
    htu,
    iat,
    ...(ath !== undefined && { ath }),
    ...(nonce !== undefined && { nonce }),
  }
}

export interface ProofCircumstances {
  readonly method: string
  /** The public URL of the request, from configuration, never from Host; query and fragment are left out of the comparison. */
  readonly url: string
  /** The token that came with the proof; then `ath` must be its hash. */
  readonly accessToken?: string | undefined
  /** The thumbprint the token is bound to. */
  readonly jkt?: string | undefined
  /** Epoch seconds. */
  readonly now: number
  /** Whether `iat` counts. Default true; false only where a nonce has shown when the proof was made (section 11.1). */
  readonly timed?: boolean
}

/** Compares a proof with its request (RFC 9449 section 4.3, checks 8 to 12). Does NOT look for replay, nor at the nonce. */
export function judgeProof(proof: Proof, here: ProofCircumstances): Refusal | undefined {
  const wrong = wrongIn(proof, here)
  return wrong === undefined ? undefined : refuse("proof_invalid", wrong)
}

function wrongIn(proof: Proof, here: ProofCircumstances): string | undefined {
  if (proof.htm !== here.method) return "htm"
  if (!isSameTarget(proof.htu, here.url)) return "htu"
  const { timed = true } = here
  if (timed && proof.iat < here.now - MAX_PROOF_AGE_SECONDS) return "old"
  if (timed && proof.iat > here.now + MAX_PROOF_AHEAD_SECONDS) return "not_yet"
  if (here.jkt !== undefined && proof.jkt !== here.jkt) return "jkt"
  if (here.accessToken === undefined) return undefined
  return proof.ath === accessTokenHash(here.accessToken) ? undefined : "ath"
}

/** RFC 9449 section 4.3: scheme and host in any case and the default port don't count; the path counts byte for byte. */
function isSameTarget(htu: string, url: string): boolean {
  const wanted = withoutQuery(url)
  if (htu === wanted) return true
  const [ours, theirs] = [splitOrigin(wanted), splitOrigin(htu)]
  return (
    ours !== undefined && theirs !== undefined && ours.origin === theirs.origin && ours.path === theirs.path
  )
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, "")

/** The path is not given to a URL parser: that would resolve `..` and re-encode. */
function splitOrigin(url: string): { origin: string; path: string } | undefined {
  const match = /^(https?:\/\/[^/?#\\@\s]+)(\/[^?#]*)?$/i.exec(url)
  if (!match?.[1] || !URL.canParse(match[1])) return undefined
  return { origin: new URL(match[1]).origin, path: match[2] ?? "/" }
}

/** `ath`: the base64url SHA-256 of the access token's ASCII bytes. */
export const accessTokenHash = (token: string): string => hash("sha256", token, "base64url")

export interface ProofInput {
  readonly method: string
  /** Query and fragment are left out. */
  readonly url: string
  readonly accessToken?: string | undefined
  readonly nonce?: string | undefined
  /** Epoch seconds. */
  readonly now: number
}

/** Makes a proof for one request; each has a `jti` of its own. */
export function signProof(input: ProofInput, key: SigningKey): string {
  const { kty, crv, x, y } = key.publicJwk
  const payload = {
    jti: newUuid(input.now * 1000),
    htm: input.method,
    htu: withoutQuery(input.url),
    iat: input.now,
    ...(input.accessToken !== undefined && { ath: accessTokenHash(input.accessToken) }),
    ...(input.nonce !== undefined && { nonce: input.nonce }),
  }
  return signJwt({ typ: PROOF_TYP, jwk: { kty, crv, x, ...(y !== undefined && { y }) } }, payload, key)
}
