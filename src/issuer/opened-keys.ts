// The signing keys and their rotation, opened for an issuer. It decides nothing: what an operator left unsaid is left to
// keys/.
import type { Engine } from "../database/database.ts"
import { openKeyring } from "../keys/keyring.ts"
import { createRotation } from "../keys/rotation.ts"
import type { Signer } from "../keys/signer.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Clock } from "../time.ts"
import type { Algorithm } from "../token/signature.ts"

export interface KeysOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly clock: Clock
  readonly keyEncryptionKey: Uint8Array
  readonly algorithm?: Algorithm
  readonly signers?: readonly Signer[]
  readonly keyRotationSeconds?: number
}

/** Throws KeysLocked where the stored keys don't open, and Unavailable. */
export async function openKeys(options: KeysOptions) {
  const { engine, ledger, clock, keyEncryptionKey, algorithm, signers, keyRotationSeconds } = options
  const keyring = await openKeyring({
    engine,
    ledger,
    keyEncryptionKey,
    clock,
    ...(algorithm && { algorithm }),
    ...(signers && { signers }),
  })
  const every = keyRotationSeconds === undefined ? {} : { everySeconds: keyRotationSeconds }
  return { keyring, rotation: createRotation({ engine, ledger, keyring, clock, ...every }) }
}
