// A batch of uses as a verifier signs it, from its uses as values.
import { signUseBatch, type UseBatch } from "../../src/token/batch.ts"
import type { SigningKey } from "../../src/token/signature.ts"

export const signBatch = (batch: UseBatch, key: SigningKey): string =>
  signUseBatch(
    batch,
    batch.uses.map((use) => JSON.stringify(use)),
    key,
  )
