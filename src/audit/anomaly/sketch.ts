// How many different resources a task has touched, in few bytes: the smallest of their hashes. It decides nothing; what is many,
// baseline.ts says.

/** Hashes that are kept: up to as many resources are counted exactly. */
export const KEPT_HASHES = 64
const BYTES = 4
const RANGE = 2 ** 32

/** The hashes, from the smallest. */
export type Sketch = number[]

/** From the bytes in which it rests; of no bytes, that of a task which has touched nothing. */
export function readSketch(bytes: Uint8Array): Sketch {
  const view = viewOf(bytes)
  return Array.from({ length: bytes.length / BYTES }, (_each, place) => view.getUint32(place * BYTES))
}

export function bytesOf(sketch: Readonly<Sketch>): Uint8Array {
  const bytes = new Uint8Array(sketch.length * BYTES)
  const view = viewOf(bytes)
  for (const [place, hash] of sketch.entries()) view.setUint32(place * BYTES, hash)
  return bytes
}

/**
 * Adds one resource. `salt` keeps two tasks' hashes of one resource apart.
 * The k minimum values of Bar-Yossef et al., "Counting Distinct Elements in a Data Stream" (RANDOM 2002), algorithm 1.
 * NOT safe against somebody who chooses resources by their hashes: beyond 64 they could be told for fewer.
 */
export function touch(sketch: Sketch, resource: string, salt: number): void {
  const hash = hashOf(resource, salt)
  let place = sketch.length
  while (place > 0 && (sketch[place - 1] ?? 0) > hash) place--
  if (place === KEPT_HASHES || sketch[place - 1] === hash) return
  sketch.splice(place, 0, hash)
  if (sketch.length > KEPT_HASHES) sketch.pop()
}

/** How many there are, by its bytes: exact up to 64, beyond that within an eighth of it two times of three. */
export function countTouched(bytes: Uint8Array): number {
  const kept = bytes.length / BYTES
  if (kept < KEPT_HASHES) return kept
  const largest = viewOf(bytes).getUint32((KEPT_HASHES - 1) * BYTES)
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
