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

/** Bytes of one block of SHA-256, to which RFC 2104 fills up the key. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const MOST_REMEMBERED = 1000

type Committer = (message: string) => Commitment

/** The last key's: the entries of one start come one after the other, and share some of their values. */
let latest: { readonly key: Uint8Array; readonly commit: Committer } | undefined

function committer(key: Uint8Array): Committer {
  if (latest?.key !== key) latest = { key, commit: createCommitter(key) }
  return latest.commit
}

/**
 * RFC 2104 section 2 with two plain hashes, because making a Hmac object costs seven times as much. The inner digest
 * travels as latin1 text: a hash asked for as bytes costs three times one asked for as text.
 */
function createCommitter(key: Uint8Array): Committer {
  if (key.length !== KEY_BYTES) throw new TypeError(`a commitment's key has ${KEY_BYTES} bytes`)
  const inner = padded(key, 0x36, 0)
  const outer = padded(key, 0x5c, DIGEST_BYTES)
  const remembered = new Map<string, Commitment>()
  return (message) => {
    const known = remembered.get(message)
    if (known) return known
    outer.write(hash("sha256", Buffer.concat([inner, Buffer.from(message)]), "binary"), BLOCK_BYTES, "latin1")
    const made = { hmac: hash("sha256", outer, "base64url") }
    if (remembered.size < MOST_REMEMBERED) remembered.set(message, made)
    return made
  }
}

/** A block of the key, with room for so many bytes behind it. */
function padded(key: Uint8Array, pad: number, room: number): Buffer {
  const block = Buffer.allocUnsafe(BLOCK_BYTES + room).fill(pad, 0, BLOCK_BYTES)
  for (let index = 0; index < key.length; index++) block[index] = (key[index] ?? 0) ^ pad
  return block
}
