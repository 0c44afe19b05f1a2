// How a tile of entries is archived: the bytes of all 256 and their leaves go into one compressed bundle, their rows and what
// stands beside the bytes stay where erasing finds it. It decides that nothing goes but what the bundle was seen to hold, and
// what was signed; which tiles may go, and whose word that is, task/archive.ts does.
import type { Engine, Step } from "../database/database.ts"
import { packBundle, unpackBundle } from "./bundle.ts"
import {
  archivePlace,
  dropRows,
  emptyRows,
  insertBundle,
  rowsOfTile,
  timesOfTile,
} from "./bundle-statements.ts"
import { EMPTY_FRONTIER, extend, leafHash, rootOf } from "./merkle.ts"
import { TILE_WIDTH, TreeBroken } from "./tree.ts"
import { nodesBetween } from "./tree-statements.ts"

type Queries = Pick<Engine, "query">

export interface Place {
  /** Of the first tile of this log that is not archived, the place of its first entry. */
  readonly first: number
  /** The place of the newest entry under a checkpoint. */
  readonly signed: number
  /** The place before the log's first entry. */
  readonly before: number
}

/** Where to go on. Throws Unavailable. */
export async function archiveFrom(engine: Queries): Promise<Place> {
  const [row] = await engine.query(archivePlace)
  const { before = 0, newest = null, signed = null } = row ?? {}
  // Of a log that was begun anew, the entries before are in no tree any more: they stay as they are.
  const first = newest === null || newest <= before ? before + 1 : newest + TILE_WIDTH
  return { first, signed: signed ?? 0, before }
}

/** Time of the newest entry of a tile that is full and signed, epoch milliseconds; undefined where it is not. Throws Unavailable. */
export async function newestOfTile(engine: Queries, { first, signed }: Place): Promise<number | undefined> {
  if (first + TILE_WIDTH - 1 > signed) return undefined
  const [row] = await engine.query(timesOfTile, { first })
  return row?.entries === TILE_WIDTH ? (row.newest ?? undefined) : undefined
}

export interface PackedTile {
  readonly steps: readonly Step[]
  /** Bytes of what is hashed and of leaves, in rows and in the bundle. */
  readonly rows: number
  readonly bundle: number
}

/** Throws TreeBroken where the rows are not what the tree was made of: then they stay as they are. Throws Unavailable. */
export async function packTile(engine: Queries, { first, before }: Place): Promise<PackedTile> {
  const rows = await engine.query(rowsOfTile, { first })
  const entries = rows.map(({ bytes }) => bytes)
  const leaves = entries.map(leafHash)
  const place = (first - before - 1) / TILE_WIDTH
  const [node] = await engine.query(nodesBetween, { level: 1, from: place, to: place + 1 })
  const root = rootOf(extend(EMPTY_FRONTIER, leaves))
  if (rows.length !== TILE_WIDTH || !node || Buffer.compare(node.hash, root) !== 0)
    throw new TreeBroken(`entries ${first} to ${first + TILE_WIDTH - 1} are not those that were signed`)
  const packed = await packBundle(entries)
  const back = unpackBundle(packed, TILE_WIDTH)
  if (!back?.every((bytes, n) => Buffer.compare(bytes, entries[n] ?? bytes) === 0))
    throw new TreeBroken(`entries ${first} to ${first + TILE_WIDTH - 1} can't be read back from their bundle`)
  const bundle = { first, leaves: Buffer.concat(leaves), packed: packed.packed, digest: packed.digest }
  return {
    steps: [
      { statement: insertBundle, values: bundle, rows: 1 },
      { statement: emptyRows, values: { first, nothing: new Uint8Array() }, rows: TILE_WIDTH },
      { statement: dropRows, values: { first } },
    ],
    rows: rows.reduce((sum, { bytes, leaf }) => sum + bytes.length + leaf.length, 0),
    bundle: bundle.leaves.length + bundle.packed.length + bundle.digest.length,
  }
}
