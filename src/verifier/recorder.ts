// The record of every decision on a genuine token: allowed uses durable before their handler runs, refused ones folded
// when they come too fast, nobody filling the spool alone. It decides whether a use can be recorded, nothing else.
import { setImmediate } from "node:timers"
import { LRUCache } from "lru-cache"
import { type Refusal, refuse } from "../errors.ts"
import type { Clock } from "../time.ts"
import type { UseRecord } from "../token/batch.ts"
import { ROW_OVERHEAD_BYTES, type Spool, type StoredUse } from "./spool.ts"

export interface Recorder {
  /** Resolves when the use is durable; a refusal when it can't be, and then it must not be served. */
  allow(use: UseRecord): Promise<Recorded | Refusal>
  /** Never waits and never fails: a refusal stands whether or not it can be recorded. */
  refuse(use: UseRecord): void
  /** Writes what was folded so far. */
  unfold(): void
  /** Resolves when everything given to it before is in the spool, or is known not to be. */
  settled(): Promise<void>
  /** The use's text with its outcome, when it may be shipped: the handler is done, it took too long, or its process died. */
  readyUse(stored: StoredUse, waitMilliseconds: number): string | undefined
  /** What those uses held is free again: they are acknowledged. */
  release(shares: Readonly<Record<string, number>>): void
  /** Uses of the spool that are in no batch are gone from here: they are in one now. */
  taken(stored: readonly StoredUse[]): void
  readonly lastSeq: () => number
  /** Uses of this process that are in no batch: what it must remember outcomes for. */
  readonly openUses: () => number
  /** Refusals that could not be recorded since the start. */
  readonly dropped: () => number
  readonly full: () => boolean
}

export interface Recorded {
  /** Joins the outcome. Later calls change nothing. */
  finished(status: number): void
}

interface Open {
  readonly startedAt: number
  /** Members of a use's JSON, each after a comma. */
  outcome?: string
}

interface Fold {
  startedAt: number
  recorded: number
  folded: number
  last: UseRecord | undefined
}

const FOLD_MILLISECONDS = 1000
const RECORDED_PER_FOLD = 10
const TOKENS_FOLDED = 10_000
/** Uses written as one row at most. */
const MOST_TOGETHER = 256
/** The part of the spool that one task may hold. */
const TASK_SHARE = 10

export function createRecorder(options: {
  readonly spool: Spool
  readonly clock: Clock
  readonly limitBytes: number
}): Recorder {
  const { spool, clock, limitBytes } = options
  const room = createRoom(spool, limitBytes)
  const { store, settled, lastSeq } = createStore(spool, room)
  const outcomes = createOutcomes(clock)
  let dropped = 0
  const storeRefused = async (use: UseRecord) => {
    if (!room.fits(use.task) || !(await store(use).stored)) dropped += use.count ?? 1
  }
  const fold = createFold(clock, storeRefused)
  return {
    async allow(use) {
      if (!room.fits(use.task))
        return refuse("recording_unavailable", room.full() ? "spool_full" : "task_share")
      const { seq, stored } = store(use)
      const recorded = outcomes.open(seq)
      if (await stored) return recorded
      outcomes.forget(seq)
      return refuse("recording_unavailable", "spool_unwritable")
    },
    refuse: fold.add,
    unfold: fold.flush,
    settled,
    readyUse: outcomes.readyUse,
    taken(stored) {
      for (const { seq } of stored) outcomes.forget(seq)
    },
    release(shares) {
      for (const [task, bytes] of Object.entries(shares)) room.give(task, bytes)
    },
    lastSeq,
    openUses: outcomes.count,
    dropped: () => dropped,
    full: room.full,
  }
}

/** Uses on their way to the disk together. */
interface Gathering {
  readonly uses: StoredUse[]
  /** Whether they are on disk; it never rejects. */
  readonly stored: Promise<boolean>
  readonly settle: (stored: boolean) => void
}

/** Numbers uses and writes them: those that come while others are being written go together, as one row. */
function createStore(spool: Spool, room: Room) {
  const underWay = new Set<Promise<boolean>>()
  let gathering: Gathering | undefined
  let lastSeq = spool.highestSeq()
  const begin = (): Gathering => {
    const { promise: stored, resolve: settle } = Promise.withResolvers<boolean>()
    if (underWay.size === 0) setImmediate(write)
    underWay.add(stored)
    return { uses: [], stored, settle }
  }
  const write = async () => {
    const group = gathering
    if (!group) return
    gathering = undefined
    const stored = await spool.addUses(group.uses).then(
      () => true,
      () => false,
    )
    if (!stored) for (const { task, text } of group.uses) room.give(task, bytesOf(text))
    underWay.delete(group.stored)
    group.settle(stored)
    if (gathering) setImmediate(write)
  }
  return {
    store(use: UseRecord): { readonly seq: number; readonly stored: Promise<boolean> } {
      const text = JSON.stringify(use)
      const { task } = use
      const seq = ++lastSeq
      room.take(task, bytesOf(text))
      gathering ??= begin()
      const { uses, stored } = gathering
      uses.push({ seq, task, text })
      if (uses.length === MOST_TOGETHER) void write()
      return { seq, stored }
    },
    async settled() {
      await Promise.all(underWay)
    },
    lastSeq: () => lastSeq,
  }
}

const bytesOf = (text: string): number => text.length + ROW_OVERHEAD_BYTES

/** What became of the uses whose handlers this process runs; it is joined when they are shipped. */
function createOutcomes(clock: Clock) {
  const open = new Map<number, Open>()
  const since = (entry: Open) => Math.max(0, Math.round(clock.monotonic() - entry.startedAt))
  return {
    open(seq: number): Recorded {
      const entry: Open = { startedAt: clock.monotonic() }
      open.set(seq, entry)
      return {
        finished(status) {
          const known = Number.isInteger(status) && status >= 100 && status <= 999
          entry.outcome ??= `${known ? `,"status":${status}` : ""},"duration_ms":${since(entry)}`
        },
      }
    },
    forget: (seq: number) => void open.delete(seq),
    count: () => open.size,
    readyUse({ seq, text }: StoredUse, waitMilliseconds: number): string | undefined {
      const entry = open.get(seq)
      if (!entry) return text
      if (entry.outcome !== undefined) return `${text.slice(0, -1)}${entry.outcome}}`
      return since(entry) >= waitMilliseconds ? text : undefined
    },
  }
}

type Room = ReturnType<typeof createRoom>

/** Who holds how much of the spool, batches included. */
function createRoom(spool: Spool, limitBytes: number) {
  const held = new Map<string, number>()
  let total = 0
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
  const full = () => total >= limitBytes
  return {
    take,
    give,
    full,
    fits: (task: string) => !full() && (held.get(task) ?? 0) < limitBytes / TASK_SHARE,
  }
}

/** Of one token, the refusals above ten in a second become one record with their count. */
function createFold(clock: Clock, store: (use: UseRecord) => void) {
  const release = (fold: Fold) => {
    if (fold.last) store(fold.folded > 1 ? { ...fold.last, count: fold.folded } : fold.last)
    fold.last = undefined
    fold.folded = 0
  }
  const folds = new LRUCache<string, Fold>({ max: TOKENS_FOLDED, dispose: release })
  const isOver = (fold: Fold) => clock.monotonic() - fold.startedAt >= FOLD_MILLISECONDS
  return {
    add(use: UseRecord) {
      let fold = folds.get(use.jti)
      if (!fold || isOver(fold)) {
        if (fold) release(fold)
        fold = { startedAt: clock.monotonic(), recorded: 0, folded: 0, last: undefined }
        folds.set(use.jti, fold)
      }
      if (fold.recorded < RECORDED_PER_FOLD) {
        fold.recorded++
        store(use)
      } else {
        fold.folded++
        fold.last = use
      }
    },
    flush() {
      for (const fold of folds.values()) release(fold)
    },
  }
}
