// Which key signs and which keys verify. Private keys rest in the database, encrypted (wrapping.ts); this file decides
// when one is made and which one is current, and leaves signing to token/ and serving the key set to issuer/.
import type { Engine } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Clock } from "../time.ts"
import type { Algorithm, JsonWebKeySet, SigningKey, VerificationKey } from "../token/signature.ts"

export interface KeyringOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  /** 32 bytes. It encrypts private keys at rest and is needed at every start. */
  readonly keyEncryptionKey: Uint8Array
  /** Of the key that is made when there is none. Default ES256. */
  readonly algorithm?: Algorithm
  readonly clock: Clock
}

export interface Keyring {
  /** The one key that signs now. */
  current(): SigningKey
  keyOf(kid: string): VerificationKey | undefined
  /** The public halves, as /.well-known/jwks.json serves them. */
  jwks(): JsonWebKeySet
}

/** The stored keys can't be opened with this key-encryption key: the process must not start. */
export class KeysLocked extends Error {
  override readonly name = "KeysLocked"
}

/**
 * Opens the stored keys, or makes the first one (`key.created`, `key.activated`) when there has never been any.
 * Throws KeysLocked when stored keys don't open: new ones are never made beside them. TypeError when the
 * key-encryption key is not 32 bytes.
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  throw new TypeError(`not built yet: ${options.algorithm}`)
}
