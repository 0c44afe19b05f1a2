// The front of a spool, known without reading it again: uses on their way into a batch, and the batch on its way to the
// issuer. It decides what is remembered; the disk says what is there.
import type { StoredBatch, Taking } from "./batch-row.ts"
import type { UseGroup } from "./group-row.ts"
import type { Part, Spool } from "./spool.ts"

/** `uses`: more than are in no batch while the issuer takes them. `page`: read at once, where there are more than those. */
const MOST = { uses: 10_000, page: 1000 } as const
/** The one that is sent, and the next. */
const MOST_BATCHES = 2

/** The same spool on the same disk, to the byte. `most`: other bounds, for tests. */
export function rememberFront(spool: Spool, most: { uses: number; page: number } = MOST): Spool {
  const uses = frontUses(spool, most)
  const batches = frontBatches(spool)
  return {
    ...spool,
    oldestUses: uses.oldest,
    oldestBatch: batches.oldest,
    async addUses(group) {
      const unserved = await spool.addUses(group)
      uses.add(group)
      return unserved
    },
    async storeBatch(batch, taking, chain) {
      const stored = await spool.storeBatch(batch, taking, chain)
      if (!stored) return false
      uses.take(taking)
      const { sequence, bytes, digest, first, shares } = batch
      batches.add({ sequence, bytes, digest, first, shares })
      return true
    },
    async releaseBatch(sequence, kept, beyond) {
      await spool.releaseBatch(sequence, kept, beyond)
      batches.forget(sequence)
    },
  }
}

/** What is remembered is the oldest there is: who seals asks for those, and what comes when it is full is on the disk. */
function frontUses(spool: Spool, most: { uses: number; page: number }) {
  let groups: UseGroup[] = []
  let count = 0
  /** The highest number that was ever remembered. */
  let known = 0
  /** Whether the disk may hold more of them, behind that number. */
  let beyond = true
  const add = (group: UseGroup) => {
    groups.push(group)
    count += group.count
    known = group.first + group.count - 1
  }
  const readOn = (limit: number) => {
    const before = count
    for (const group of spool.oldestUses(limit, undefined, known)) add(group)
    beyond = count - before >= limit
  }
  return {
    add(group: UseGroup) {
      if (count >= most.uses) beyond = true
      // It may have been read by now: it was on the disk before this was told.
      if (!beyond && group.first > known) add(group)
    },
    oldest(limit: number, part?: Part, after?: number): UseGroup[] {
      if (part || after !== undefined) return spool.oldestUses(limit, part, after)
      if (beyond && count < limit) readOn(Math.max(limit, most.page))
      let taken = 0
      const end = groups.findIndex((group) => {
        taken += group.count
        return taken >= limit
      })
      return end < 0 ? [...groups] : groups.slice(0, end + 1)
    },
    take({ groups: taken, split, pieces }: Taking) {
      const gone = new Set([...taken, ...split].map(({ first }) => first))
      const staying = pieces.filter((piece) => !taken.includes(piece))
      groups = groups.flatMap((group) => {
        if (!gone.has(group.first)) return [group]
        return staying.filter(({ first }) => first >= group.first && first < group.first + group.count)
      })
      count = groups.reduce((sum, group) => sum + group.count, 0)
    },
  }
}

function frontBatches(spool: Spool) {
  const batches = new Map<number, StoredBatch>()
  return {
    add(batch: StoredBatch) {
      const oldest = spool.oldestSequence() ?? batch.sequence
      for (const sequence of batches.keys()) if (sequence < oldest) batches.delete(sequence) // another process sent it
      if (batches.size < MOST_BATCHES) batches.set(batch.sequence, batch)
    },
    oldest(): StoredBatch | undefined {
      const sequence = spool.oldestSequence()
      return sequence === undefined ? undefined : (batches.get(sequence) ?? spool.oldestBatch())
    },
    forget: (sequence: number) => void batches.delete(sequence),
  }
}
