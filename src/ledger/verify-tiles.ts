// The ledger as tiles: of a running issuer, of an export, of any log in C2SP form. Only what was hashed is there: no rows,
// no values.

import { unbundle } from "./bundle.ts"
import { leafHash } from "./merkle.ts"
import { type TilePath, writeTilePath } from "./tiles.ts"
import { type ReadHashes, TILE_HEIGHT, TILE_WIDTH } from "./tree.ts"
import type { Examined, Source } from "./verify.ts"
import { readHashed } from "./verify-entry.ts"

/** Fetches below the log's prefix (`checkpoint`, `key`, `tile/...`). Throws where it can't be had. */
export type FetchFile = (path: string) => Promise<Uint8Array>

/** Tiles of hashes that are held at once: of the levels above the leaves, few are in use. */
const MOST_TILES = 64

/** Throws what `fetch` throws, and TypeError on a checkpoint without a size. */
export async function tileSource(fetch: FetchFile): Promise<Source> {
  const text = async (path: string) => Buffer.from(await fetch(path)).toString("utf8")
  const note = await text("checkpoint")
  const keys = (await text("key")).split("\n").filter((line) => line !== "")
  const size = Number(note.split("\n")[1])
  if (!Number.isSafeInteger(size) || size < 0) throw new TypeError("the checkpoint names no size")
  const tiles = createTiles(fetch, size)
  return {
    keys,
    checkpoints: [note],
    entries: size,
    async read(from, to) {
      const examined: Examined[] = []
      for (let place = Math.floor(from / TILE_WIDTH); place * TILE_WIDTH < to; place++)
        examined.push(...(await examineTile(fetch, tiles, size, place)))
      return examined
    },
    stores: ({ level }) => level % TILE_HEIGHT === 0,
    node: ({ level, index }) => tiles(level / TILE_HEIGHT, index),
    whole: async () => undefined,
  }
}

/** One hash of a level, out of its tile. */
function createTiles(fetch: FetchFile, size: number) {
  const known = new Map<string, Uint8Array>()
  return async (level: number, index: number): Promise<Uint8Array> => {
    const path = pathOf(level, Math.floor(index / TILE_WIDTH), Math.floor(size / TILE_WIDTH ** level))
    const tile = known.get(path) ?? (await fetch(`tile/${path}`))
    if (known.size >= MOST_TILES) known.clear()
    known.set(path, tile)
    const at = (index % TILE_WIDTH) * 32
    return tile.subarray(at, at + 32)
  }
}

/** Hashes of a log of that size as tree.ts reads them. */
export function tileHashes(fetch: FetchFile, size: number): ReadHashes {
  const tiles = createTiles(fetch, size)
  return async (level, from, to) => {
    const hashes: Uint8Array[] = []
    for (let index = from; index < to; index++) hashes.push(await tiles(level, index))
    return hashes
  }
}

const pathOf = (level: TilePath["level"], place: number, hashes: number): string =>
  writeTilePath({ level, place, width: Math.min(TILE_WIDTH, hashes - place * TILE_WIDTH) })

async function examineTile(
  fetch: FetchFile,
  tiles: (level: number, index: number) => Promise<Uint8Array>,
  size: number,
  place: number,
): Promise<Examined[]> {
  const width = Math.min(TILE_WIDTH, size - place * TILE_WIDTH)
  const entries = unbundle(await fetch(`tile/${pathOf("entries", place, size)}`), width) ?? []
  const examined: Examined[] = []
  for (const [at, bytes] of entries.entries()) {
    const leaf = leafHash(bytes)
    const served = await tiles(0, place * TILE_WIDTH + at)
    const hashed = readHashed(bytes)
    const how = Buffer.compare(leaf, served) === 0 ? (hashed ? undefined : "not_an_entry") : "leaf_differs"
    examined.push({ leaf, hashed, misfit: how && { how }, erased: [] })
  }
  return examined
}
