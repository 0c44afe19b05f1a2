// Keys whose private half rests elsewhere, in a KMS or an HSM: one method to be written for each kind of place. It decides
// that nothing leaves that its public half would not open, and how long a signature may take; which key signs, the
// keyring decides.
import { setTimeout as sleep } from "node:timers/promises"
import {
  type IssuingKey,
  KeyFault,
  readPublicJwk,
  type VerificationKey,
  verifySignature,
} from "../token/signature.ts"

/** One key that rests elsewhere. Its `kid` is its RFC 7638 thumbprint, whatever the JWK says. */
export interface Signer {
  /** P-256 (ES256) or Ed25519 (EdDSA), without private members. */
  readonly publicJwk: object
  /**
   * Signs these bytes; for ES256 they are hashed with SHA-256 first. 64 bytes: r and s (RFC 7518 section 3.4), not DER, or
   * an Ed25519 signature (RFC 8037). Rejects when it can't; what it says then is seen by nobody but the log.
   */
  sign(input: Uint8Array): Promise<Uint8Array>
}

/** A signature was not to be had, or was not by the key that it should be by. */
export class SignerFailed extends Error {
  override readonly name = "SignerFailed"
}

export interface HeldElsewhere {
  readonly verification: VerificationKey
  readonly issuing: IssuingKey
}

const PATIENCE_MILLISECONDS = 2000

/**
 * Reads a signer and tries it once. Throws TypeError where the JWK is none of ours, SignerFailed where no signature of that
 * key comes back.
 */
export async function openSigner(signer: Signer): Promise<HeldElsewhere> {
  const { kid: _kid, ...members } = Object(signer.publicJwk)
  const verification = readPublicJwk(members)
  if (verification instanceof KeyFault)
    throw new TypeError(`A signer's publicJwk is no public key of P-256 or Ed25519: ${verification.tag}`)
  const { kid, alg, thumbprint, jwk: publicJwk } = verification
  const sign = async (input: Uint8Array) => {
    const signature = await inTime(kid, signer.sign(input))
    if (signature instanceof Uint8Array && verifySignature(verification, input, signature)) return signature
    throw new SignerFailed(`The signer of ${kid} gave a signature that its public key does not open`)
  }
  await sign(Buffer.from(thumbprint))
  return { verification, issuing: { kid, alg, thumbprint, publicJwk, sign } }
}

async function inTime(kid: string, signature: Promise<Uint8Array>): Promise<Uint8Array> {
  const timer = new AbortController()
  const late = sleep(PATIENCE_MILLISECONDS, undefined, { signal: timer.signal, ref: false }).then(() => {
    throw new SignerFailed(`The signer of ${kid} took longer than ${PATIENCE_MILLISECONDS} ms`)
  })
  late.catch(() => undefined) // the timer is called off below
  try {
    return await Promise.race([signature, late])
  } catch (cause) {
    if (cause instanceof SignerFailed) throw cause
    throw new SignerFailed(`The signer of ${kid} failed`, { cause })
  } finally {
    timer.abort()
  }
}
