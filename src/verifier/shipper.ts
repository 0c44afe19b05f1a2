// Brings recorded uses to the issuer: one signed batch at a time, its bytes on disk before they travel, each sent until it
// is acknowledged. It decides when and what to send; what is recorded is decided before.
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import { type Clock, toEpochSeconds, toInstant } from "../time.ts"
import { batchDigest, signUseBatch } from "../token/batch.ts"
import type { Instance } from "./instance.ts"
import type { Recorder } from "./recorder.ts"
import type { Revocations } from "./revocations.ts"
import { ROW_OVERHEAD_BYTES, type Spool, type StoredBatch, type StoredUse, type UseGroup } from "./spool.ts"

export interface Shipper {
  /** Sends whatever is ready, or a heartbeat when one is due. Throws Unreachable, or BatchRefused; nothing is lost. */
  ship(): Promise<void>
  /** Sends the last word of this instance after everything that is ready. */
  finish(): Promise<void>
  /** Whether every use up to that one is acknowledged. */
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
const HEARTBEAT_MILLISECONDS = 10_000
/** After that long, revocations that were applied since are told without waiting for the heartbeat. */
const APPLIED_MILLISECONDS = 1000

const MAX_USES = 1000
/** Above this many uses in no batch, they are sealed without waiting for the issuer. */
const OPEN_USES = 5000
/** Of the uses' JSON: in base64url, with its frame, it stays below the issuer's 1 MiB. */
const MAX_USES_BYTES = 640 * 1024
const LIMITS = { maxBytes: 1024 * 1024, timeoutMilliseconds: 10_000 }

interface Chain {
  readonly sequence: number
  readonly digest: string | null
}

export interface ShipperOptions {
  readonly issuer: string
  /** The API's client id. */
  readonly clientId: string
  readonly instance: Instance
  readonly spool: Spool
  readonly recorder: Recorder
  readonly revocations: Pick<Revocations, "cursor" | "appliedAt">
  readonly calls: IssuerCalls
  readonly clock: Clock
}

export function createShipper(options: ShipperOptions): Shipper {
  const { spool, recorder, calls, clock } = options
  let chain = readChain(spool.kept("chain"))
  let sentAt: number | undefined
  let toldCursor: number | undefined
  let outcomeWait = OUTCOME_WAIT_MILLISECONDS

  const seal = async ({ uses, groups }: Ready, final: boolean) => {
    const sequence = chain.sequence + 1
    const cursor = options.revocations.cursor()
    const text = signBatch(options, chain, sequence, uses, final)
    const first = uses[0]?.stored.seq ?? 0
    const taken = new Set(uses.map((one) => one.stored.seq))
    const next = { sequence, digest: batchDigest(text) }
    const batch = { sequence, text, first, shares: sharesOf(uses) }
    await spool.storeBatch(batch, groups, taken, JSON.stringify(next))
    recorder.taken(uses.map((one) => one.stored))
    chain = next
    toldCursor = cursor
  }
  const sealReady = async () => {
    const ready = findReady(spool, recorder, outcomeWait)
    if (ready.uses.length > 0) await seal(ready, false)
    return ready.uses.length > 0
  }
  const sendSealed = async () => {
    for (let batch = spool.oldestBatch(); batch; batch = spool.oldestBatch()) {
      await sendBatch(calls, batch)
      await spool.releaseBatch(batch.sequence)
      recorder.release(batch.shares)
      sentAt = clock.monotonic()
    }
  }
  const shipReady = async () => {
    // While the issuer is away, outcomes go to the disk with their uses instead of filling the memory.
    while (recorder.openUses() > OPEN_USES && (await sealReady()));
    do await sendSealed()
    while (await sealReady())
  }
  const shipEmpty = async (final: boolean) => {
    await seal(NOTHING, final)
    await sendSealed()
  }
  return {
    async ship() {
      await shipReady()
      const patience =
        options.revocations.cursor() === toldCursor ? HEARTBEAT_MILLISECONDS : APPLIED_MILLISECONDS
      if (sentAt === undefined || clock.monotonic() - sentAt >= patience) await shipEmpty(false)
    },
    async finish() {
      await shipReady()
      await shipEmpty(true)
    },
    acknowledged: (seq) => !spool.holdsThrough(seq),
    waitForOutcomes(milliseconds) {
      outcomeWait = milliseconds
    },
  }
}

interface ReadyUse {
  readonly stored: StoredUse
  /** JSON, outcome included. */
  readonly text: string
}

/** What the next batch takes, and the groups it comes from. */
interface Ready {
  readonly uses: readonly ReadyUse[]
  readonly groups: readonly UseGroup[]
}

const NOTHING: Ready = { uses: [], groups: [] }

/** Of the oldest uses those that are ready, up to a batch full. */
function findReady(spool: Spool, recorder: Recorder, waitMilliseconds: number): Ready {
  const uses: ReadyUse[] = []
  const groups: UseGroup[] = []
  let bytes = 0
  for (const group of spool.oldestUses(MAX_USES)) {
    const before = uses.length
    for (const stored of group) {
      const text = recorder.readyUse(stored, waitMilliseconds)
      if (text === undefined) continue
      bytes += Buffer.byteLength(text) + 1
      if (bytes > MAX_USES_BYTES || uses.length === MAX_USES) break
      uses.push({ stored, text })
    }
    if (uses.length > before) groups.push(group)
    if (bytes > MAX_USES_BYTES || uses.length === MAX_USES) break
  }
  return { uses, groups }
}

function signBatch(
  { issuer, clientId, instance, revocations, clock }: ShipperOptions,
  chain: Chain,
  sequence: number,
  uses: readonly ReadyUse[],
  final: boolean,
): string {
  const appliedAt = revocations.appliedAt()
  const frame = {
    iss: clientId,
    aud: issuer,
    iat: toEpochSeconds(clock.now()),
    instance: instance.id,
    sequence,
    previous: chain.digest,
    cursor: revocations.cursor(),
    applied_at: appliedAt === 0 ? null : toInstant(appliedAt),
    checkpoint: null,
    final,
  }
  const texts = uses.map((one) => one.text)
  return signUseBatch(frame, texts, instance.key)
}

function sharesOf(uses: readonly ReadyUse[]): Record<string, number> {
  const shares: Record<string, number> = {}
  for (const { stored } of uses)
    shares[stored.task] = (shares[stored.task] ?? 0) + stored.text.length + ROW_OVERHEAD_BYTES
  return shares
}

async function sendBatch(calls: IssuerCalls, { text, sequence }: StoredBatch): Promise<void> {
  const headers = { "content-type": "application/jwt" }
  const answer = await calls({ method: "POST", path: "/uses", headers, body: text }, LIMITS)
  if (answer.status !== 200 || acknowledgedBy(answer.text) < sequence)
    throw new BatchRefused(`the issuer answered ${answer.status} for batch ${sequence}`)
}

function acknowledgedBy(text: string): number {
  try {
    const { acknowledged }: { acknowledged?: unknown } = JSON.parse(text)
    return typeof acknowledged === "number" ? acknowledged : -1
  } catch {
    return -1 // not the issuer's answer: a proxy's page, say
  }
}

function readChain(kept: string | undefined): Chain {
  if (kept === undefined) return { sequence: 0, digest: null }
  const { sequence, digest }: { sequence?: unknown; digest?: unknown } = JSON.parse(kept)
  if (!Number.isSafeInteger(sequence) || typeof digest !== "string")
    throw new Error("the spool's chain of batches can't be read; move the spool aside and keep it")
  return { sequence: Number(sequence), digest }
}
