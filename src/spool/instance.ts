// Who this verifier is to the issuer: one id and one key for each spool, made together and kept in it. It decides nothing
// about what is signed.
import { isUuid, newUuid } from "../token/id.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../token/signature.ts"
import type { Spool } from "./spool.ts"

export interface Instance {
  /** UUIDv7. */
  readonly id: string
  readonly key: SigningKey
}

/** The spool's own instance; made, and durable, before it is used for the first time. */
export async function openInstance(spool: Spool, now: number): Promise<Instance> {
  const kept = spool.kept("instance")
  if (kept !== undefined) return readInstance(kept)
  const made = { id: newUuid(now), privateJwk: generatePrivateJwk("ES256") }
  return readInstance(await spool.keepFirst("instance", JSON.stringify(made)))
}

function readInstance(text: string): Instance {
  const { id, privateJwk }: { id?: unknown; privateJwk?: unknown } = JSON.parse(text)
  if (!isUuid(id)) throw new Error("the spool's instance can't be read; move the spool aside and keep it")
  return { id, key: importSigningKey(privateJwk) }
}
