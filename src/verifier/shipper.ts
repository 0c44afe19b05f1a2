// Brings recorded uses to the issuer: one signed batch at a time, its bytes on disk before they travel, each sent until it
// is acknowledged and proved to be in the ledger. Of several processes that share a spool each seals its own uses, and one sends for all. It decides when
// and what to send; what is recorded is decided before.
import { type Refusal, refuse } from "../errors.ts"
import { Unreachable } from "../remote/exchange.ts"
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import type { StoredBatch } from "../spool/batch-row.ts"
import { createSealer, type Sealed, type Sealer, type SealerOptions } from "../spool/seal.ts"
import type { Sharing } from "../spool/sharing.ts"
import type { Kept } from "../spool/spool.ts"
import { HEARTBEAT_MILLISECONDS } from "../token/batch.ts"
import type { Witness } from "./witness.ts"

export interface Shipper {
  /**
   * Sends whatever is ready, or a heartbeat when one is due; where another process sends for this one, seals it for that.
   * Throws Unreachable, BatchRefused, Unproved or LedgerForked; nothing is lost.
   */
  ship(): Promise<void>
  /** Sends the last word of this instance after everything that is ready; where other processes go on, they do. */
  finish(): Promise<void>
  /**
   * Whether every use of this process up to that one is acknowledged, and proved to be in the ledger; and the room that they
   * held in the spool is free.
   */
  acknowledged(seq: number): boolean
  /** From now on, uses whose handler is still busy wait no longer than this. */
  waitForOutcomes(milliseconds: number): void
}

/** The issuer answered that it will not take the batch. It is kept, and sent again. */
export class BatchRefused extends Error {
  override readonly name = "BatchRefused"
}

/** How long the uses of busy handlers are held back for their outcome. */
export const OUTCOME_WAIT_MILLISECONDS = 10_000
/** An empty batch is due a little earlier: its answer shows a fork of the ledger, within the time of a heartbeat. */
const BEAT_MILLISECONDS = HEARTBEAT_MILLISECONDS - 1000
/** After that long, revocations that were applied since are told without waiting for the heartbeat. */
const APPLIED_MILLISECONDS = 1000

/** Above this many uses in no batch, they are sealed without waiting for the issuer. */
const OPEN_USES = 5000
/** Above this many batches on their way, more are sealed only when there is need: they would be small ones. */
const MAX_BACKLOG = 4
/** How often is looked for processes that ended. */
const ENDED_MILLISECONDS = 1000
const LIMITS = { maxBytes: 1024 * 1024, timeoutMilliseconds: 10_000 }

export interface ShipperOptions extends Omit<SealerOptions, "checkpoint"> {
  readonly witness: Witness
  readonly calls: IssuerCalls
  /** Absent: the spool is this process's alone. */
  readonly sharing?: Sharing | undefined
}

export function createShipper(options: ShipperOptions): Shipper {
  const { spool, recorder, sharing, witness } = options
  const { sealReady, sealEmpty } = createSealer({ ...options, checkpoint: witness.held })
  const member = sharing && createMember(options, sharing, sealReady)
  let outcomeWait = OUTCOME_WAIT_MILLISECONDS
  const sealNext = async () => {
    const sealed = await sealReady(outcomeWait)
    if (sealed) member?.remember(sealed)
    return sealed
  }
  /** While the issuer is away, outcomes go to the disk with their uses instead of filling the memory. */
  const sealExcess = async () => {
    while (recorder.openUses() > OPEN_USES && (await sealNext()));
  }
  const sender = createSender(options, { sealNext, sealEmpty, sent: member?.settle })
  return {
    async ship() {
      const forked = witness.look()
      member?.settle()
      await sealExcess()
      if (!sharing || sharing.leads()) {
        if (forked) throw forked
        await member?.takeOver(ENDED_MILLISECONDS)
        await sender.shipReady()
        return sender.beat()
      }
      if (sharing.backlog().batches < MAX_BACKLOG) await sealNext()
    },
    async finish() {
      if (sharing) while (await sealNext());
      if (sharing && !(await sharing.isLast())) return
      const forked = witness.look()
      if (forked) throw forked
      await member?.takeOver(0)
      await sender.shipReady()
      await sender.sayLast()
    },
    acknowledged(seq) {
      if (sender.isReleasing() || spool.holdsThrough(seq)) return false
      member?.settle()
      return true
    },
    waitForOutcomes(milliseconds) {
      outcomeWait = milliseconds
    },
  }
}

interface SenderParts {
  readonly sealNext: () => Promise<Sealed | undefined>
  readonly sealEmpty: Sealer["sealEmpty"]
  /** Where the room of what was acknowledged is given back elsewhere. */
  readonly sent: (() => void) | undefined
}

/** What goes to the issuer. */
function createSender(options: ShipperOptions, { sealNext, sealEmpty, sent }: SenderParts) {
  const { spool, recorder, clock, applied } = options
  let sentAt: number | undefined
  /** Gone from the disk, perhaps, with its room not given back yet. */
  let releasing = false
  const release = async ({ sequence, shares }: StoredBatch, { kept, beyond }: Proved) => {
    releasing = true
    try {
      await spool.releaseBatch(sequence, kept, beyond)
      if (sent) sent()
      else recorder.release(shares)
    } finally {
      releasing = false
    }
  }
  let toldCursor: number | undefined
  const sendSealed = async () => {
    for (let batch = spool.oldestBatch(); batch; batch = spool.oldestBatch()) {
      let proved: Proved | undefined
      do proved = await sendBatch(options, batch)
      while (!proved)
      await release(batch, proved)
      sentAt = clock.monotonic()
    }
  }
  const sealMore = async () => {
    const sealed = await sealNext()
    toldCursor = sealed?.cursor ?? toldCursor
    return sealed !== undefined
  }
  const shipEmpty = async (final: boolean) => {
    toldCursor = (await sealEmpty(final)).cursor
    await sendSealed()
  }
  return {
    async shipReady() {
      do await sendSealed()
      while (await sealMore())
    },
    async beat() {
      const patience = applied.cursor() === toldCursor ? BEAT_MILLISECONDS : APPLIED_MILLISECONDS
      if (sentAt === undefined || clock.monotonic() - sentAt >= patience) await shipEmpty(false)
    },
    sayLast: () => shipEmpty(true),
    isReleasing: () => releasing,
  }
}

/** What one of several processes does for itself, and for those that ended. */
function createMember({ recorder, clock }: ShipperOptions, sharing: Sharing, sealReady: Sealer["sealReady"]) {
  const mine = new Map(sharing.unacknowledged().map(({ sequence, shares }) => [sequence, shares]))
  let lookedAt = Number.NEGATIVE_INFINITY
  return {
    remember({ sequence, shares }: Sealed) {
      mine.set(sequence, shares)
    },
    /** Gives back the room of what was acknowledged, whoever sent it. */
    settle() {
      recorder.shareAmong(sharing.processes())
      const { oldest } = sharing.backlog()
      for (const [sequence, shares] of mine) {
        if (oldest !== null && sequence >= oldest) continue
        mine.delete(sequence)
        recorder.release(shares)
      }
    },
    /** Seals what processes that ended have left, unless it was looked for within that time. */
    async takeOver(milliseconds: number) {
      if (clock.monotonic() - lookedAt < milliseconds) return
      lookedAt = clock.monotonic()
      for (const gone of sharing.ended()) {
        try {
          while (await sealReady(0, gone.part));
          await gone.forget()
        } finally {
          gone.release()
        }
      }
    },
  }
}

/** A batch that is in the ledger. */
interface Proved {
  /** With its release. */
  readonly kept: Kept
  /** Uses of it beyond a limit of their task, by id. */
  readonly beyond: ReadonlyMap<string, Refusal>
}

/** Undefined: it is to be sent again, from what is known since. */
async function sendBatch(
  { calls, witness, instance }: ShipperOptions,
  { bytes, digest, sequence, first }: StoredBatch,
): Promise<Proved | undefined> {
  const headers = { "content-type": "application/jwt", ...witness.headers() }
  const answer = await calls({ method: "POST", path: "/uses", headers, body: bytes }, LIMITS).catch(
    async (fault) => {
      if (fault instanceof Unreachable && fault.code === "ledger_broken") await witness.tell(true)
      throw fault
    },
  )
  const { acknowledged, beyond } = readAnswer(answer.text)
  if (answer.status !== 200 || acknowledged < sequence)
    throw new BatchRefused(`the issuer answered ${answer.status} for batch ${sequence}`)
  const sent = { instance: instance.id, sequence, digest, empty: first === 0 }
  const kept = await witness.judge(sent, answer.text)
  return kept && { kept, beyond }
}

const NOBODY: ReadonlyMap<string, Refusal> = new Map()

function readAnswer(text: string): { readonly acknowledged: number } & Pick<Proved, "beyond"> {
  try {
    const { acknowledged, beyond }: { acknowledged?: unknown; beyond?: unknown } = JSON.parse(text)
    return { acknowledged: typeof acknowledged === "number" ? acknowledged : -1, beyond: readBeyond(beyond) }
  } catch {
    return { acknowledged: -1, beyond: NOBODY } // not the issuer's answer: a proxy's page, say
  }
}

function readBeyond(beyond: unknown): Proved["beyond"] {
  if (typeof beyond !== "object" || beyond === null) return NOBODY
  const refusalFor = (code: unknown) =>
    refuse(code === "task_paused" ? code : "token_revoked", "[limit] the use is beyond a limit of its task")
  return new Map(Object.entries(beyond).map(([use, code]) => [use, refusalFor(code)]))
}
