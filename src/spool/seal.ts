// Recorded uses become a signed batch on disk, chained to the one before it: whichever process made that. It decides which
// uses a batch takes; when one is made, and what is sent, shipper.ts decides.
import { type Clock, toEpochSeconds, toInstant } from "../time.ts"
import { batchDigest, envelopeOf, signUseBatch } from "../token/batch.ts"
import { joinOutcome, type NewBatch, type Shares, type StoredBatch, type Taking } from "./batch-row.ts"
import { bytesOf, readGroup, type StoredUse, splitUses, textOf, type UseGroup } from "./group-row.ts"
import type { Instance } from "./instance.ts"
import type { Recorder } from "./recorder.ts"
import type { Part, Spool } from "./spool.ts"

/** How far the feed of revocations is applied. */
export interface Applied {
  cursor(): number
  /** Epoch milliseconds at which the cursor was reached; zero: the feed was never known to its end. */
  appliedAt(): number
}

export interface SealerOptions {
  readonly issuer: string
  /** The API's client id. */
  readonly clientId: string
  readonly instance: Instance
  readonly spool: Spool
  readonly recorder: Recorder
  /** What every process that the instance speaks for has applied. */
  readonly applied: Applied
  /** The newest checkpoint of the ledger that is known by now; null before the first. */
  readonly checkpoint: () => string | null
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

/** Of one batch, and the rest of the last group: most of what a batch costs, it costs however short it is. */
const MAX_USES = 1000
/** Looked at for it: behind those that wait for their handlers, others may be ready. */
const SEEN_USES = 2 * MAX_USES
/** Of the uses' JSON: in base64url, with its frame, it stays below the issuer's 1 MiB. */
const MAX_USES_BYTES = 640 * 1024

export function createSealer(options: SealerOptions): Sealer {
  const { spool, recorder, applied } = options
  const seal = async ({ uses, taking }: Ready, final: boolean): Promise<Sealed> => {
    const first = uses[0]?.stored.seq ?? 0
    const shares = sharesOf(uses)
    const outcomes = uses.map(({ outcome }) => outcome)
    // Where another process's batch came between, that one is followed, and this one is signed anew.
    for (;;) {
      const from = spool.chain()
      const before = readChain(from)
      const sequence = before.sequence + 1
      const cursor = applied.cursor()
      const signed = signBatch(options, before, { sequence, cursor, uses, final })
      const digest = batchDigest(signed.bytes)
      const batch = { sequence, digest, first, shares, outcomes, ...signed }
      const to = JSON.stringify({ sequence, digest })
      const stored = await spool.storeBatch(batch, taking, { from, to })
      if (!stored) continue
      recorder.taken(uses.map((one) => one.stored))
      return { sequence, shares, cursor }
    }
  }
  return {
    async sealReady(waitMilliseconds, part) {
      const waiting = spool.oldestUses(SEEN_USES, part)
      const ready = findReady(waiting, (seq) => recorder.outcomeOf(seq, waitMilliseconds))
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
  /** What is joined to its text. */
  readonly outcome: string
}

/** What the next batch takes. */
interface Ready {
  readonly uses: readonly ReadyUse[]
  readonly taking: Taking
}

const NOTHING: Ready = { uses: [], taking: { groups: [], split: [], pieces: [], highest: 0 } }

/** Of these uses those that are ready, up to a batch full. */
function findReady(from: readonly UseGroup[], outcomeOf: (seq: number) => string | undefined): Ready {
  const uses: ReadyUse[] = []
  const groups: UseGroup[] = []
  const split: UseGroup[] = []
  const pieces: UseGroup[] = []
  let bytes = 0
  for (const group of from) {
    const ready = new Set<StoredUse>()
    const all = readGroup(group)
    const isAscii = isAsciiText(group.tails) && isAsciiText(group.heads)
    for (const stored of all) {
      const outcome = bytes > MAX_USES_BYTES ? undefined : outcomeOf(stored.seq)
      if (outcome === undefined) continue
      bytes += byteLength(stored, isAscii) + outcome.length + 1
      if (bytes > MAX_USES_BYTES) continue
      uses.push({ stored, outcome })
      ready.add(stored)
    }
    if (ready.size === all.length) groups.push(group)
    else if (ready.size > 0) {
      const runs = splitUses(all, (use) => ready.has(use))
      split.push(group)
      pieces.push(...runs.map((run) => run.group))
      groups.push(...runs.flatMap((run) => (run.is ? [run.group] : [])))
    }
    // Never within a group, where it need not be: what stays of one is written again.
    if (bytes > MAX_USES_BYTES || uses.length >= MAX_USES) break
  }
  return { uses, taking: { groups, split, pieces, highest: uses.at(-1)?.stored.seq ?? 0 } }
}

const isAsciiText = (text: string): boolean => Buffer.byteLength(text) === text.length

const byteLength = (stored: StoredUse, isAscii: boolean): number =>
  isAscii ? stored.head.text.length + stored.tail.length : Buffer.byteLength(textOf(stored))

interface Content {
  readonly sequence: number
  readonly cursor: number
  readonly uses: readonly ReadyUse[]
  readonly final: boolean
}

function signBatch(
  { issuer, clientId, instance, applied, checkpoint, clock }: SealerOptions,
  before: Chain,
  { sequence, cursor, uses, final }: Content,
): Pick<NewBatch, "bytes" | "envelope"> {
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
    checkpoint: checkpoint(),
    final,
  }
  const texts = uses.map(({ stored, outcome }) => joinOutcome(textOf(stored), outcome))
  const bytes = signUseBatch(frame, texts, instance.key)
  return { bytes, envelope: envelopeOf(frame, bytes) }
}

function sharesOf(uses: readonly ReadyUse[]): Shares {
  const shares = new Map<string, number>()
  for (const { stored } of uses)
    shares.set(stored.head.task, (shares.get(stored.head.task) ?? 0) + bytesOf(stored.head, stored.tail))
  return shares
}
