// Counts the entries of an export as it goes by, and keeps the places of the first and the last. It decides where one ends:
// at the end of a line, of CSV outside of quotes. That an entry is whole is not checked.
import type { ExportFormat } from "../ledger/export.ts"

export interface Counted {
  readonly entries: number
  readonly first: number | undefined
  readonly last: number | undefined
}

export interface Records {
  take(bytes: Uint8Array): void
  counted(): Counted
}

const LINE_FEED = 10
const QUOTE = 34
/** Enough for what stands before a place, and the place. */
const BEGINNING = 32
const PLACE = { ndjson: /^\{"seq":(\d+),/, csv: /^(\d+),/ } as const

export function createRecords(format: ExportFormat): Records {
  let isQuoted = false
  let beginning = ""
  let [entries, first, last] = [0, undefined as number | undefined, undefined as number | undefined]
  const end = () => {
    const place = PLACE[format].exec(beginning)?.[1]
    beginning = ""
    if (place === undefined) return // the names of the columns
    entries += 1
    last = Number(place)
    first ??= last
  }
  return {
    take(bytes) {
      for (const byte of bytes) {
        if (byte === LINE_FEED && !isQuoted) end()
        else if (beginning.length < BEGINNING) beginning += String.fromCharCode(byte)
        if (byte === QUOTE && format === "csv") isQuoted = !isQuoted
      }
    },
    counted: () => ({ entries, first, last }),
  }
}
