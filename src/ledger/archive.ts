// How a tile of entries is archived: the bytes of all 256 and their leaves go into one bundle, compressed in the database or
// in a file of its own; their rows and what stands beside the bytes stay where erasing finds it. It decides that nothing goes
// but what the bundle was seen to hold, and what was signed or left; which tiles may go, and whose word that is, task/archive.ts does.
import type { Engine, Step } from "../database/database.ts"
import type { Folder } from "../database/folder.ts"
import { fileOfBundle, type LogPlace } from "./archive-files.ts"
import { bundle, digestOf, packBundle, unbundle, unpackBundle } from "./bundle.ts"
import {
  archivePlace,
  type BundleRow,
  bundleBegins,
  dropRows,
  emptyRows,
  insertBundle,
  moveBundle,
  type PackedRow,
  packedBundles,
  placesOfTile,
  rowsOfTile,
  timesOfTile,
} from "./bundle-statements.ts"
import { EMPTY_FRONTIER, extend, leafHash, rootOf } from "./merkle.ts"
import { TILE_WIDTH, TreeBroken } from "./tree.ts"
import { nodesBetween } from "./tree-statements.ts"

type Queries = Pick<Engine, "query">

export interface Place extends LogPlace {
  /** Of the first tile that is not archived, the place of its first entry. */
  readonly first: number
  /** The place of the newest entry under a checkpoint. */
  readonly signed: number
}

/** Where to go on: with what was left before the log, then with the log's own. Throws Unavailable. */
export async function archiveFrom(engine: Queries): Promise<Place> {
  const [row] = await engine.query(archivePlace)
  const { origin = "", before = 0, left = null, newest = null, signed = null } = row ?? {}
  const of = { origin, before, signed: signed ?? 0 }
  const first = await tileLeft(engine, left === null ? 1 : left + TILE_WIDTH, before)
  return { ...of, first: first ?? (newest === null ? before + 1 : newest + TILE_WIDTH) }
}

/** The tile right behind it; undefined where what was left has none. Throws Unavailable. */
export async function archiveNext(engine: Queries, place: Place): Promise<Place | undefined> {
  const first = place.first + TILE_WIDTH
  const follows = !isLeft(place) || (await tileLeft(engine, first, place.before)) === first
  return follows ? { ...place, first } : undefined
}

/** Of entries that were left some may be missing: the next 256 from that place on that follow each other, up to another. */
async function tileLeft(engine: Queries, from: number, to: number): Promise<number | undefined> {
  for (let first = from; first + TILE_WIDTH - 1 <= to; ) {
    const places = await engine.query(placesOfTile, { first })
    if (places.length === TILE_WIDTH) return first
    const there = new Set(places.map(({ seq }) => seq))
    let hole = first + TILE_WIDTH - 1
    while (there.has(hole)) hole -= 1
    first = hole + 1
  }
  return undefined
}

const isLeft = ({ first, before }: Place): boolean => first <= before

/**
 * Time of the newest entry of a tile that is full, and signed or left; epoch milliseconds. Undefined where it is not. Throws
 * Unavailable.
 */
export async function newestOfTile(engine: Queries, place: Place): Promise<number | undefined> {
  const { first, signed } = place
  if (!isLeft(place) && first + TILE_WIDTH - 1 > signed) return undefined
  const [row] = await engine.query(timesOfTile, { first })
  return row?.entries === TILE_WIDTH ? (row.newest ?? undefined) : undefined
}

/** Whether a bundle has it by now. Throws Unavailable. */
export async function isArchived(engine: Queries, { first }: Place): Promise<boolean> {
  return (await engine.query(bundleBegins, { first })).length > 0
}

export interface PackedTile {
  readonly steps: readonly Step[]
  /** Bytes of what is hashed and of leaves, before and after, in the database; and in a file. */
  readonly rows: number
  readonly bundle: number
  readonly file: number
}

/**
 * With a folder its entries are in a file, durable, when this resolves; rows go with the steps. Throws TreeBroken where the
 * rows are not what the tree was made of: then they stay as they are. Throws Unavailable.
 */
export async function packTile(engine: Queries, place: Place, folder?: Folder): Promise<PackedTile> {
  const { first } = place
  const rows = await engine.query(rowsOfTile, { first })
  const entries = rows.map(({ bytes }) => bytes)
  const leaves = entries.map(leafHash)
  const asSigned = isLeft(place)
    ? rows.every(({ leaf }, n) => leaves[n]?.equals(leaf))
    : await isOfTree(engine, place, leaves)
  if (rows.length !== TILE_WIDTH || !asSigned)
    throw new TreeBroken(`entries ${first} to ${first + TILE_WIDTH - 1} are not those that were signed`)
  const stored = folder
    ? await writeFile(folder, fileOfBundle(place, first), entries)
    : await packed(first, entries)
  return {
    steps: [
      {
        statement: insertBundle,
        values: { first, leaves: Buffer.concat(leaves), ...stored.values },
        rows: 1,
      },
      { statement: emptyRows, values: { first, nothing: NOTHING }, rows: TILE_WIDTH },
      { statement: dropRows, values: { first } },
    ],
    rows: rows.reduce((sum, { bytes, leaf }) => sum + bytes.length + leaf.length, 0),
    ...sizesOf({ ...stored, leaves: Buffer.concat(leaves) }),
  }
}

async function isOfTree(engine: Queries, { first, before }: Place, leaves: Uint8Array[]): Promise<boolean> {
  const place = (first - before - 1) / TILE_WIDTH
  const [node] = await engine.query(nodesBetween, { level: 1, from: place, to: place + 1 })
  return node !== undefined && Buffer.compare(node.hash, rootOf(extend(EMPTY_FRONTIER, leaves))) === 0
}

/** The oldest that were packed in the database and can go to files. Throws Unavailable. */
export const packedIn = (engine: Queries, limit: number): Promise<PackedRow[]> =>
  engine.query(packedBundles, { limit })

/** The file is durable when this resolves. Throws as packTile. */
export async function moveTile(log: LogPlace, row: BundleRow, folder: Folder): Promise<PackedTile> {
  const { first, leaves } = row
  const entries = unpackBundle(row, TILE_WIDTH)
  if (!entries || !Buffer.concat(entries.map(leafHash)).equals(leaves))
    throw new TreeBroken(`entries ${first} to ${first + TILE_WIDTH - 1} are not those that were archived`)
  const stored = await writeFile(folder, fileOfBundle(log, first), entries)
  return {
    steps: [
      {
        statement: moveBundle,
        values: { first, nothing: NOTHING, digest: stored.values.digest, file: stored.values.file },
        rows: 1,
      },
    ],
    rows: leaves.length + row.packed.length + row.digest.length,
    ...sizesOf({ ...stored, leaves }),
  }
}

const NOTHING = new Uint8Array()

interface Written {
  readonly values: { readonly packed: Uint8Array; readonly digest: Uint8Array; readonly file: string | null }
  /** Bytes in the file. */
  readonly length: number
}

async function packed(first: number, entries: readonly Uint8Array[]): Promise<Written> {
  const one = await packBundle(entries)
  if (!isSame(unpackBundle(one, TILE_WIDTH), entries))
    throw new TreeBroken(`entries ${first} to ${first + TILE_WIDTH - 1} can't be read back from their bundle`)
  return { values: { ...one, file: null }, length: 0 }
}

async function writeFile(folder: Folder, file: string, entries: readonly Uint8Array[]): Promise<Written> {
  const bytes = bundle(entries)
  await folder.write(file, bytes)
  const back = await folder.read(file)
  if (!isSame(unbundle(back, TILE_WIDTH), entries)) throw new TreeBroken(`${file} can't be read back`)
  return { values: { packed: NOTHING, digest: digestOf(bytes), file }, length: bytes.length }
}

const isSame = (back: readonly Uint8Array[] | undefined, entries: readonly Uint8Array[]): boolean =>
  back?.every((bytes, n) => Buffer.compare(bytes, entries[n] ?? NOTHING) === 0) === true

const sizesOf = ({ values, length, leaves }: Written & { readonly leaves: Uint8Array }) => ({
  bundle: leaves.length + values.packed.length + values.digest.length,
  file: length,
})
