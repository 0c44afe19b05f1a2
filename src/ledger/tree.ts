// The tree as it is read: leaves stand beside the entries, and above them one hash for every whole tile of 256. It decides
// which hashes a proof or a root is made of; where they rest, resting.ts knows, and whether a size was ever signed, others.
import {
  consistencyPieces,
  EMPTY_FRONTIER,
  extend,
  inclusionPieces,
  joinPiece,
  type Piece,
  rootOf,
  type Subtree,
  subtreesBetween,
} from "./merkle.ts"

/** Hashes of one tile (C2SP tlog-tiles): the tree is cut into tiles eight levels high. */
export const TILE_WIDTH = 256
export const TILE_HEIGHT = 8

/** A row that the tree is made of is not there, or out of place: what was asked for can't be told. */
export class TreeBroken extends Error {
  override readonly name = "TreeBroken"
}

/** Answers the hashes from one place to another (exclusive) of a level of tiles, all of them. */
export type ReadHashes = (level: number, from: number, to: number) => Promise<readonly Uint8Array[]>

export interface Tree {
  root(size: number): Promise<Uint8Array>
  inclusion(index: number, size: number): Promise<Uint8Array[]>
  consistency(older: number, size: number): Promise<Uint8Array[]>
}

/**
 * Reads roots and proofs of sizes that the tree has reached. What several of them need is read once: make one for what
 * belongs together. Throws TypeError on what can't be asked, and as `read` does.
 */
export function createTree(read: ReadHashes): Tree {
  const known = new Map<string, Promise<readonly Uint8Array[]>>()
  const readOnce: ReadHashes = (level, from, to) => {
    const key = `${level} ${from} ${to}`
    const found = known.get(key) ?? read(level, from, to)
    known.set(key, found)
    return found
  }
  const joined = async (piece: Piece): Promise<Uint8Array> => {
    const hashes: Uint8Array[] = []
    for (const subtree of piece) hashes.push(await hashOf(readOnce, subtree))
    return joinPiece(hashes)
  }
  const all = async (pieces: readonly Piece[]): Promise<Uint8Array[]> => {
    const hashes: Uint8Array[] = []
    for (const piece of pieces) hashes.push(await joined(piece))
    return hashes
  }
  return {
    root: (size) => joined(subtreesBetween(0, size)),
    inclusion: async (index, size) => all(inclusionPieces(index, size)),
    consistency: async (older, size) => all(consistencyPieces(older, size)),
  }
}

/** From at most half a tile of the level below it. */
async function hashOf(read: ReadHashes, { level, index }: Subtree): Promise<Uint8Array> {
  const width = 2 ** (level % TILE_HEIGHT)
  const hashes = await read(Math.floor(level / TILE_HEIGHT), index * width, (index + 1) * width)
  return rootOf(extend(EMPTY_FRONTIER, hashes))
}
