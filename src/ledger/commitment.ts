// How a personal value enters the hashed bytes: as a keyed hash, so that erasing the key and the value leaves every hash
// and proof whole. It decides nothing about which values are personal (event.ts does) or where the key rests.
import { hash } from "node:crypto"
import { canonicalJson } from "./canonical.ts"
import type { Json } from "./event.ts"

/** What stands in the bytes: base64url HMAC-SHA-256. */
export type Commitment = { readonly hmac: string }

/** Bytes of a commitment key. */
export const KEY_BYTES = 32

/**
 * HMAC-SHA-256(key, name 0x00 canonical value). The name keeps equal values of different members apart. Throws
 * TypeError on a key that is not 32 bytes or a value that is not JSON.
 */
export const commit = (key: Uint8Array, name: string, value: Json): Commitment =>
  committer(key)(`${name}\0${canonicalJson(value)}`)

type Committer = (message: string) => Commitment

/** By the key's own object: the entries of one start or one batch share a key, and some of their values. */
const committers = new WeakMap<Uint8Array, Committer>()

function committer(key: Uint8Array): Committer {
  const known = committers.get(key)
  if (known) return known
  const made = createCommitter(key)
  committers.set(key, made)
  return made
}

/** Bytes of one block of SHA-256, to which RFC 2104 fills up the key. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const MOST_REMEMBERED = 1000

/**
 * RFC 2104 section 2 with two plain hashes, because making a Hmac object costs seven times as much and a task's start
 * makes about eight commitments.
 */
function createCommitter(key: Uint8Array): Committer {
  if (key.length !== KEY_BYTES) throw new TypeError(`a commitment's key has ${KEY_BYTES} bytes`)
  const inner = padded(key, 0x36)
  const outer = Buffer.allocUnsafe(BLOCK_BYTES + DIGEST_BYTES)
  padded(key, 0x5c).copy(outer)
  const remembered = new Map<string, Commitment>()
  return (message) => {
    const known = remembered.get(message)
    if (known) return known
    hash("sha256", Buffer.concat([inner, Buffer.from(message)]), "buffer").copy(outer, BLOCK_BYTES)
    const made = { hmac: hash("sha256", outer, "base64url") }
    if (remembered.size < MOST_REMEMBERED) remembered.set(message, made)
    return made
  }
}

function padded(key: Uint8Array, pad: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES, pad)
  for (let index = 0; index < key.length; index++) block[index] = (key[index] ?? 0) ^ pad
  return block
}
