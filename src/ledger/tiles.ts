// The tree and its entries as readers of transparency logs fetch them (C2SP tlog-tiles): paths, tiles of hashes, bundles of
// entries. It decides which rows a path means; who may read, and how long it may be kept, the issuer's endpoints do.
import type { Engine } from "../database/database.ts"
import { bundle } from "./bundle.ts"
import { readEntries, readFrom } from "./resting.ts"
import { TILE_WIDTH } from "./tree.ts"

export interface TilePath {
  /** Level of tiles, or the entries themselves. */
  readonly level: number | "entries"
  readonly place: number
  /** Hashes or entries in it: 256, or fewer of a partial one. */
  readonly width: number
}

const MAX_LEVEL = 63
const PATH = /^(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** Reads what follows `tile/`; undefined where it is none, or not in its one spelling. */
export function readTilePath(path: string): TilePath | undefined {
  const match = PATH.exec(path)
  if (!match?.[1] || !match[2]) return undefined
  const place = Number(match[2].replaceAll(/[x/]/g, ""))
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3])
  const level: TilePath["level"] = match[1] === "entries" ? "entries" : Number(match[1])
  const fits = Number.isSafeInteger(place) && (match[3] === undefined || width < TILE_WIDTH)
  if (!fits || (level !== "entries" && level > MAX_LEVEL)) return undefined
  const found: TilePath = { level, place, width }
  return writeTilePath(found) === path ? found : undefined
}

/** `0/x001/x234/067.p/8`: groups of three digits, all but the last marked. */
export function writeTilePath({ level, place, width }: TilePath): string {
  const digits = String(place)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g) ?? []
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/")
  return `${level}/${path}${width === TILE_WIDTH ? "" : `.p/${width}`}`
}

/**
 * What the path means in a tree of this size; undefined where the tree has not come as far. Throws TreeBroken where rows
 * are missing, Unavailable.
 */
export async function readTile(
  engine: Pick<Engine, "query">,
  size: number,
  path: TilePath,
): Promise<Uint8Array | undefined> {
  const { level, place, width } = path
  const from = place * TILE_WIDTH
  const to = from + width
  if (to > Math.floor(size / TILE_WIDTH ** (level === "entries" ? 0 : level))) return undefined
  return level === "entries"
    ? bundle(await readEntries(engine, from, to))
    : Buffer.concat(await readFrom(engine)(level, from, to))
}
