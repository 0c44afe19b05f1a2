// Between which times the entries of a block lie, so that who asks for a time reads the blocks that can have it and no other.
// Places are in the order of commits and times almost: several issuers have a clock each. So nothing is taken for sorted.
// Learnt from the entries when first asked, and kept in memory: what is appended never changes.
import { setImmediate } from "node:timers/promises"
import type { Engine } from "../database/database.ts"
import { blockTimes, ENTRIES_OF_A_BLOCK, newestPlace } from "./statements.ts"

/** A range of places: after one, up to another. */
export interface Places {
  readonly after: number
  readonly upTo: number
}

/** Epoch milliseconds, `from` inclusive, `to` exclusive. */
export interface Times {
  readonly from?: number | undefined
  readonly to?: number | undefined
}

interface Span {
  readonly first: number
  readonly last: number
}

/** Of the blocks that are full. */
interface Known {
  readonly spans: Map<number, Span>
  /** The furthest place that was asked for. */
  upTo: number
}

const known = new WeakMap<Engine, Known>()

/**
 * The parts of a range outside of which no entry has such a time, in order, each within one window of `step` places (whole
 * blocks); entries within may have another time. All of the range must be committed. Where the ledger ends before a place
 * that was asked for earlier, the database is another than it was, and all is learnt anew. Throws Unavailable.
 */
export async function* partsWithin(
  engine: Engine,
  { after, upTo }: Places,
  { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: Times,
  step: number,
): AsyncGenerator<Places, void, void> {
  const spans = await knownOf(engine, upTo)
  for (let start = after; start < upTo; ) {
    const end = Math.min((Math.floor(start / step) + 1) * step, upTo)
    const blocks = blocksBetween(start, end)
    if (blocks.some((block) => !spans.has(block) && endOf(block) <= end)) {
      await learn(engine, spans, { after: startOf(blocks[0] ?? 0), upTo: end })
      await setImmediate()
    }
    const fitting = blocks.filter((block) => {
      const span = spans.get(block)
      return !span || (span.last >= from && span.first < to)
    })
    const [first, last] = [fitting[0], fitting.at(-1)]
    if (first !== undefined && last !== undefined)
      yield { after: Math.max(start, startOf(first)), upTo: Math.min(end, endOf(last)) }
    start = end
  }
}

async function knownOf(engine: Engine, upTo: number): Promise<Known["spans"]> {
  const newest = (await engine.query(newestPlace))[0]?.seq ?? 0
  let of = known.get(engine)
  if (!of || newest < of.upTo) {
    of = { spans: new Map(), upTo: 0 }
    known.set(engine, of)
  }
  of.upTo = Math.max(of.upTo, upTo)
  return of.spans
}

async function learn(engine: Engine, spans: Map<number, Span>, { after, upTo }: Places): Promise<void> {
  for (const { block, entries, first, last } of await engine.query(blockTimes, { after, upTo }))
    if (entries === ENTRIES_OF_A_BLOCK) spans.set(block, { first, last })
}

const startOf = (block: number): number => block * ENTRIES_OF_A_BLOCK
const endOf = (block: number): number => startOf(block + 1)

const blocksBetween = (after: number, upTo: number): number[] => {
  const first = Math.floor(after / ENTRIES_OF_A_BLOCK)
  return Array.from({ length: Math.ceil(upTo / ENTRIES_OF_A_BLOCK) - first }, (_each, n) => first + n)
}
