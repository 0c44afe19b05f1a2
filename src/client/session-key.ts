// The key of an agent's session. By default it is made in the process, and no function answers its private half; it
// decides nothing about which tokens are bound to it.
import { generateSigningKey, importSigningKey, type SigningKey } from "../token/signature.ts"

/** A key pair made by `createSessionKey`: its private half stays in this process and ends with it. */
export interface OwnKey {
  /** RFC 7638: what the orchestrator gives as `dpopJkt`. */
  readonly thumbprint: string
}

/** An OwnKey, or a private JWK (EC P-256 or Ed25519) that was made elsewhere. */
export type SessionKey = OwnKey | object

const signers = new WeakMap<object, SigningKey>()

/** A fresh P-256 key whose private half can't be exported, printed or copied. */
export function createOwnKey(): OwnKey {
  const signer = generateSigningKey("ES256")
  const key = Object.freeze({ thumbprint: signer.thumbprint })
  signers.set(key, signer)
  return key
}

/** TypeError where it is neither. */
export const signerOf = (key: SessionKey): SigningKey => signers.get(key) ?? importSigningKey(key)
