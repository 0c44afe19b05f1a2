// Several that share one spool, as several processes do, within the test's own: each with recorder and shipper, and one list
// of what came to the issuer.

import { join } from "node:path"
import { Refusal } from "../../src/errors.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import type { IssuerCalls } from "../../src/remote/issuer-calls.ts"
import { openInstance } from "../../src/spool/instance.ts"
import { createRecorder } from "../../src/spool/recorder.ts"
import { openSharedSpool } from "../../src/spool/sharing.ts"
import { batchDigest, readUseBatch, type UseBatch, type UseRecord } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { publicHalf } from "../../src/token/signature.ts"
import { createShipper } from "../../src/verifier/shipper.ts"
import { textOf } from "./batch.ts"
import { createFakeClock } from "./fake-clock.ts"
import { newFolder, removeFolder } from "./guarded-api.ts"
import { API } from "./issuer-stub.ts"

export type SharedSpool = ReturnType<typeof createSharedSpool>
export type Member = Awaited<ReturnType<SharedSpool["join"]>>

export const useOf = (changes: Partial<UseRecord> = {}): UseRecord => ({
  id: newId("use"),
  at: "2026-03-01T09:00:00Z",
  task: newId("task"),
  jti: newId("tok"),
  actor: "triage-bot/pod-1",
  client: "support-orchestrator",
  api: API,
  operation: "tickets:read",
  decision: "allowed",
  ...changes,
})

export function createSharedSpool() {
  const folder = newFolder()
  const path = join(folder, "uses.db")
  const clock = createFakeClock()
  const sent: string[] = []
  const batches: UseBatch[] = []
  const opened = new Set<{ close(): Promise<void> }>()
  const issuer = { away: false }

  const join_ = async (limitBytes = 1024 ** 3) => {
    const { spool, sharing } = await openSharedSpool(path, "tickets")
    opened.add(spool)
    const instance = await openInstance(spool, clock.now())
    const recorder = createRecorder({ spool, clock, limitBytes, recording: "write-ahead" })
    const calls: IssuerCalls = async ({ body: bytes }) => {
      if (issuer.away) throw new Unreachable("away")
      const body = textOf(bytes)
      const read = readUseBatch(body, publicHalf(instance.key))
      if (read instanceof Unreadable) throw new Error(`${read.tag} ${read.member}`)
      sent.push(body)
      batches.push(read.batch)
      return { status: 200, headers: new Headers(), text: `{"acknowledged":${read.batch.sequence}}` }
    }
    const { applied } = sharing
    const spoken = { issuer: "https://taskmint.internal", clientId: "tickets", instance, applied }
    const shipper = createShipper({ ...spoken, spool, recorder, calls, clock, sharing })
    return {
      spool,
      sharing,
      recorder,
      shipper,
      instance,
      /** Answers the use's id, or why it was refused. */
      async use(changes: Partial<UseRecord> = {}, status: number | undefined = 200) {
        const use = useOf(changes)
        const recorded = await recorder.allow(use)
        if (recorded instanceof Refusal) return recorded.reason
        if (status !== undefined) recorded.finished(status)
        return use.id
      },
      async close() {
        opened.delete(spool)
        await spool.close()
      },
    }
  }
  return {
    path,
    clock,
    issuer,
    batches,
    join: join_,
    usesSent: () => batches.flatMap((batch) => batch.uses.map((use) => use.id)),
    /** What of the batches does not follow the one before it. */
    broken: () =>
      batches.filter(
        ({ sequence, previous }, at) =>
          sequence !== at + 1 || previous !== (at === 0 ? null : batchDigest(sent[at - 1] ?? "")),
      ),
    async remove() {
      for (const one of opened) await one.close()
      removeFolder(folder)
    },
  }
}
