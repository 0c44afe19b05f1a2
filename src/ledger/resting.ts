// Where entries and their leaves rest: in a row each, or once archived a whole tile of them in one bundle, in the database or
// in a file that it names (archive-files.ts reads those). Rows are read first
// and bundles after them, so that what is archived meanwhile is seen in one of the two. It decides that whoever reads gets all or is told; what was
// signed, and what may be archived, it does not know.
import { setImmediate } from "node:timers/promises"
import { type Engine, Unavailable } from "../database/database.ts"
import { digestOf, unbundle, unpackBundle } from "./bundle.ts"
import { bundleAt, bundlesBetween, entryBundles, leafBundles, type Stored } from "./bundle-statements.ts"
import { HASH_BYTES } from "./merkle.ts"
import { type ReadHashes, TILE_WIDTH, TreeBroken } from "./tree.ts"
import { anyBytes, bytesBetween, leavesBetween, leavesTogether, nodesBetween } from "./tree-statements.ts"

type Queries = Pick<Engine, "query">

/** Answers hashes of the log. Throws TreeBroken where one is missing, Unavailable. */
export const readFrom =
  (engine: Queries): ReadHashes =>
  async (level, from, to) => {
    if (level > 0) return all(await engine.query(nodesBetween, { level, from, to }), { from, to, level })
    const [together] = await engine.query(leavesTogether, { from, to })
    const leaves = splitHashes(Buffer.from(together?.hashes ?? "", "hex"))
    if (together?.leaves === to - from && leaves.length === to - from) return leaves
    const rows = await engine.query(leavesBetween, { from, to })
    const bundles = await engine.query(leafBundles, { from, to })
    const archived = bundles.flatMap(({ place, leaves }) =>
      splitHashes(leaves).map((hash, n) => ({ place: place + n, hash })),
    )
    return all(merged(rows, archived, { from, to }), { from, to, level })
  }

interface Range {
  readonly from: number
  readonly to: number
}

const merged = <Row extends { readonly place: number }>(
  rows: readonly Row[],
  archived: readonly Row[],
  { from, to }: Range,
): Row[] =>
  [...rows, ...archived.filter(({ place }) => place >= from && place < to)].sort((a, b) => a.place - b.place)

function all(
  rows: readonly { readonly place: number; readonly hash: Uint8Array }[],
  { from, to, level }: Range & { readonly level: number },
): Uint8Array[] {
  if (rows.length !== to - from || rows.some(({ place }, index) => place !== from + index))
    throw new TreeBroken(`hashes ${from} to ${to - 1} of level ${level} are not all there`)
  return rows.map(({ hash }) => hash)
}

function splitHashes(leaves: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < leaves.length; at += HASH_BYTES) hashes.push(leaves.subarray(at, at + HASH_BYTES))
  return hashes
}

/** The bytes of the log's entries from one index to another (exclusive). Throws TreeBroken where one is missing, Unavailable. */
export async function readEntries(engine: Queries, from: number, to: number): Promise<Uint8Array[]> {
  const rows = await engine.query(bytesBetween, { from, to })
  if (rows.length === to - from) return rows.map(({ bytes }) => bytes)
  const bundles = await engine.query(entryBundles, { from, to })
  const archived = bundles.flatMap(({ place, ...rest }) =>
    (openBundle(rest) ?? []).map((bytes, n) => ({ place: place + n, bytes })),
  )
  const found = merged(rows, archived, { from, to })
  if (found.length !== to - from || found.some(({ place }, index) => place !== from + index))
    throw new TreeBroken(`entries ${from} to ${to - 1} are not all there`)
  return found.map(({ bytes }) => bytes)
}

/** Whatever is there after one place of the ledger and up to another, of whichever log; in order. Throws Unavailable. */
export async function readAny(engine: Queries, from: number, to: number): Promise<Uint8Array[]> {
  const rows = await engine.query(anyBytes, { from, to })
  if (rows.length === to - from) return rows.map(({ bytes }) => bytes)
  const bundles = await engine.query(bundlesBetween, { from, to })
  const archived = bundles.flatMap(({ first, ...rest }) =>
    (openBundle(rest) ?? []).map((bytes, n) => ({ place: first + n, bytes })),
  )
  const own = rows.map(({ seq, bytes }) => ({ place: seq, bytes }))
  return merged(own, archived, { from: from + 1, to: to + 1 }).map(({ bytes }) => bytes)
}

/** The file of archived entries is there, and does not hold them. */
export class FileDiffers extends TreeBroken {
  readonly file: string

  constructor(file: string) {
    super(`the file ${file} of the archive does not hold what was archived`)
    this.file = file
  }
}

/**
 * The entries of a bundle; undefined where the database does not have what was packed. Throws FileDiffers, and Unavailable
 * where they rest in a file and nobody knows the folder.
 */
function openBundle(stored: Stored): Uint8Array[] | undefined {
  const { file, plain, digest } = stored
  if (file === null) return unpackBundle(stored, TILE_WIDTH)
  if (!plain)
    throw new Unavailable(`entries rest in the file ${file} of an archive: give its folder (--archive)`)
  const entries = digestOf(plain).equals(digest) ? unbundle(plain, TILE_WIDTH) : undefined
  if (!entries) throw new FileDiffers(file)
  return entries
}

interface Whole {
  readonly bytes: Uint8Array
  readonly leaf: Uint8Array
}

/** Of an entry that may rest in either; its row has nothing, or nothing any more. */
interface Row {
  readonly seq: number
  readonly bytes: Uint8Array | null
}

/** Whether what was hashed is not in the row itself. */
export const isElsewhere = ({ bytes }: { readonly bytes: Uint8Array | string | null }): boolean =>
  bytes === null || bytes.length === 0

/** Answers what a bundle has of an entry; asked for places that rise, it reads each bundle once. */
export function createLookup(engine: Queries): (seq: number) => Promise<Whole | undefined> {
  let held:
    | { readonly first: number; readonly entries: Uint8Array[]; readonly leaves: Uint8Array[] }
    | undefined
  return async (seq) => {
    if (!held || seq < held.first || seq >= held.first + TILE_WIDTH) {
      const [row] = await engine.query(bundleAt, { seq })
      if (!row || seq >= row.first + TILE_WIDTH) return undefined
      const { first, leaves } = row
      held = { first, entries: openBundle(row) ?? [], leaves: splitHashes(leaves) }
      await setImmediate() // others get their turn: what is found may lie in many
    }
    const [bytes, leaf] = [held.entries[seq - held.first], held.leaves[seq - held.first]]
    return bytes && leaf && { bytes, leaf }
  }
}

/**
 * The same rows with their bytes, wherever they rest; of places that rise. Throws TreeBroken where an entry's bytes are in
 * neither place: an answer without it would be less than was asked for. Throws Unavailable.
 */
export async function withBytes<R extends Row>(
  engine: Queries,
  rows: readonly R[],
): Promise<(Omit<R, "bytes"> & { readonly bytes: Uint8Array })[]> {
  const lookup = createLookup(engine)
  const whole: (Omit<R, "bytes"> & { readonly bytes: Uint8Array })[] = []
  for (const row of rows) {
    const bytes = isElsewhere(row) ? (await lookup(row.seq))?.bytes : row.bytes
    if (!bytes) throw new TreeBroken(`the bytes of entry ${row.seq} are not there`)
    whole.push({ ...row, bytes })
  }
  return whole
}
