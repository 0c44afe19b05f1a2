// Uses on their way to the disk: numbered, written together where they come together, and counted against the room that
// each task may hold. It decides whether there is room; what is recorded, and who waits for it, the recorder does.
import { clearTimeout, setImmediate, setTimeout } from "node:timers"
import { bytesOf, PartlyStored, type StoredUse, type UseHead, writeGroup } from "./group-row.ts"
import type { Spool, Unserved } from "./spool.ts"

/** Uses written as one row at most. */
const MOST_TOGETHER = 256
/** How long uses that nobody waits for gather: each write costs as much as recording several of them. */
const GATHER_MILLISECONDS = 10
/** How often a write that somebody waits for may let others join it: a turn of the event loop each. */
const MOST_TURNS = 16
/** The part of the spool that one task may hold. */
const TASK_SHARE = 10

interface Stored {
  readonly seq: number
  /** Undefined: it is not. It never rejects. */
  readonly stored: Promise<Unserved | undefined>
}

/** Uses on their way to the disk together. */
interface Gathering {
  readonly uses: StoredUse[]
  /** Numbers of those that nobody waits for. */
  readonly unawaited: number[]
  /** Writes them when nobody has come to wait for it. */
  readonly timer: NodeJS.Timeout | undefined
  /** Undefined: they are not on disk. It never rejects. */
  readonly stored: Promise<Unserved | undefined>
  readonly settle: (stored: Unserved | undefined) => void
}

/**
 * Numbers uses and writes them: those that come one after the other, or while others are being written, go together, as one
 * row, and those that nobody waits for gather a little longer. `lost` is told the numbers of uses that could not be written
 * and that nobody waits for.
 */
export function createStore(spool: Spool, room: Room, lost: (seqs: readonly number[]) => void) {
  const underWay = new Set<Promise<unknown>>()
  let writing = 0
  let gathering: Gathering | undefined
  let failing = false
  let lastSeq = spool.highestSeq()
  const begin = (awaited: boolean): Gathering => {
    const { promise: stored, resolve: settle } = Promise.withResolvers<Unserved | undefined>()
    const timer = awaited ? undefined : setTimeout(write, GATHER_MILLISECONDS)
    underWay.add(stored)
    return { uses: [], unawaited: [], timer, stored, settle }
  }
  const write = async () => {
    const group = gathering
    if (!group) return
    gathering = undefined
    clearTimeout(group.timer)
    writing++
    const stored = await spool
      .addUses(writeGroup(group.uses))
      .catch((fault) => giveBack(room, group.uses, fault))
    writing--
    failing = stored === undefined
    if (failing) lost(group.unawaited)
    underWay.delete(group.stored)
    group.settle(stored)
    if (isAwaited()) writeSoon(0)
  }
  /**
   * Writes once a turn of the event loop has brought nobody new, which on a quiet host is this one: under load a write costs as
   * much as recording dozens of uses, and whoever comes before the next would have to wait for both.
   */
  const writeSoon = (seen: number, turns = MOST_TURNS): void => {
    setImmediate(() => {
      const gathered = gathering?.uses.length ?? 0
      if (gathered > seen && turns > 0) writeSoon(gathered, turns - 1)
      else void write()
    })
  }
  const isAwaited = () => gathering !== undefined && gathering.uses.length > gathering.unawaited.length
  return {
    store(head: UseHead, tail: string, awaited = true): Stored {
      const seq = ++lastSeq
      room.take(head.task, bytesOf(head, tail))
      gathering ??= begin(awaited)
      const { uses, unawaited, stored } = gathering
      if (!awaited) unawaited.push(seq)
      else if (writing === 0 && uses.length === unawaited.length) writeSoon(uses.length + 1)
      uses.push({ seq, head, tail })
      if (uses.length === MOST_TOGETHER) void write()
      return { seq, stored }
    },
    async settled() {
      await Promise.all(underWay)
    },
    lastSeq: () => lastSeq,
    /** Whether the last write failed. */
    isFailing: () => failing,
  }
}

/** Of what was not stored; of what was, whoever acknowledges it gives it back. */
function giveBack(room: Room, uses: readonly StoredUse[], fault: unknown): undefined {
  const left = fault instanceof PartlyStored ? fault.left : uses
  for (const { head, tail } of left) room.give(head.task, bytesOf(head, tail))
}

type Room = ReturnType<typeof createRoom>

/**
 * Who holds how much of the spool, batches included. Each of the processes that share one has an even part of the limit: in
 * all they hold no more than it, while some have just joined less than twice it. What a process has left that ended is
 * held by the one that takes its place; where none does, it comes on top.
 */
export function createRoom(spool: Spool, limitBytes: number) {
  const held = new Map<string, number>()
  let total = 0
  let limit = limitBytes
  const take = (task: string, bytes: number) => {
    total += bytes
    held.set(task, (held.get(task) ?? 0) + bytes)
  }
  const give = (task: string, bytes: number) => {
    total -= bytes
    const left = (held.get(task) ?? 0) - bytes
    if (left > 0) held.set(task, left)
    else held.delete(task)
  }
  for (const [task, bytes] of spool.shares()) take(task, bytes)
  const full = () => total >= limit
  const filled = () => total / limit
  return {
    take,
    give,
    full,
    filled,
    fits: (task: string) => !full() && (held.get(task) ?? 0) < limit / TASK_SHARE,
    shareAmong(processes: number) {
      limit = limitBytes / Math.max(1, processes)
    },
  }
}
