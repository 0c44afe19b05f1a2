// Recorded uses become a signed batch on disk, chained to the one before it: whichever process made that. It decides which
// uses a batch takes; when one is made, and what is sent, shipper.ts decides.
import { type Clock, toEpochSeconds, toInstant } from "../time.ts"
import { batchDigest, signUseBatch } from "../token/batch.ts"
import { readGroup, type StoredUse, type UseGroup } from "./group-row.ts"
import type { Instance } from "./instance.ts"
import type { Recorder } from "./recorder.ts"
import type { Revocations } from "./revocations.ts"
import { type Part, ROW_OVERHEAD_BYTES, type Spool, type StoredBatch, type Taking } from "./spool.ts"

export interface SealerOptions {
  readonly issuer: string
  /** The API's client id. */
  readonly clientId: string
  readonly instance: Instance
  readonly spool: Spool
  readonly recorder: Recorder
  /** What every process that the instance speaks for has applied. */
  readonly applied: Pick<Revocations, "cursor" | "appliedAt">
  readonly clock: Clock
}

/** A batch on disk. */
export interface Sealed extends Pick<StoredBatch, "sequence" | "shares"> {
  /** How far the feed of revocations is applied, as it says. */
  readonly cursor: number
}

export interface Sealer {
  /** Of the oldest uses those whose outcome need not be waited for longer; undefined: there are none. Default part: this process's. */
  sealReady(waitMilliseconds: number, part?: Part): Promise<Sealed | undefined>
  sealEmpty(final: boolean): Promise<Sealed>
}

/** Of one batch, and the rest of the last group. It is written between uses that wait for the disk, and a short one holds none of them up. */
const FEW_USES = 250
/** The same for what has gathered while the issuer was away: then what counts is that it arrives. */
const MAX_USES = 1000
const BACKLOG_USES = 5000
/** Of the uses' JSON: in base64url, with its frame, it stays below the issuer's 1 MiB. */
const MAX_USES_BYTES = 640 * 1024

export function createSealer(options: SealerOptions): Sealer {
  const { spool, recorder, applied } = options
  const seal = async ({ uses, taking }: Ready, final: boolean): Promise<Sealed> => {
    const first = uses[0]?.stored.seq ?? 0
    const shares = sharesOf(uses)
    // Where another process's batch came between, that one is followed, and this one is signed anew.
    for (;;) {
      const from = spool.chain()
      const before = readChain(from)
      const sequence = before.sequence + 1
      const cursor = applied.cursor()
      const bytes = signBatch(options, before, { sequence, cursor, uses, final })
      const to = JSON.stringify({ sequence, digest: batchDigest(bytes) })
      const stored = await spool.storeBatch({ sequence, bytes, first, shares }, taking, { from, to })
      if (!stored) continue
      recorder.taken(uses.map((one) => one.stored))
      return { sequence, shares, cursor }
    }
  }
  return {
    async sealReady(waitMilliseconds, part) {
      // Behind those that wait for their handlers, others may be ready.
      const waiting = spool.oldestUses(MAX_USES, part)
      const isBehind = recorder.lastSeq() - (waiting[0]?.first ?? 0) > BACKLOG_USES
      const most = part || isBehind ? MAX_USES : FEW_USES
      const ready = findReady(waiting, most, (use) => recorder.readyUse(use, waitMilliseconds))
      return ready.uses.length > 0 ? seal(ready, false) : undefined
    },
    sealEmpty: (final) => seal(NOTHING, final),
  }
}

interface Chain {
  readonly sequence: number
  readonly digest: string | null
}

function readChain(kept: string | undefined): Chain {
  if (kept === undefined) return { sequence: 0, digest: null }
  const { sequence, digest }: { sequence?: unknown; digest?: unknown } = JSON.parse(kept)
  if (!Number.isSafeInteger(sequence) || typeof digest !== "string")
    throw new Error("the spool's chain of batches can't be read; move the spool aside and keep it")
  return { sequence: Number(sequence), digest }
}

interface ReadyUse {
  readonly stored: StoredUse
  /** JSON, outcome included. */
  readonly text: string
}

/** What the next batch takes. */
interface Ready {
  readonly uses: readonly ReadyUse[]
  readonly taking: Taking
}

const NOTHING: Ready = { uses: [], taking: { groups: [], staying: [], highest: 0 } }

/** Of these uses those that are ready, up to a batch full. */
function findReady(
  from: readonly UseGroup[],
  most: number,
  readyUse: (use: StoredUse) => string | undefined,
): Ready {
  const uses: ReadyUse[] = []
  const groups: UseGroup[] = []
  const staying: StoredUse[] = []
  let bytes = 0
  for (const group of from) {
    const before = uses.length
    const left: StoredUse[] = []
    for (const stored of readGroup(group)) {
      const text = bytes > MAX_USES_BYTES ? undefined : readyUse(stored)
      bytes += text === undefined ? 0 : Buffer.byteLength(text) + 1
      if (text === undefined || bytes > MAX_USES_BYTES) left.push(stored)
      else uses.push({ stored, text })
    }
    if (uses.length > before) {
      groups.push(group)
      staying.push(...left)
    }
    // Never within a group, where it need not be: what stays of one is written again.
    if (bytes > MAX_USES_BYTES || uses.length >= most) break
  }
  return { uses, taking: { groups, staying, highest: uses.at(-1)?.stored.seq ?? 0 } }
}

interface Content {
  readonly sequence: number
  readonly cursor: number
  readonly uses: readonly ReadyUse[]
  readonly final: boolean
}

function signBatch(
  { issuer, clientId, instance, applied, clock }: SealerOptions,
  before: Chain,
  { sequence, cursor, uses, final }: Content,
): StoredBatch["bytes"] {
  const appliedAt = applied.appliedAt()
  const frame = {
    iss: clientId,
    aud: issuer,
    iat: toEpochSeconds(clock.now()),
    instance: instance.id,
    sequence,
    previous: before.digest,
    cursor,
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
