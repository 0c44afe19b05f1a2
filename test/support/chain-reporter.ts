// A verifier instance in a test's hand: it makes batches as it is told to, true to its chain or not, and brings them in any
// order.
import type { Refusal } from "../../src/errors.ts"
import type { Taken } from "../../src/task/use.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { batchDigest, type UseBatch, type UseRecord } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, readPublicJwk } from "../../src/token/signature.ts"
import { signBatch, useRecord } from "./batch.ts"
import { ISSUER, type World } from "./world.ts"

export interface Made {
  readonly text: string
  readonly digest: string
  readonly sequence: number
  readonly previous: string | null
  readonly uses: number
}

export type Reporter = ReturnType<typeof createReporter>

export const SOME_DIGEST = `sha-256:${"A".repeat(43)}`

export function createReporter(world: World, api = "tickets") {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const publicKey = readPublicJwk(key.publicJwk)
  if (!("thumbprint" in publicKey)) throw new Error("not a key")
  const instance = newUuid(world.clock.now())
  let last: { sequence: number; digest: string | null } = { sequence: 0, digest: null }
  const make = (change: Partial<UseBatch> = {}): Made => {
    const now = world.clock.now()
    const batch: UseBatch = {
      iss: api,
      aud: ISSUER,
      iat: toEpochSeconds(now),
      instance,
      sequence: last.sequence + 1,
      previous: last.digest,
      cursor: 0,
      applied_at: toInstant(now),
      checkpoint: null,
      final: false,
      uses: [],
      ...change,
    }
    const text = signBatch(batch, key)
    const { sequence, previous, uses } = batch
    return { text, digest: batchDigest(text), sequence, previous, uses: uses.length }
  }
  return {
    instance,
    /** A batch that the chain does not go on with. */
    make,
    /** The next batch of the chain. */
    next(change: Partial<UseBatch> = {}): Made {
      const made = make(change)
      last = made
      return made
    },
    /** `sentAt`: what its clock says then, in seconds. */
    bring: ({ text }: Made, sentAt?: number): Promise<Taken | Refusal> =>
      world.uses.take({ api, key: publicKey, sentAt }, text),
  }
}

/** A use that the token allows. */
export const useOf = (
  world: World,
  token: { readonly task: string; readonly jti: string },
  change: Partial<UseRecord> = {},
): UseRecord => useRecord(world.clock.now(), { task: token.task, jti: token.jti, status: 200, ...change })
