// The files that are looked through: a folder's own and those below it, unpacked where Node can unpack them. It decides what
// is read and in which order, and says of each what it could not read; what is found in it, it does not know.
import { createReadStream } from "node:fs"
import { lstat, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { pipeline, type Readable, type Transform } from "node:stream"
import zlib from "node:zlib"

export interface Source {
  /** As it is told. */
  readonly name: string
  /** Bytes as they rest, for who waits; undefined: nobody knows. */
  readonly size?: number
  open(): Readable
}

/** Why something was not looked through. */
export interface Unread {
  readonly name: string
  readonly why: string
  /** It was left out on purpose, and is no gap: a link, a device. */
  readonly leftOut?: boolean
}

const CHUNK_BYTES = 1024 * 1024

/** What stands at a path and below it, in the order of names. A link that is named is followed, one below is left out. */
export async function* sourcesAt(path: string, look = stat): AsyncGenerator<Source | Unread, void, void> {
  try {
    const found = await look(path)
    if (found.isDirectory()) {
      for (const name of (await readdir(path)).sort()) yield* sourcesAt(join(path, name), lstat)
    } else if (found.isFile()) {
      const open = () => createReadStream(path, { highWaterMark: CHUNK_BYTES })
      yield { name: path, size: found.size, open }
    } else yield { name: path, why: found.isSymbolicLink() ? "a link" : "no file", leftOut: true }
  } catch (error) {
    yield { name: path, why: codeOf(error) }
  }
}

/** What a file begins with, and what reads it; none: nothing here does. */
const PACKED: readonly (readonly [what: string, magic: string, unpack?: (() => Transform) | undefined])[] = [
  ["gzip", "1f8b", () => zlib.createGunzip({ chunkSize: CHUNK_BYTES })],
  ["zstd", "28b52ffd", zstd()],
  ["zip", "504b0304"],
  ["xz", "fd377a585a00"],
  ["bzip2", "425a68"],
  ["7z", "377abcaf271c"],
]

/** Since Node 22.15. */
function zstd(): (() => Transform) | undefined {
  return "createZstdDecompress" in zlib
    ? () => zlib.createZstdDecompress({ chunkSize: CHUNK_BYTES })
    : undefined
}

/**
 * Every byte of a source, unpacked, in chunks; answers why it could not be read to its end, undefined: it was. `read` is told
 * how many bytes as they rest were taken. What brotli packed has no beginning of its own: its name ends in `.br`.
 */
export async function readSource(
  source: Source,
  take: (chunk: Buffer) => void,
  read: (bytes: number) => void,
): Promise<string | undefined> {
  const opened = source.open()
  try {
    const chunks = opened[Symbol.asyncIterator]()
    const first = await chunks.next()
    if (first.done) return undefined
    const beginning: Buffer = first.value
    const packed = PACKED.find(([, magic]) => beginning.subarray(0, 6).toString("hex").startsWith(magic))
    const unpack = packed ? packed[2] : source.name.endsWith(".br") ? brotli : undefined
    if (packed && !unpack) return `packed with ${packed[0]}`
    const all = rejoin(beginning, chunks, read)
    for await (const chunk of unpack ? through(all, unpack()) : all) take(chunk)
    return undefined
  } catch (error) {
    return codeOf(error)
  } finally {
    opened.destroy()
  }
}

/** A fault of either side is thrown where the result is read. */
function through(packed: AsyncIterable<Buffer>, unpack: Transform): AsyncIterable<Buffer> {
  pipeline(packed, unpack, () => undefined)
  return unpack
}

const brotli = (): Transform => zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES })

async function* rejoin(first: Buffer, others: AsyncIterator<Buffer>, read: (bytes: number) => void) {
  read(first.length)
  yield first
  for (let next = await others.next(); !next.done; next = await others.next()) {
    read(next.value.length)
    yield next.value
  }
}

/** The system's own word. */
const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable"
