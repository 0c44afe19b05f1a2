// Entries of a tile as one piece of bytes: as other people's readers get them (C2SP tlog-tiles), and the same compressed, as
// they rest once they are archived. It decides the form and what of it can be trusted; which entries go in, others do.
import { hash } from "node:crypto"
import { promisify } from "node:util"
import { brotliCompress, brotliDecompressSync, constants } from "node:zlib"

const LENGTH_BYTES = 2

/** Each entry after its length in two bytes. */
export function bundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((bytes) => {
      const length = Buffer.alloc(LENGTH_BYTES)
      length.writeUInt16BE(bytes.length)
      return [length, bytes]
    }),
  )
}

/** The entries of a bundle; undefined where it does not hold exactly so many. */
export function unbundle(bytes: Uint8Array, width: number): Uint8Array[] | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Uint8Array[] = []
  let at = 0
  while (at + LENGTH_BYTES <= view.length && entries.length < width) {
    const end = at + LENGTH_BYTES + view.readUInt16BE(at)
    if (end > view.length) return undefined
    entries.push(view.subarray(at + LENGTH_BYTES, end))
    at = end
  }
  return at === view.length && entries.length === width ? entries : undefined
}

export interface Packed {
  readonly packed: Uint8Array
  /** SHA-256 of it: not every changed bit shows when it is read. */
  readonly digest: Uint8Array
}

/** Of 256 entries at most, 60 KiB each. */
const MOST_BYTES = 16 * 1024 * 1024
/** Beyond this it takes many times as long for less than one per cent. */
const QUALITY = 5
/** Most bundles are read in one piece. */
const CHUNK_BYTES = 256 * 1024

/** Off the main thread. */
export async function packBundle(entries: readonly Uint8Array[]): Promise<Packed> {
  const plain = bundle(entries)
  const packed = await promisify(brotliCompress)(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  })
  return { packed, digest: digestOf(packed) }
}

/** The entries; undefined where the bytes are not those that were packed. */
export function unpackBundle({ packed, digest }: Packed, width: number): Uint8Array[] | undefined {
  if (!digestOf(packed).equals(digest)) return undefined
  try {
    return unbundle(
      brotliDecompressSync(packed, { maxOutputLength: MOST_BYTES, chunkSize: CHUNK_BYTES }),
      width,
    )
  } catch {
    return undefined // whoever changed it made a digest for it, too
  }
}

/** SHA-256. */
export const digestOf = (packed: Uint8Array): Buffer => hash("sha256", packed, "buffer")
