// The files that are looked through: a folder's own and those below it, unpacked where Node can unpack them. It decides what
// is read and in which order, and says of each what it could not read; what is found in it, it does not know.
import { createReadStream } from "node:fs"
import { lstat, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import type { Readable, Transform } from "node:stream"
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

interface Unpacker {
  /** It has its end itself, and says how far it read. */
  create(): Transform & Pick<zlib.Zlib, "bytesWritten">
  /** What may follow the end, as those who join such files have it; undefined: nothing. */
  readonly next?: "another" | "zeros, another"
}

/** What a file begins with, and what reads it; none: nothing here does. */
const PACKED: readonly (readonly [what: string, magic: RegExp, unpacker?: Unpacker | undefined])[] = [
  ["gzip", /^1f8b/, { create: () => zlib.createGunzip({ chunkSize: CHUNK_BYTES }), next: "zeros, another" }],
  ["zstd", /^(28b52ffd|5.2a4d18)/, zstd()], // or a frame that is to be skipped (RFC 8878 section 3.1.2)
  ["zip", /^504b0304/],
  ["xz", /^fd377a585a00/],
  ["bzip2", /^425a68/],
  ["7z", /^377abcaf271c/],
]

/** The most that comes out of zstd at once. Files may have a frame for each line, and each takes that much memory anew. */
const BLOCK_BYTES = 128 * 1024

/** Since Node 22.15. */
function zstd(): Unpacker | undefined {
  return "createZstdDecompress" in zlib
    ? { create: () => zlib.createZstdDecompress({ chunkSize: BLOCK_BYTES }), next: "another" }
    : undefined
}

const BROTLI: Unpacker = { create: () => zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES }) }

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
    const beginning = await beginningOf(chunks)
    if (beginning.length === 0) return undefined
    const packed = PACKED.find(([, magic]) => magic.test(beginning.subarray(0, MAGIC_BYTES).toString("hex")))
    const unpacker = packed ? packed[2] : source.name.endsWith(".br") ? BROTLI : undefined
    if (packed && !unpacker) return `packed with ${packed[0]}`
    const all = rejoin(beginning, chunks, read)
    if (unpacker) return await unpackAll(all, unpacker, take)
    for await (const chunk of all) take(chunk)
    return undefined
  } catch (error) {
    return codeOf(error)
  } finally {
    opened.destroy()
  }
}

/** The longest of what PACKED looks for. */
const MAGIC_BYTES = 6

/** As much as says what it is: a pipe may bring a byte at a time. */
async function beginningOf(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  let beginning = Buffer.alloc(0)
  while (beginning.length < MAGIC_BYTES) {
    const next = await chunks.next()
    if (next.done) break
    beginning = Buffer.concat([beginning, next.value])
  }
  return beginning
}

/** Node's unpackers end in silence where what they read has its end, whatever follows: that is the next one's to read. */
async function unpackAll(
  packed: AsyncGenerator<Buffer>,
  { create, next }: Unpacker,
  take: (chunk: Buffer) => void,
): Promise<string | undefined> {
  for (let rest = await nextOf(packed); rest; ) {
    const unpack = create()
    const fed: Fed = { bytes: 0, last: rest }
    feed(unpack, fed, packed).catch((error: Error) => unpack.destroy(error)) // thrown where the result is read
    for await (const chunk of unpack) take(chunk)
    const left = fed.bytes - unpack.bytesWritten
    rest = left > 0 ? fed.last.subarray(-left) : undefined
    if (rest && next === undefined) return "more behind its end"
    if (rest && next === "zeros, another") rest = await skipZeros(rest, packed)
  }
  return undefined
}

interface Fed {
  bytes: number
  /** What an unpacker left over is in this chunk. */
  last: Buffer
}

/** One chunk at a time. The write in which the unpacker ended may never be answered: what was left, its reader sees. */
async function feed(unpack: ReturnType<Unpacker["create"]>, fed: Fed, others: AsyncGenerator<Buffer>) {
  for (let chunk: Buffer | undefined = fed.last; chunk; chunk = await nextOf(others)) {
    fed.last = chunk
    fed.bytes += chunk.length
    await write(unpack, chunk)
    if (unpack.bytesWritten < fed.bytes) return
  }
  unpack.end()
}

const write = (unpack: Transform, chunk: Buffer) =>
  new Promise<void>((resolve, reject) => unpack.write(chunk, (error) => (error ? reject(error) : resolve())))

/** Tapes and block devices fill up with them. */
async function skipZeros(rest: Buffer, others: AsyncGenerator<Buffer>) {
  for (let chunk: Buffer | undefined = rest; chunk; chunk = await nextOf(others)) {
    const at = chunk.findIndex((byte) => byte !== 0)
    if (at >= 0) return chunk.subarray(at)
  }
  return undefined
}

async function nextOf(chunks: AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
  const next = await chunks.next()
  return next.done ? undefined : next.value
}

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
