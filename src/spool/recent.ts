// What a spool was given last, known without reading it again: uses on their way into a batch, and the batch on its way to
// the issuer. It decides what is remembered; the disk says what is there.
import type { StoredBatch, Taking } from "./batch-row.ts"
import type { UseGroup } from "./group-row.ts"
import type { Part, Spool } from "./spool.ts"

/** More than are in no batch while the issuer takes them; beyond it the disk is read. */
const MOST_USES = 10_000
/** The one that is sent, and the next. */
const MOST_BATCHES = 2

/** The same spool on the same disk, to the byte. */
export function rememberRecent(spool: Spool): Spool {
  const uses = recentUses(spool)
  const batches = recentBatches(spool)
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

function recentUses(spool: Spool) {
  let groups: UseGroup[] = []
  let count = 0
  /** Whether older ones may be on the disk. */
  let behind = true
  const oldest = (limit: number) => {
    let taken = 0
    const end = groups.findIndex((group) => {
      taken += group.count
      return taken >= limit
    })
    return end < 0 ? [...groups] : groups.slice(0, end + 1)
  }
  return {
    add(group: UseGroup) {
      groups.push(group)
      count += group.count
      while (count > MOST_USES) {
        count -= groups.shift()?.count ?? 0
        behind = true
      }
    },
    oldest(limit: number, part?: Part): UseGroup[] {
      if (part) return spool.oldestUses(limit, part)
      if (!behind) return oldest(limit)
      const read = spool.oldestUses(limit)
      behind = read[0]?.first !== groups[0]?.first
      return read
    },
    take({ groups: taken, split, pieces }: Taking) {
      const gone = new Set([...taken, ...split].map(({ first }) => first))
      const staying = pieces.filter((piece) => !taken.includes(piece))
      // Of those that are remembered only: else the ones on the disk in between would be passed over.
      groups = groups.flatMap((group) => {
        if (!gone.has(group.first)) return [group]
        return staying.filter(({ first }) => first >= group.first && first < group.first + group.count)
      })
      count = groups.reduce((sum, group) => sum + group.count, 0)
    },
  }
}

function recentBatches(spool: Spool) {
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
