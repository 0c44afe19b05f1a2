// A verifier instance of the tickets API as the issuer sees it: a key, and batches of uses in a row.
import { Refusal } from "../../src/errors.ts"
import type { Taken } from "../../src/task/use.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { batchDigest, type UseRecord } from "../../src/token/batch.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { signBatch } from "./batch.ts"
import { ISSUER, TICKETS, type World } from "./world.ts"

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
  const whole = (use: Partial<UseRecord>): UseRecord => ({
    id: newId("use", world.clock.now()),
    at: toInstant(world.clock.now()),
    task: "",
    jti: newId("tok", world.clock.now()),
    actor: "triage-bot/pod-1",
    client: "support-orchestrator",
    api: TICKETS,
    operation: "tickets:read",
    resource: ["tickets", "SUP-1042"],
    method: "GET",
    route: "/tickets/:id",
    decision: "allowed",
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
        {
          iss: "tickets",
          aud: ISSUER,
          iat: toEpochSeconds(world.clock.now()),
          instance,
          sequence,
          previous: sent.digest,
          cursor: 0,
          applied_at: null,
          checkpoint: null,
          final: false,
          uses: uses.map(whole),
        },
        signingKey,
      )
      sent = { sequence, digest: batchDigest(text) }
      return take(text)
    },
  }
}
