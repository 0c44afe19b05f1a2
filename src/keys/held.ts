// One stored key: opened from its row, sealed for a new one, made where it is ours to make. What is published is derived
// from what was opened, never read from the rows: a row changed by hand can't put a foreign key into the key set.
import type { JWK } from "jose"
import {
  type Algorithm,
  type IssuingKey,
  importSigningKey,
  KeyFault,
  readPublicJwk,
  type VerificationKey,
} from "../token/signature.ts"
import type { HeldElsewhere } from "./signer.ts"
import type { KeyRow, KeyState } from "./statements.ts"
import type { Wrapping } from "./wrapping.ts"

const PURPOSE = "signing-key"

/** The stored keys can't be used with this key-encryption key, or without their signer: the process must not start. */
export class KeysLocked extends Error {
  override readonly name = "KeysLocked"
}

/** A key that is published. Times are epoch milliseconds. */
export interface StandingKey {
  readonly kid: string
  readonly state: KeyState
  readonly verification: VerificationKey
  /** Undefined: it rests elsewhere, and its signer was not given. */
  readonly issuing: IssuingKey | undefined
  readonly elsewhere: boolean
  readonly wrapped: Uint8Array
  readonly createdAt: number
  readonly activatedAt: number | undefined
  readonly usedAt: number | undefined
  /** Epoch seconds: when the last that it signed has run out. */
  readonly neededUntil: number | undefined
  /** On the monotonic clock: since when this process has published it. */
  readonly publishedSince: number
}

/** A key that is not in the database yet. */
export interface NewKey {
  readonly kid: string
  readonly alg: Algorithm
  readonly publicJwk: string
  readonly wrapped: Uint8Array
}

export type Signers = ReadonlyMap<string, HeldElsewhere>

/** Throws KeysLocked when it does not open, or is not the key that its row names. */
export function openRow(row: KeyRow, wrapping: Wrapping, signers: Signers, now: number): StandingKey {
  const secret = wrapping.open(row.wrapped, row.kid, PURPOSE)
  if (!secret) throw new KeysLocked(lockedMessage(row.kid))
  return { ...readHalves(secret, row.kid, signers), ...standingOf(row), publishedSince: now }
}

/** What of a row changes while the key stays the same. */
export const standingOf = (row: KeyRow) => ({
  kid: row.kid,
  state: row.state,
  wrapped: row.wrapped,
  createdAt: row.created_at,
  activatedAt: row.activated_at ?? undefined,
  usedAt: row.used_at ?? undefined,
  neededUntil: row.needed_until ?? undefined,
})

const lockedMessage = (kid: string): string =>
  `The stored signing key ${kid} does not open with this key-encryption key. Start with the key that this database was made with, or that \`keys rewrap\` gave it last; new signing keys are never made beside old ones.`

function readHalves(secret: Uint8Array, kid: string, signers: Signers) {
  const jwk: unknown = JSON.parse(Buffer.from(secret).toString("utf8"))
  const elsewhere = typeof jwk === "object" && jwk !== null && !("d" in jwk)
  const own = elsewhere ? undefined : importSigningKey(jwk)
  const verification = readPublicJwk(own ? own.publicJwk : jwk)
  // Not what it says: any key can say so.
  if (verification instanceof KeyFault || verification.thumbprint !== kid || verification.kid !== kid)
    throw new KeysLocked(`The stored signing key ${kid} is not the key that its id names.`)
  return { verification, issuing: own ?? signers.get(kid)?.issuing, elsewhere }
}

/** A key pair of our own, its `kid` the RFC 7638 thumbprint, sealed. */
export async function makeOwn(alg: Algorithm, wrapping: Wrapping): Promise<NewKey> {
  const jwk = await generatePrivateJwk(alg)
  const { kid, publicJwk } = importSigningKey(jwk)
  return { kid, alg, publicJwk: JSON.stringify(publicJwk), wrapped: seal(jwk, kid, wrapping) }
}

/** A key that rests elsewhere: its public half is sealed as a private one would be, so that nobody puts in another. */
export const takeElsewhere = ({ verification }: HeldElsewhere, wrapping: Wrapping): NewKey => ({
  kid: verification.kid,
  alg: verification.alg,
  publicJwk: JSON.stringify(verification.jwk),
  wrapped: seal(verification.jwk, verification.kid, wrapping),
})

const seal = (jwk: object, kid: string, wrapping: Wrapping): Uint8Array =>
  wrapping.seal(Buffer.from(JSON.stringify(jwk)), kid, PURPOSE)

/** The same secret under another key-encryption key. Throws KeysLocked when it does not open with the first. */
export function rewrapped({ wrapped, kid }: StandingKey, from: Wrapping, to: Wrapping): Uint8Array {
  const secret = from.open(wrapped, kid, PURPOSE)
  if (!secret) throw new KeysLocked(lockedMessage(kid))
  return to.seal(secret, kid, PURPOSE)
}

async function generatePrivateJwk(alg: Algorithm): Promise<JWK> {
  // Loaded here: few starts make a key, and every start would pay 5 MB for it.
  const { calculateJwkThumbprint, exportJWK, generateKeyPair } = await import("jose")
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, alg, use: "sig", kid: await calculateJwkThumbprint(jwk) }
}
