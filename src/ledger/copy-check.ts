// Whether what is read of a ledger to be copied is whole: every place is there, in a row or in a bundle, and every entry is
// what its hash says. It decides which part is damaged; what becomes of the copy, copy.ts does.
import type { CopySource } from "../database/copy-source.ts"
import { type Batch, type CopiedTable, NotCopied, type Row } from "../database/copy-table.ts"
import { Unavailable, type Value } from "../database/database.ts"
import type { Folder } from "../database/folder.ts"
import { digestOf, unbundle, unpackBundle } from "./bundle.ts"
import { leafHash } from "./merkle.ts"
import { TILE_WIDTH } from "./tree.ts"

export interface Checked extends Pick<CopySource, "has"> {
  /** Where entries rest that were archived to files. */
  readonly archive: Folder | undefined
}

/**
 * Throws NotCopied with the first place that is not, Unavailable where a file of the archive can't be read. Of other tables than
 * the ledger's it checks nothing.
 */
export async function checkLedger(table: CopiedTable, batch: Batch, source: Checked): Promise<void> {
  if (table.name === "entry") checkPlaces(table, batch)
  if (table.name === "entry_bytes") checkRows(table, batch, source)
  if (table.name === "ledger_bundle") await checkBundles(table, batch, source.archive)
}

const columnOf =
  ({ columns }: CopiedTable) =>
  (row: Row, name: string): Value | undefined =>
    row[columns.findIndex((column) => column.name === name)]

function checkPlaces(table: CopiedTable, { from, rows }: Batch): void {
  const of = columnOf(table)
  for (const [n, row] of rows.entries()) if (of(row, "seq") !== from + n + 1) throw missing(from + n + 1)
}

const missing = (place: number) => new NotCopied(`the source is damaged: entry ${place} is missing`)
const changed = (place: number) =>
  new NotCopied(`the source is damaged: entry ${place} is not what its hash says`)

function checkRows(table: CopiedTable, { from, rows }: Batch, source: Pick<CopySource, "has">): void {
  const of = columnOf(table)
  const archived = bundlesIn(source)
  let next = from + 1
  for (const row of rows) {
    const place = Number(of(row, "seq"))
    for (; next < place; next++) if (!archived(next)) throw missing(next)
    next = place + 1
    const [bytes, leaf] = [of(row, "bytes"), of(row, "leaf")]
    if (!(bytes instanceof Uint8Array && leaf instanceof Uint8Array)) throw changed(place)
    if (bytes.length === 0 && leaf.length === 0 && archived(place)) continue
    if (!leafHash(bytes).equals(leaf)) throw changed(place)
  }
}

/** Answers whether a place is in a bundle. Bundles follow each other from the place after the one of another log, or from the first. */
function bundlesIn(source: Pick<CopySource, "has">): (place: number) => boolean {
  let known = Number.NaN
  return (place) => {
    if (place >= known && place < known + TILE_WIDTH) return true
    for (let first = place; first > Math.max(0, place - TILE_WIDTH); first--)
      if (source.has("ledger_bundle", first)) {
        known = first
        return true
      }
    return false
  }
}

async function checkBundles(table: CopiedTable, { rows }: Batch, archive: Folder | undefined): Promise<void> {
  const of = columnOf(table)
  for (const row of rows) {
    const first = Number(of(row, "first"))
    const [packed, digest, leaves] = [of(row, "packed"), of(row, "digest"), of(row, "leaves")]
    const file = of(row, "file") ?? null
    const whole = packed instanceof Uint8Array && digest instanceof Uint8Array && leaves instanceof Uint8Array
    if (!whole) throw changed(first)
    const entries =
      file === null
        ? unpackBundle({ packed, digest }, TILE_WIDTH)
        : await entriesIn(String(file), digest, archive)
    if (!entries || !Buffer.concat(entries.map(leafHash)).equals(leaves)) throw changed(first)
  }
}

async function entriesIn(file: string, digest: Uint8Array, archive: Folder | undefined) {
  if (!archive)
    throw new Unavailable(`entries rest in the file ${file} of an archive: give its folder (--archive)`)
  const plain = await archive.read(file)
  return digestOf(plain).equals(digest) ? unbundle(plain, TILE_WIDTH) : undefined
}
