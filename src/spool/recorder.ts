// The record of every decision on a genuine token: allowed uses durable before their handler runs, refused ones folded
// when they come too fast, nobody filling the spool alone. It decides whether a use can be recorded, nothing else.
import { setImmediate } from "node:timers"
import { type Refusal, refuse } from "../errors.ts"
import type { Clock } from "../time.ts"
import type { UseRecord } from "../token/batch.ts"
import type { Shares } from "./batch-row.ts"
import { createFold } from "./fold.ts"
import type { StoredUse, UseHead } from "./group-row.ts"
import { createOutcomes } from "./outcomes.ts"
import type { Spool } from "./spool.ts"
import { createRoom, createStore } from "./store.ts"

/** When a request may go on to its handler: once its use is on disk, once the issuer has acknowledged it, or at once. */
export type Recording = "write-ahead" | "direct" | "batched"

export interface Recorder {
  /**
   * Write-ahead: resolves when the use is durable; a refusal when it can't be, and then it must not be served. Direct: the
   * same, durable being the issuer's acknowledgement, and what it counts beyond a limit is refused; a refusal may then stand as
   * an allowed use in the ledger. Batched:
   * resolves after this turn of the event loop, unless the last write failed; then each use waits until one succeeds again.
   */
  allow(use: UseRecord): Promise<Recorded | Refusal>
  /** The same of a use whose JSON is written: the text of `head`, the same object for all that have it in common, then `tail`. */
  allow(head: UseHead, tail: string): Promise<Recorded | Refusal>
  /** Why a use of that task would be refused by now, before anything that it costs; one that comes meanwhile may take the room. */
  refusal(task: string): Refusal | undefined
  /** Never waits and never fails: a refusal stands whether or not it can be recorded. */
  refuse(use: UseRecord): void
  /** Writes what was folded so far. */
  unfold(): void
  /** Resolves when everything given to it before is in the spool, or is known not to be. */
  settled(): Promise<void>
  /**
   * What is joined to the text of that use, when it may be shipped: the handler is done, it took too long, or its process died.
   */
  outcomeOf(seq: number, waitMilliseconds: number): string | undefined
  /** What those uses held is free again: they are acknowledged. */
  release(shares: Shares): void
  /** So many processes share the spool, and each may hold its part. */
  shareAmong(processes: number): void
  /** Uses of the spool that are in no batch are gone from here: they are in one now. */
  taken(stored: readonly StoredUse[]): void
  readonly lastSeq: () => number
  /** Uses of this process that are in no batch: what it must remember outcomes for. */
  readonly openUses: () => number
  /** Refusals that could not be recorded since the start. */
  readonly dropped: () => number
  /** Batched: uses since the start that were served and could not be recorded. */
  readonly lost: () => number
  readonly full: () => boolean
  /** How much of what this process may hold is held; 1: it is full. */
  readonly filled: () => number
}

export interface Recorded {
  /** Joins the outcome. Later calls change nothing. */
  finished(status: number): void
}

/** What is shipped before its handler runs has no outcome. */
const UNJOINED: Recorded = Object.freeze({ finished: () => undefined })

export function createRecorder(options: {
  readonly spool: Spool
  readonly clock: Clock
  readonly limitBytes: number
  readonly recording: Recording
}): Recorder {
  const { spool, clock, limitBytes, recording } = options
  const room = createRoom(spool, limitBytes)
  const outcomes = createOutcomes(clock)
  const nextTurn = createTurns()
  let dropped = 0
  let lost = 0
  const { store, settled, lastSeq, isFailing } = createStore(spool, room, (seqs) => {
    for (const seq of seqs) outcomes.forget(seq)
    lost += seqs.length
  })
  const storeRefused = async (use: UseRecord) => {
    if (!room.fits(use.task) || !(await store(headAlone(use), JSON.stringify(use)).stored))
      dropped += use.count ?? 1
  }
  const fold = createFold(clock, storeRefused)
  const refusal = (task: string) =>
    room.fits(task) ? undefined : refuse("recording_unavailable", room.full() ? "spool_full" : "task_share")
  return {
    refusal,
    async allow(use: UseRecord | UseHead, tail: string = JSON.stringify(use)) {
      const unrecorded = refusal(use.task)
      if (unrecorded) return unrecorded
      const awaited = recording !== "batched" || isFailing()
      const { seq, stored } = store("text" in use ? use : headAlone(use), tail, awaited)
      const recorded = recording === "direct" ? UNJOINED : outcomes.open(seq)
      if (!awaited) {
        await nextTurn()
        return recorded
      }
      const unserved = await stored
      if (unserved) return unserved.get(seq) ?? recorded
      outcomes.forget(seq)
      return refuse("recording_unavailable", "spool_unwritable")
    },
    refuse: fold.add,
    unfold: fold.flush,
    settled,
    outcomeOf: outcomes.outcomeOf,
    taken(stored) {
      for (const { seq } of stored) outcomes.forget(seq)
    },
    release(shares) {
      for (const [task, bytes] of shares) room.give(task, bytes)
    },
    shareAmong: room.shareAmong,
    lastSeq,
    openUses: outcomes.count,
    dropped: () => dropped,
    lost: () => lost,
    full: room.full,
    filled: room.filled,
  }
}

const headAlone = ({ task }: UseRecord): UseHead => ({ task, text: "" })

/**
 * Who comes in one turn of the event loop goes on together after it. Requests that were read together are then answered
 * together, which costs a busy host less than one after the other; an idle one waits for nothing.
 */
function createTurns(): () => Promise<void> {
  let turn: Promise<void> | undefined
  return () => {
    turn ??= new Promise((resolve) => {
      setImmediate(() => {
        turn = undefined
        resolve()
      })
    })
    return turn
  }
}
