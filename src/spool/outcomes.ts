// What became of the uses whose handlers this process runs; it is joined when they are shipped. It decides whether a use
// waits for its outcome; numbers alone are kept, in arrays that the garbage collector need not look into.
import type { Clock } from "../time.ts"

export interface Outcomes {
  /** `seq`: a positive number, not open yet. Later calls of `finished` change nothing. */
  open(seq: number): { finished(status: number): void }
  forget(seq: number): void
  readonly count: () => number
  /** What is joined to the use's text, empty where nothing is known; undefined while it is waited for. */
  outcomeOf(seq: number, waitMilliseconds: number): string | undefined
}

const FIRST_PLACES = 1024
/** Of `durations`: its handler is busy. */
const BUSY = -1

/**
 * Numbers follow each other and are forgotten about in that order, so each has the place of its remainder, and there are more
 * places where two would have the same.
 */
export function createOutcomes(clock: Clock): Outcomes {
  let table = emptyTable(FIRST_PLACES)
  let count = 0
  const now = () => Math.round(clock.monotonic())
  const placeOf = (seq: number): number | undefined => {
    const place = seq % table.seqs.length
    return table.seqs[place] === seq ? place : undefined
  }
  const since = (place: number) => Math.max(0, now() - (table.startedAt[place] ?? 0))
  return {
    open(seq) {
      while (table.seqs[seq % table.seqs.length] !== 0) table = widen(table)
      const place = seq % table.seqs.length
      table.seqs[place] = seq
      table.startedAt[place] = now()
      table.durations[place] = BUSY
      count++
      return {
        finished(status) {
          const place = placeOf(seq)
          if (place === undefined || table.durations[place] !== BUSY) return
          table.durations[place] = since(place)
          table.statuses[place] = Number.isInteger(status) && status >= 100 && status <= 999 ? status : 0
        },
      }
    },
    forget(seq) {
      const place = placeOf(seq)
      if (place === undefined) return
      table.seqs[place] = 0
      count--
      // What one busy hour took is given back.
      if (count === 0 && table.seqs.length > FIRST_PLACES) table = emptyTable(FIRST_PLACES)
    },
    count: () => count,
    outcomeOf(seq, waitMilliseconds) {
      const place = placeOf(seq)
      if (place === undefined) return ""
      const duration = table.durations[place] ?? BUSY
      const status = table.statuses[place] ?? 0
      if (duration >= 0) return `${status === 0 ? "" : `,"status":${status}`},"duration_ms":${duration}`
      return since(place) >= waitMilliseconds ? "" : undefined
    },
  }
}

interface Table {
  /** Zero: the place is free. */
  readonly seqs: Float64Array
  /** Whole milliseconds. */
  readonly startedAt: Float64Array
  readonly durations: Float64Array
  /** Zero: not known. */
  readonly statuses: Uint16Array
}

const emptyTable = (places: number): Table => ({
  seqs: new Float64Array(places),
  startedAt: new Float64Array(places),
  durations: new Float64Array(places),
  statuses: new Uint16Array(places),
})

/** Numbers that differed in their remainder still do by twice as much. */
function widen(from: Table): Table {
  const to = emptyTable(from.seqs.length * 2)
  for (const [at, seq] of from.seqs.entries()) {
    if (seq === 0) continue
    const place = seq % to.seqs.length
    to.seqs[place] = seq
    to.startedAt[place] = from.startedAt[at] ?? 0
    to.durations[place] = from.durations[at] ?? BUSY
    to.statuses[place] = from.statuses[at] ?? 0
  }
  return to
}
