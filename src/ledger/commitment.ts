// How a personal value enters the hashed bytes: as a keyed hash, so that erasing the key and the value leaves every hash
// and proof whole. It decides nothing about which values are personal (event.ts does) or where the key rests.
import { createHmac } from "node:crypto"
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

/** HMAC-SHA-256(key, name 0x00 canonical value). The name keeps equal values of different members apart. */
export const commit = (key: Uint8Array, name: string, value: Json): Commitment => ({
  hmac: createHmac("sha256", key)
    .update(`${name}\0${canonicalJson(value)}`)
    .digest("base64url"),
})
