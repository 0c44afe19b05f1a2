// How a personal value enters the hashed bytes: as a keyed hash, so that erasing the key and the value leaves every hash
// and proof whole. It decides nothing about which values are personal (event.ts does) or where the key rests.
import { hash } from "node:crypto"
import { canonicalJson } from "../token/canonical.ts"
import type { Json } from "./event.ts"

/** What stands in the bytes: base64url HMAC-SHA-256. */
export type Commitment = { readonly hmac: string }

/** Bytes of a commitment key. */
export const KEY_BYTES = 32

/**
 * HMAC-SHA-256(key, name 0x00 canonical value). The name keeps equal values of different members apart. Throws
 * TypeError on a key that is not 32 bytes or a value that is not JSON.
 */
export function commit(key: Uint8Array, name: string, value: Json): Commitment {
  // Read anew for each entry, the key of a task is another array of the same bytes.
  if (key !== latest && !(latest && Buffer.compare(key, latest) === 0)) turnTo(key)
  return commitTo(`${name}\0${canonicalJson(value)}`)
}

/** Bytes of one block of SHA-256, to which RFC 2104 fills up the key. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
/** Room for a message, in UTF-16 units, of which each takes at most three bytes; longer ones get a buffer of their own. */
const MOST_UNITS = 1300
const MOST_REMEMBERED = 1000

// What the two hashes of RFC 2104 section 2 are made of, for the key that was used last: the entries of one start come
// one after the other, and share some of their values.
const inner = Buffer.alloc(BLOCK_BYTES + 3 * MOST_UNITS)
const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES)
let latest: Uint8Array | undefined
const remembered = new Map<string, Commitment>()

function turnTo(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new TypeError(`a commitment's key has ${KEY_BYTES} bytes`)
  inner.fill(0x36, 0, BLOCK_BYTES)
  outer.fill(0x5c, 0, BLOCK_BYTES)
  for (let index = 0; index < KEY_BYTES; index++) {
    const byte = key[index] ?? 0
    inner[index] = byte ^ 0x36
    outer[index] = byte ^ 0x5c
  }
  remembered.clear()
  latest = key
}

/**
 * Two plain hashes, because making a Hmac object costs seven times as much. The inner digest travels as latin1 text: a
 * hash asked for as bytes costs three times one asked for as text.
 */
function commitTo(message: string): Commitment {
  const known = remembered.get(message)
  if (known) return known
  outer.write(hash("sha256", blockWith(message), "binary"), BLOCK_BYTES, "latin1")
  const made = { hmac: hash("sha256", outer, "base64url") }
  if (remembered.size < MOST_REMEMBERED) remembered.set(message, made)
  return made
}

function blockWith(message: string): Buffer {
  if (message.length > MOST_UNITS)
    return Buffer.concat([inner.subarray(0, BLOCK_BYTES), Buffer.from(message)])
  return inner.subarray(0, BLOCK_BYTES + inner.write(message, BLOCK_BYTES))
}
