// A log that was made up, as an issuer would serve it: any history, signed by whoever is told to, and bent at any path.
import { type NoteSigner, noteVerifier, signCheckpoint } from "../../src/ledger/checkpoint.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { readTilePath } from "../../src/ledger/tiles.ts"
import type { FetchFile } from "../../src/ledger/verify-tiles.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { slowRoot } from "./slow-tree.ts"

export const ORIGIN = "ledger.example"

export function signerOf(name: string): NoteSigner {
  const key = importSigningKey(generatePrivateJwk("EdDSA"))
  return { ...noteVerifier(name, publicHalf(key)), sign: (bytes) => key.sign(bytes) }
}

/** One entry after the other; those of different histories differ. */
export const history = (count: number, name = "a"): Buffer[] =>
  Array.from({ length: count }, (_each, n) =>
    Buffer.from(JSON.stringify({ at: "2026-03-01T09:00:00.000Z", body: { n, name }, kind: "access.read" })),
  )

export interface Served {
  readonly entries: readonly Buffer[]
  readonly signers: readonly NoteSigner[]
  /** vkeys that it names; default: of its signers. */
  readonly named?: readonly NoteSigner[]
  readonly bend?: (path: string, bytes: Buffer) => Buffer
}

/** Tiles of level 0 and entries are enough for logs of one tile of hashes above them. */
export function serve({
  entries,
  signers,
  named = signers,
  bend = (_path, bytes) => bytes,
}: Served): FetchFile {
  const leaves = entries.map((bytes) => leafHash(bytes))
  const note = signCheckpoint({ origin: ORIGIN, size: entries.length, root: slowRoot(leaves) }, signers)
  const read = (path: string): Buffer => {
    if (path === "checkpoint") return Buffer.from(note)
    if (path === "key") return Buffer.from(named.map(({ vkey }) => `${vkey}\n`).join(""))
    const tile = readTilePath(path.replace(/^tile\//, ""))
    if (!tile) throw new Error(`no ${path}`)
    const [from, to] = [tile.place * 256, tile.place * 256 + tile.width]
    if (tile.level === 0) return Buffer.concat(leaves.slice(from, to))
    if (tile.level === 1)
      return Buffer.concat(
        Array.from({ length: tile.width }, (_, at) => slowRoot(leaves.slice(at * 256, at * 256 + 256))),
      )
    const found = entries.slice(from, to)
    if (found.length < tile.width) throw new Error(`no ${path}`)
    return Buffer.concat(found.flatMap((bytes) => [lengthOf(bytes), bytes]))
  }
  return async (path) => bend(path, read(path))
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return length
}
