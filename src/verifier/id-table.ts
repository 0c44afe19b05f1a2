// Orders against single ids (tokens, tasks, delegations) by the hundred thousand, in some forty bytes each: rows without
// gaps in typed arrays, and an index with open addressing over them. It decides nothing about what an order means.
import type { RevocationItem } from "../token/revocation.ts"

/** An order without the name that it is against. */
export type Order = Pick<RevocationItem, "before" | "until" | "code" | "cursor">

/** Of ids of one kind; the kind is not stored. */
export interface IdTable {
  find(id: IdKey): Order | undefined
  /** Replaces what is there. */
  set(id: IdKey, order: Order): void
  /** Removes what is over before that (epoch seconds); answers the latest end of it, zero when there was nothing. */
  forget(before: number): number
  readonly size: () => number
}

/** The 128 bits of a UUID. */
export type IdKey = readonly [number, number, number, number]

const CODES = ["token_revoked", "task_paused", "task_ended"] as const
const FIRST_ROWS = 64
const GROWTH = 1.25
/** Slots of the index for each row, at least. */
const SLOTS = 1.5
const MAX_TIME = 0xffffffff
/** 2^32 over the golden ratio: spreads what differs in few bits. */
const SPREAD = 0x9e3779b1

/** The bits of an id such as `tok_` and a UUID in lower-case hex; undefined for any other text. */
export function readIdKey(text: string): IdKey | undefined {
  const uuid = UUID_ID.exec(text)?.[1]?.replaceAll("-", "")
  if (uuid === undefined) return undefined
  const part = (at: number) => Number.parseInt(uuid.slice(at, at + 8), 16)
  return [part(0), part(8), part(16), part(24)]
}

const UUID_ID = /^[a-z]{3,4}_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/

export function createIdTable(): IdTable {
  const rows = createRows()
  let index = createIndex(rows, FIRST_ROWS)
  let size = 0
  const grow = () => {
    rows.grow()
    if (index.fits(rows.capacity())) return
    index = createIndex(rows, rows.capacity())
    for (let row = 0; row < size; row++) index.put(rows.key(row), row)
  }
  const remove = (row: number) => {
    index.clear(rows.key(row))
    size--
    if (row === size) return
    index.put(rows.key(size), row)
    rows.write(row, rows.key(size), rows.order(size))
  }
  return {
    find(key) {
      const row = index.find(key)
      return row === undefined ? undefined : rows.order(row)
    },
    set(key, order) {
      if (size === rows.capacity()) grow()
      const row = index.find(key) ?? size++
      rows.write(row, key, order)
      index.put(key, row)
    },
    forget(before) {
      let latest = 0
      for (let row = size - 1; row >= 0; row--) {
        const until = rows.until(row)
        if (until >= before) continue
        latest = Math.max(latest, until)
        remove(row)
      }
      return latest
    },
    size: () => size,
  }
}

/** Which row holds a key: open addressing, the next slot when one is taken. */
function createIndex(rows: Rows, capacity: number) {
  const slots = new Uint32Array(slotsFor(capacity)) // a row's number and one; zero: nothing
  const mask = slots.length - 1
  const rowIn = (slot: number) => (slots[slot] ?? 0) - 1
  const homeOf = (key: IdKey) => (Math.imul(key[3] ^ key[1], SPREAD) >>> 8) & mask
  /** The slot that holds the key, or the empty one where it would go. */
  const seek = (key: IdKey) => {
    let slot = homeOf(key)
    while (slots[slot] && !rows.holds(rowIn(slot), key)) slot = (slot + 1) & mask
    return slot
  }
  return {
    fits: (rowCount: number) => slotsFor(rowCount) <= slots.length,
    find(key: IdKey): number | undefined {
      const row = rowIn(seek(key))
      return row < 0 ? undefined : row
    },
    /** The row must hold the key already, or the key be in no row. */
    put(key: IdKey, row: number) {
      slots[seek(key)] = row + 1
    },
    /** Moves up what was only displaced by what went, so that no search ends too early. */
    clear(key: IdKey) {
      let hole = seek(key)
      for (let slot = (hole + 1) & mask; slots[slot]; slot = (slot + 1) & mask) {
        const home = homeOf(rows.key(rowIn(slot)))
        if (((slot - home) & mask) < ((slot - hole) & mask)) continue
        slots[hole] = slots[slot] ?? 0
        hole = slot
      }
      slots[hole] = 0
    },
  }
}

const slotsFor = (capacity: number): number => 2 ** Math.ceil(Math.log2(capacity * SLOTS))

type Rows = ReturnType<typeof createRows>

function createRows() {
  let capacity = FIRST_ROWS
  let keys = new Uint32Array(4 * capacity)
  /** `before` and `until`: epoch seconds in 32 bits last until 2106. */
  let times = new Uint32Array(2 * capacity)
  let cursors = new Float64Array(capacity)
  let codes = new Uint8Array(capacity)
  const key = (row: number): IdKey => {
    const at = 4 * row
    return [keys[at] ?? 0, keys[at + 1] ?? 0, keys[at + 2] ?? 0, keys[at + 3] ?? 0]
  }
  return {
    capacity: () => capacity,
    grow() {
      capacity = Math.ceil(capacity * GROWTH)
      keys = copied(new Uint32Array(4 * capacity), keys)
      times = copied(new Uint32Array(2 * capacity), times)
      cursors = copied(new Float64Array(capacity), cursors)
      codes = copied(new Uint8Array(capacity), codes)
    },
    key,
    holds(row: number, [a, b, c, d]: IdKey): boolean {
      const at = 4 * row
      return keys[at + 3] === d && keys[at + 2] === c && keys[at + 1] === b && keys[at] === a
    },
    until: (row: number) => times[2 * row + 1] ?? 0,
    order(row: number): Order {
      const code = CODES[codes[row] ?? 0] ?? "token_revoked"
      return { before: times[2 * row] ?? 0, until: times[2 * row + 1] ?? 0, code, cursor: cursors[row] ?? 0 }
    },
    write(row: number, id: IdKey, { before, until, code, cursor }: Order) {
      keys.set(id, 4 * row)
      times[2 * row] = Math.min(before, MAX_TIME)
      times[2 * row + 1] = Math.min(until, MAX_TIME)
      cursors[row] = cursor
      codes[row] = CODES.indexOf(code)
    },
  }
}

type Numbers = Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>

function copied<T extends Numbers>(to: T, from: T): T {
  to.set(from)
  return to
}
