// A verifier instance of the tickets API as the issuer sees it: a key, and batches of uses in a row.
import { Refusal } from "../../src/errors.ts"
import type { Taken } from "../../src/task/use.ts"
import { batchDigest, type UseRecord } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { signBatch, useBatch, useRecord } from "./batch.ts"
import type { World } from "./world.ts"

export interface Reporter {
  /** Throws where the batch is refused. */
  report(...uses: readonly Partial<UseRecord>[]): Promise<Taken>
  /** The last batch, once more. */
  again(): Promise<Taken>
}

/** A use of the operation of that task. */
export const useOf = (
  task: string,
  operation: string,
  more: Partial<UseRecord> = {},
): Partial<UseRecord> => ({
  task,
  operation,
  ...more,
})

export function createReporter(world: World): Reporter {
  const signingKey = importSigningKey(generatePrivateJwk("ES256"))
  const key = publicHalf(signingKey)
  const instance = newUuid()
  let sent: { sequence: number; digest: string | null } = { sequence: 0, digest: null }
  const whole = (use: Partial<UseRecord>): UseRecord =>
    useRecord(world.clock.now(), {
      task: "",
      method: "GET",
      route: "/tickets/:id",
      status: 200,
      duration_ms: 3,
      ...use,
    })
  let latest = ""
  const take = async (text: string): Promise<Taken> => {
    latest = text
    const taken = await world.uses.take({ api: "tickets", key }, text)
    if (taken instanceof Refusal) throw new Error(`${taken.code}: ${taken.reason}`)
    return taken
  }
  return {
    again: () => take(latest),
    async report(...uses) {
      const sequence = sent.sequence + 1
      const text = signBatch(
        useBatch(world.clock.now(), { instance, sequence, previous: sent.digest, uses: uses.map(whole) }),
        signingKey,
      )
      sent = { sequence, digest: batchDigest(text) }
      return take(text)
    },
  }
}
