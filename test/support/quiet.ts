// A world in which silence is looked for: a verifier instance that reports, tasks that are used, and time that passes with
// a look every few seconds. Closed and removed by the test that made it.
import { expect } from "vitest"
import { standingAlarms } from "../../src/audit/alarm.ts"
import { Refusal } from "../../src/errors.ts"
import { createWatch, type Watch } from "../../src/issuer/watch.ts"
import type { Kind } from "../../src/ledger/event.ts"
import type { Started } from "../../src/task/start.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { batchDigest, type UseRecord } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, readPublicJwk } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { signBatch, useRecord } from "./batch.ts"
import { createWorld, ISSUER, SUPPORT_START, type World } from "./world.ts"

/** One verifier instance: its batches chained and signed. */
function createReporter(world: World) {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const publicKey = readPublicJwk(key.publicJwk)
  if (!("thumbprint" in publicKey)) throw new Error("not a key")
  const instance = newUuid()
  let sequence = 0
  let previous: string | null = null
  return {
    instance,
    async report(uses: readonly UseRecord[] = [], final = false) {
      const now = world.clock.now()
      sequence += 1
      const frame = { iss: "tickets", aud: ISSUER, iat: toEpochSeconds(now), instance, sequence, previous }
      const rest = { cursor: 0, applied_at: toInstant(now), checkpoint: null, final, uses }
      const text = signBatch({ ...frame, ...rest }, key)
      previous = batchDigest(text)
      expect(await world.uses.take({ api: "tickets", key: publicKey }, text)).toEqual({
        acknowledged: sequence,
      })
    },
  }
}

export type Quiet = Awaited<ReturnType<typeof createQuiet>>

export async function createQuiet() {
  const world = await createWorld()
  const newWatch = () => createWatch(world)
  const entries = async (kind: Kind) => (await world.ledger.read({ kind, limit: 100 })).entries
  const quiet = {
    world,
    verifier: createReporter(world),
    /** The one that looks while time passes; tests replace it. */
    watch: newWatch() as Watch,
    newWatch,
    /** Time passes with a look every five seconds (every fifteen where it is long); `alongside` happens before each. */
    async pass(seconds: number, alongside: () => Promise<unknown> = async () => undefined) {
      const step = seconds > 300 || (seconds >= 45 && seconds % 15 === 0) ? 15 : 5
      for (let passed = 0; passed < seconds; passed += step) {
        world.clock.advance(step * 1000)
        await alongside()
        await quiet.watch.look()
      }
    },
    entries,
    raised: async () => [...(await entries("alarm.raised")), ...(await entries("verifier.silent"))],
    cleared: async () => [...(await entries("alarm.cleared")), ...(await entries("verifier.returned"))],
    standing: async () => (await standingAlarms(world.engine)).alarms,
    async start(changed: object = {}): Promise<Started> {
      const started = await world.tasks.start("support-orchestrator", { ...SUPPORT_START, ...changed })
      if (started instanceof Refusal) throw new Error(started.reason)
      return started
    },
    /** A start that is refused. */
    fail: () => world.tasks.start("support-orchestrator", { ...SUPPORT_START, type: "nonsense" }),
    async renew(taskId: string) {
      expect(await world.tasks.renew("support-orchestrator", taskId, {})).toHaveProperty("tokens")
    },
    useOf(task: Started, decision: "allowed" | "refused"): UseRecord {
      const opened = openTaskToken(task.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
      return useRecord(world.clock.now(), {
        task: task.taskId,
        jti: "token" in opened ? opened.token.jti : "",
        decision,
        ...(decision === "refused" && { code: "operation_not_granted" }),
        status: decision === "refused" ? 403 : 200,
      })
    },
    async remove() {
      await world.leave()
    },
  }
  return quiet
}
