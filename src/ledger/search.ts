// Looking for entries: the contract's filters and a cursor that stays good while the ledger grows. Who may look, and that
// looking is itself recorded, is decided by the issuer.
import { setImmediate } from "node:timers/promises"
import type { Engine, Statement, Value } from "../database/database.ts"
import { type Places, partsWithin } from "./block-times.ts"
import { type Entry, type Resting, type RestingRow, show } from "./entry.ts"
import type { Kind, OutcomeOfEvent } from "./event.ts"
import { withBytes } from "./resting.ts"
import { CONDITIONS, type Condition, findEntries, findNewestEntries, newestPlace } from "./statements.ts"

/** All that are given must hold. Absent: everything. */
export interface EntryFilter {
  readonly task?: string | undefined
  /** Entries of the task started under this reference, and refusals that name it. */
  readonly reference?: string | undefined
  readonly jti?: string | undefined
  readonly agent?: string | undefined
  readonly instance?: string | undefined
  readonly orchestrator?: string | undefined
  readonly sub?: string | undefined
  readonly api?: string | undefined
  readonly operation?: string | undefined
  /** A prefix of the resource, as text: no wildcards. */
  readonly resource?: string | undefined
  readonly kind?: Kind | undefined
  readonly outcome?: OutcomeOfEvent | undefined
  /** Why it was refused, or what alarmed. */
  readonly code?: string | undefined
  /** Epoch milliseconds, inclusive. */
  readonly from?: number | undefined
  /** Epoch milliseconds, exclusive. */
  readonly to?: number | undefined
  /** `next` of an earlier answer. */
  readonly after?: string | undefined
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined
}

export interface EntryPage {
  readonly entries: Entry[]
  /** Where the next page begins; null when nothing more is there at the moment. */
  readonly next: string | null
}

export const MOST_ENTRIES = 1000
const DEFAULT_ENTRIES = 100
/** Of an export, held at once: an entry is 60 KiB at most and some hundred bytes as a rule. */
const PAGE_ENTRIES = 500
/** Entries looked through at once; between two such windows others get their turn. */
const WINDOW = 50_000
/** What an index finds without looking at anything else: one look, however long the ledger is. */
const FOUND_AT_ONCE = ["task", "jti"] as const

export const isFoundAtOnce = (filter: EntryFilter): boolean =>
  FOUND_AT_ONCE.some((name) => filter[name] !== undefined)

/** Tells a cursor that this ledger may have given out from other text. */
export const isCursor = (text: string): boolean => placeOf(text) !== undefined

export const cursorOf = (seq: number): string => Buffer.from(String(seq)).toString("base64url")

/** Undefined: it is none. */
export function placeOf(cursor: string): number | undefined {
  const text = Buffer.from(cursor, "base64url").toString("latin1")
  return /^[1-9]\d{0,14}$/.test(text) && cursorOf(Number(text)) === cursor ? Number(text) : undefined
}

/** Reads as the contract's `GET /ledger/entries`. Throws TypeError on a cursor or limit that can't be, Unavailable. */
export async function findIn(engine: Engine, filter: EntryFilter): Promise<EntryPage> {
  const { after, limit = DEFAULT_ENTRIES } = filter
  const start = after === undefined ? 0 : placeOf(after)
  if (start === undefined) throw new TypeError("after is not a cursor of this ledger")
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_ENTRIES)
    throw new TypeError("limit must be 1 to 1,000")
  const newest = (await engine.query(newestPlace))[0]?.seq ?? 0
  const found = await look(engine, filter, { after: start, upTo: newest, most: limit + 1 })
  const entries = found.slice(0, limit).map(show)
  const last = entries.at(-1)
  return { entries, next: found.length > limit && last ? cursorOf(last.seq) : null }
}

/**
 * All entries of a range that meet the filter (its own `after` and `limit` don't count), in order and a page at a time: the
 * next is read when it is asked for, so that however many there are, little is held. What is appended meanwhile is not
 * among them. Throws Unavailable.
 */
export async function* findAll(
  engine: Engine,
  filter: EntryFilter,
  { after, upTo }: Places,
): AsyncGenerator<Entry[], void, void> {
  for (let from = after; from < upTo; ) {
    const found = await look(engine, filter, { after: from, upTo, most: PAGE_ENTRIES })
    if (found.length > 0) yield found.map(show)
    if (found.length < PAGE_ENTRIES) return
    from = found.at(-1)?.seq ?? upTo
  }
}

/** The first of a range, at most so many. */
async function look(
  engine: Engine,
  filter: EntryFilter,
  { most, ...range }: Places & { readonly most: number },
): Promise<Resting[]> {
  const { statement, values } = prepare(filter)
  const found: Resting[] = []
  for await (const part of partsOf(engine, filter, range)) {
    const limit = most - found.length
    found.push(...(await withBytes(engine, await engine.query(statement, { ...values, ...part, limit }))))
    if (found.length >= most) break
    if (part.upTo < range.upTo) await setImmediate()
  }
  return found
}

/** What of a range is looked through, one part after the other. */
async function* partsOf(
  engine: Engine,
  filter: EntryFilter,
  range: Places,
): AsyncGenerator<Places, void, void> {
  if (range.after >= range.upTo) return
  if (isFoundAtOnce(filter)) yield range
  else if (filter.from !== undefined || filter.to !== undefined)
    yield* partsWithin(engine, range, filter, WINDOW)
  else
    for (let after = range.after; after < range.upTo; after += WINDOW)
      yield { after, upTo: Math.min(after + WINDOW, range.upTo) }
}

/** Sets of filters in use; each is compiled once. */
const MOST_KNOWN = 200
const known = new Map<string, Statement<RestingRow>>()
const CONDITION_NAMES = Object.keys(CONDITIONS) as Condition[]

/** The statement of a set of filters, and what it is asked with. */
export function prepare(
  filter: EntryFilter,
  order: "first" | "last" = "first",
): { statement: Statement<RestingRow>; values: Record<string, Value> } {
  const { outcome, after: _after, limit: _limit, ...others } = filter
  const values: Record<string, Value> = {}
  for (const [name, value] of Object.entries(others)) if (value !== undefined) values[name] = value
  const given = CONDITION_NAMES.filter((name) => name in values || name === outcome)
  const key = [order, ...given].join()
  let statement = known.get(key)
  if (!statement) {
    if (known.size >= MOST_KNOWN) known.clear()
    statement = order === "first" ? findEntries(given) : findNewestEntries(given)
    known.set(key, statement)
  }
  return { statement, values }
}

/** How an outcome rests. */
export const outcomeNumber = (outcome: OutcomeOfEvent): number => (outcome === "allowed" ? 1 : 0)
