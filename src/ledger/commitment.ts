// How a personal value enters the hashed bytes: as a keyed hash, so that erasing the key and the value leaves every hash
// and proof whole. It decides nothing about which values are personal (event.ts does) or where the key rests.
import { hash } from "node:crypto"
import canonicalize from "canonicalize"
import type { Json } from "./event.ts"

/** What stands in the bytes: base64url HMAC-SHA-256. */
export type Commitment = { readonly hmac: string }

/** Bytes of a commitment key. */
export const KEY_BYTES = 32

/** Canonical JSON (RFC 8785). Throws TypeError on what JSON can't say: lone surrogates, NaN, infinities. */
export function canonicalJson(value: Json): string {
  try {
    const text = canonicalize(value)
    if (text !== undefined) return text
  } catch (error) {
    throw new TypeError("a value can't be written as canonical JSON", { cause: error })
  }
  throw new TypeError("a value can't be written as canonical JSON")
}

/**
 * HMAC-SHA-256(key, name 0x00 canonical value). The name keeps equal values of different members apart. Throws
 * TypeError on a key that is not 32 bytes or a value that is not JSON.
 */
export function commit(key: Uint8Array, name: string, value: Json): Commitment {
  if (key.length !== KEY_BYTES) throw new TypeError(`a commitment's key has ${KEY_BYTES} bytes`)
  const inner = hash("sha256", after(key, 0x36, Buffer.from(`${name}\0${canonicalJson(value)}`)), "buffer")
  return { hmac: hash("sha256", after(key, 0x5c, inner), "base64url") }
}

/** Bytes of one block of SHA-256, to which RFC 2104 fills up the key. */
const BLOCK_BYTES = 64

/**
 * RFC 2104 section 2 with two plain hashes, because making a Hmac object costs seven times as much and a task's start
 * makes about eight commitments.
 */
function after(key: Uint8Array, pad: number, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(BLOCK_BYTES + message.length).fill(pad, 0, BLOCK_BYTES)
  for (let index = 0; index < key.length; index++) bytes[index] = (key[index] ?? 0) ^ pad
  bytes.set(message, BLOCK_BYTES)
  return bytes
}
