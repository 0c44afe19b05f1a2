// A batch of uses as a verifier signs it, from its uses as values.
import { signUseBatch, type UseBatch } from "../../src/token/batch.ts"
import type { SigningKey } from "../../src/token/signature.ts"

export const signBatch = (batch: UseBatch, key: SigningKey): string =>
  Buffer.from(
    signUseBatch(
      batch,
      batch.uses.map((use) => JSON.stringify(use)),
      key,
    ),
  ).toString("latin1")

/** The body of a call as the text that it is. */
export const textOf = (body: string | Uint8Array = ""): string =>
  typeof body === "string" ? body : Buffer.from(body).toString("latin1")
