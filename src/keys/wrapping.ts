// How a secret rests in the database: AES-256-GCM under the key-encryption key, bound to its name and its purpose, so
// that a row copied onto another row doesn't open. It decides nothing about which secrets there are.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto"

const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

export interface Wrapping {
  /** `name` and `purpose` are authenticated, not stored: the same two open it again. */
  seal(secret: Uint8Array, name: string, purpose: string): Uint8Array
  /** Undefined when it was not sealed with this key, this name and this purpose, or was changed since. */
  open(sealed: Uint8Array, name: string, purpose: string): Uint8Array | undefined
}

/** NUL can't stand in a name or a purpose, so the two can't run into each other. */
const boundTo = (name: string, purpose: string): Uint8Array => {
  if (name.includes("\0") || purpose.includes("\0")) throw new TypeError("a name of a secret can't hold NUL")
  return Buffer.from(`taskmint\0${purpose}\0${name}`)
}

/** NIST SP 800-38D with random 96-bit nonces. TypeError when the key is not 32 bytes. */
export function createWrapping(keyEncryptionKey: Uint8Array): Wrapping {
  if (keyEncryptionKey.length !== KEY_BYTES) throw new TypeError("the key-encryption key must be 32 bytes")
  const key = createSecretKey(keyEncryptionKey)
  return {
    seal(secret, name, purpose) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(boundTo(name, purpose))
      const body = Buffer.concat([cipher.update(secret), cipher.final()])
      return Buffer.concat([Uint8Array.of(VERSION), nonce, body, cipher.getAuthTag()])
    },
    open(sealed, name, purpose) {
      const body = 1 + NONCE_BYTES
      if (sealed[0] !== VERSION || sealed.length < body + TAG_BYTES) return undefined
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(1, body), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(boundTo(name, purpose))
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
      const opened = decipher.update(sealed.subarray(body, sealed.length - TAG_BYTES))
      try {
        return Buffer.concat([opened, decipher.final()])
      } catch {
        // The only thing final() can find here is a tag that doesn't fit: not ours, or changed.
        return undefined
      }
    },
  }
}
