// Looking for entries from the newest back, for people: a page is answered in time however long the ledger is and however
// rare what they look for, so that it says how far it looked. Looking through everything, in order, is search.ts's.
import type { Engine } from "../database/database.ts"
import { type Entry, type Resting, show } from "./entry.ts"
import { withBytes } from "./resting.ts"
import { type EntryFilter, isFoundAtOnce, prepare } from "./search.ts"
import { newestPlace, timeAt } from "./statements.ts"

export interface BackPage {
  /** The newest first. */
  readonly entries: readonly Entry[]
  /** Entries below this place come next; null: there are none. */
  readonly next: number | null
  /** All that are left were not looked at yet: there may be none like that. */
  readonly further: boolean
}

export interface BackAsked {
  /** A place of the ledger: only what is below it. Default: everything. */
  readonly below?: number | undefined
  readonly limit: number
  /** Entries looked through for one page; default 150,000, about a tenth of a second. */
  readonly looked?: number
}

/** Entries looked through in one statement. */
const WINDOW = 50_000
const MOST_LOOKED = 150_000
/**
 * Places are in the order of commits, and times almost. An entry that is further out of the order of time than this can be
 * missed at the ends of a range of times.
 */
const DISORDER_MILLISECONDS = 60_000

/** Throws Unavailable. */
export async function findBack(
  engine: Engine,
  filter: EntryFilter,
  { below = Number.MAX_SAFE_INTEGER, limit, looked = MOST_LOOKED }: BackAsked,
  window = WINDOW,
): Promise<BackPage> {
  const newest = (await engine.query(newestPlace))[0]?.seq ?? 0
  const { after, upTo } = await rangeOf(engine, filter, Math.min(newest, below - 1))
  const { statement, values } = prepare(filter, "last")
  const step = isFoundAtOnce(filter) ? upTo : window
  const found: Resting[] = []
  let place = upTo
  while (place > after && found.length <= limit && upTo - place < looked) {
    const from = Math.max(after, place - step)
    const part = { after: from, upTo: place, limit: limit + 1 - found.length }
    found.push(...(await withBytes(engine, await engine.query(statement, { ...values, ...part }))))
    place = from
  }
  const entries = found.slice(0, limit).map(show)
  if (found.length > limit) return { entries, next: entries.at(-1)?.seq ?? null, further: false }
  return place > after ? { entries, next: place + 1, further: true } : { entries, next: null, further: false }
}

async function rangeOf(engine: Engine, { from, to }: EntryFilter, newest: number) {
  const after =
    from === undefined ? 0 : await placeBefore(engine, from - DISORDER_MILLISECONDS, { low: 0, high: newest })
  const upTo =
    to === undefined
      ? newest
      : await placeBefore(engine, to + DISORDER_MILLISECONDS, { low: after, high: newest })
  return { after, upTo }
}

/** The last place whose time is below that one, as far as places are in the order of times. */
async function placeBefore(
  engine: Engine,
  time: number,
  { low, high }: { readonly low: number; readonly high: number },
): Promise<number> {
  let [below, above] = [low, high + 1]
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2)
    const [row] = await engine.query(timeAt, { seq: middle })
    if ((row?.at ?? 0) < time) below = middle
    else above = middle
  }
  return below
}
