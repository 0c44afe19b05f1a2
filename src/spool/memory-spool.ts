// A spool without a disk, for `direct` recording: what is in it counts as recorded when the issuer has acknowledged it, and
// everything else is gone with the process. It decides how long that is waited for, nothing about uses; which of them the
// issuer counts beyond a limit, it is told.
import type { Refusal } from "../errors.ts"
import type { StoredBatch } from "./batch-row.ts"
import {
  bytesOf,
  PartlyStored,
  readGroup,
  type StoredUse,
  textOf,
  type UseGroup,
  writeGroup,
} from "./group-row.ts"
import type { Part, SettingKey, Spool, Unserved } from "./spool.ts"

export interface MemorySpool extends Spool {
  /** Is called when uses wait to be sent. */
  onWaiting: () => void
}

const NONE: ReadonlyMap<string, Refusal> = new Map()

/** How long a request waits for the issuer's acknowledgement before it is refused. */
const ACKNOWLEDGE_MILLISECONDS = 5000

interface Waiting {
  readonly uses: StoredUse[]
  readonly unserved: Map<number, Refusal>
  readonly settle: (fault?: Error) => void
}

/** Holds nothing from before. Its proofs end with the process: nonces must bound them. */
export function createMemorySpool(): MemorySpool {
  const settings = new Map<SettingKey, string>()
  let chain: string | undefined
  const uses = createWaitingUses()
  const proofs = createProofs()
  const spool: MemorySpool = {
    onWaiting: () => undefined,
    broken: new Promise(() => undefined),
    kept: (key) => settings.get(key),
    latest: (key) => settings.get(key),
    async keep(key, value) {
      settings.set(key, value)
    },
    async keepFirst(key, value) {
      const kept = settings.get(key) ?? value
      settings.set(key, kept)
      return kept
    },
    chain: () => chain,
    addUses(group) {
      const stored = uses.add(group)
      spool.onWaiting()
      return stored
    },
    oldestUses: uses.oldest,
    holdsThrough: uses.holdsThrough,
    highestSeq: () => 0,
    shares: () => new Map(),
    async storeBatch(batch, { groups }, { to }) {
      uses.seal(batch, new Set(groups.map(({ first }) => first))) // one use each, as oldestUses answers them
      chain = to
      return true
    },
    oldestBatch: uses.oldestBatch,
    oldestSequence: () => uses.oldestBatch()?.sequence,
    async releaseBatch(sequence, kept, beyond = NONE) {
      if (kept) settings.set(...kept)
      await uses.release(sequence, beyond)
    },
    async addRevocations(_, feed) {
      settings.set("feed", feed)
    },
    revocations: () => [],
    claimProof: async (digest, until) => proofs.claim(digest, until),
    async sweep(proofsBefore, _, floor) {
      proofs.forget(proofsBefore)
      settings.set("floor", String(floor))
    },
    async close() {
      uses.giveUp()
    },
  }
  return spool
}

function createProofs() {
  const seen = new Map<string, number>()
  let floor = 0
  return {
    claim(digest: string, until: number) {
      if (seen.has(digest) || until < floor) return false
      seen.set(digest, until)
      return true
    },
    /** The floor rises above the newest that goes, and no further. */
    forget(before: number) {
      for (const [digest, until] of seen) {
        if (until >= before) continue
        seen.delete(digest)
        floor = Math.max(floor, until + 1)
      }
    },
  }
}

const idOf = (use: StoredUse): string => String((JSON.parse(textOf(use)) as { id?: unknown }).id)

interface SealedBatch extends StoredBatch {
  readonly shares: Map<string, number>
  readonly seqs: ReadonlySet<number>
}

function waitFor(uses: StoredUse[], drop: (left: Waiting) => void) {
  const { promise: settled, resolve, reject } = Promise.withResolvers<Unserved>()
  const left: Waiting = {
    uses,
    unserved: new Map(),
    settle(fault) {
      clearTimeout(timer)
      drop(left)
      if (fault) reject(new PartlyStored(left.uses, fault))
      else resolve(left.unserved)
    },
  }
  const late = new Error("the issuer has not acknowledged the use")
  const timer = setTimeout(() => left.settle(late), ACKNOWLEDGE_MILLISECONDS)
  return { left, settled }
}

/** Uses in the order of their numbers, each in no batch or in one, with whoever waits for them. */
function createWaitingUses() {
  const open = new Map<number, StoredUse>()
  const batches = new Map<number, SealedBatch>()
  const waiting = new Map<number, Waiting>()
  /** Uses in no batch are withdrawn; of one that is under way, the room that they held is given back already. */
  const drop = ({ uses }: Waiting) => {
    for (const { seq, head, tail } of uses) {
      waiting.delete(seq)
      if (open.delete(seq)) continue
      for (const { shares, seqs } of batches.values())
        if (seqs.has(seq)) shares.set(head.task, (shares.get(head.task) ?? 0) - bytesOf(head, tail))
    }
  }
  return {
    add(group: UseGroup): Promise<Unserved> {
      const { left, settled } = waitFor(readGroup(group), drop)
      for (const use of left.uses) {
        open.set(use.seq, use)
        waiting.set(use.seq, left)
      }
      return settled
    },
    oldest: (limit: number, _part?: Part, after = 0) =>
      [...open.values()]
        .filter(({ seq }) => seq > after)
        .slice(0, limit)
        .map((use) => writeGroup([use])),
    holdsThrough: (last: number) =>
      [open, ...[...batches.values()].map(({ seqs }) => seqs)].some((held) =>
        [...held.keys()].some((seq) => seq <= last),
      ),
    seal(batch: StoredBatch, seqs: ReadonlySet<number>) {
      for (const seq of seqs) open.delete(seq)
      batches.set(batch.sequence, { ...batch, shares: new Map(batch.shares), seqs })
    },
    oldestBatch: (): StoredBatch | undefined => batches.values().next().value,
    async release(sequence: number, beyond: ReadonlyMap<string, Refusal>) {
      const held = batches.get(sequence)
      batches.delete(sequence)
      for (const seq of held?.seqs ?? []) {
        const left = waiting.get(seq)
        const at = left?.uses.findIndex((use) => use.seq === seq) ?? -1
        const [use] = left && at >= 0 ? left.uses.splice(at, 1) : []
        const refused = use && beyond.size > 0 ? beyond.get(idOf(use)) : undefined
        if (refused) left?.unserved.set(seq, refused)
        waiting.delete(seq)
        if (left?.uses.length === 0) left.settle()
      }
    },
    giveUp() {
      for (const left of new Set(waiting.values())) left.settle(new Error("the verifier is closed"))
    },
  }
}
