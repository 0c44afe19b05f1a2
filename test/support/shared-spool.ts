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
import { createSmallLog, heldIn, openWitnessOf } from "./small-log.ts"

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

interface Issuer {
  away: boolean
  /** Its own ledger does not continue what it is told. */
  broken: boolean
  /** What becomes of its answers. */
  change: (answer: object) => object
}

export function createSharedSpool() {
  const folder = newFolder()
  const path = join(folder, "uses.db")
  const clock = createFakeClock()
  const sent: string[] = []
  const batches: UseBatch[] = []
  const opened = new Set<{ close(): Promise<void> }>()
  const issuer: Issuer = { away: false, broken: false, change: (answer) => answer }
  let log = createSmallLog()

  const join_ = async (limitBytes = 1024 ** 3) => {
    const { spool, sharing } = await openSharedSpool(path, "tickets")
    opened.add(spool)
    const instance = await openInstance(spool, clock.now())
    const recorder = createRecorder({ spool, clock, limitBytes, recording: "write-ahead" })
    const calls: IssuerCalls = async ({ body: bytes, headers }) => {
      if (issuer.away) throw new Unreachable("away")
      if (issuer.broken) throw new Unreachable("broken", { code: "ledger_broken" })
      const body = textOf(bytes)
      const read = readUseBatch(body, publicHalf(instance.key))
      if (read instanceof Unreadable) throw new Error(`${read.tag} ${read.member}`)
      sent.push(body)
      batches.push(read.batch)
      const answer = { acknowledged: read.batch.sequence, ...log.answer(body, heldIn(headers)) }
      return { status: 200, headers: new Headers(), text: JSON.stringify(issuer.change(answer)) }
    }
    const { applied } = sharing
    const spoken = { issuer: "https://taskmint.internal", clientId: "tickets", instance, applied }
    const witness = await openWitnessOf(log, spool)
    const shipper = createShipper({ ...spoken, spool, recorder, calls, clock, sharing, witness })
    return {
      spool,
      sharing,
      recorder,
      shipper,
      witness,
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
    /** From now on another issuer answers, on a copy of the ledger from one entry ago. */
    fork() {
      log = log.copy(log.entries.length - 1)
      log.append("another history")
    },
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
