// How many different resources a task has touched, in few bytes: the smallest of their hashes. It decides nothing; what is many,
// baseline.ts says.

/** Hashes that are kept: up to as many resources are counted exactly. */
export const KEPT_HASHES = 64
const BYTES = 4
const RANGE = 2 ** 32

/** Of a task that has touched nothing. */
export const NOTHING_TOUCHED: Uint8Array = new Uint8Array()

/**
 * The sketch with one resource more; the same one where it is no news. `salt` keeps two tasks' hashes of one resource apart.
 * The k minimum values of Bar-Yossef et al., "Counting Distinct Elements in a Data Stream" (RANDOM 2002), algorithm 1.
 * NOT safe against somebody who chooses resources by their hashes: beyond 64 they could be told for fewer.
 */
export function touch(sketch: Uint8Array, resource: string, salt: number): Uint8Array {
  const hash = hashOf(resource, salt)
  const hashes = viewOf(sketch)
  const kept = sketch.length / BYTES
  let place = 0
  while (place < kept && hashes.getUint32(place * BYTES) < hash) place++
  if (place === KEPT_HASHES || (place < kept && hashes.getUint32(place * BYTES) === hash)) return sketch
  const grown = new Uint8Array(Math.min(kept + 1, KEPT_HASHES) * BYTES)
  const before = place * BYTES
  grown.set(sketch.subarray(0, before))
  viewOf(grown).setUint32(before, hash)
  grown.set(sketch.subarray(before, grown.length - BYTES), before + BYTES)
  return grown
}

/** How many there are: exact up to 64, beyond that within an eighth of it two times of three. */
export function countTouched(sketch: Uint8Array): number {
  const kept = sketch.length / BYTES
  if (kept < KEPT_HASHES) return kept
  const largest = viewOf(sketch).getUint32((KEPT_HASHES - 1) * BYTES)
  return Math.max(KEPT_HASHES, Math.round(((KEPT_HASHES - 1) * RANGE) / (largest + 1)))
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** FNV-1a over the text's code units, mixed as MurmurHash3 ends, so that every bit counts. */
function hashOf(text: string, salt: number): number {
  let hash = (0x811c9dc5 ^ salt) | 0
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
