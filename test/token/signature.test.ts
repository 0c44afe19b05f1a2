import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import { calculateJwkThumbprint } from "jose"
import { describe, expect, test } from "vitest"
import {
  generatePrivateJwk,
  importSigningKey,
  KeyFault,
  publicHalf,
  readKeySet,
  readPublicJwk,
  verifySignature,
} from "../../src/token/signature.ts"
import { eddsa, es256 } from "../support/forge.ts"

const ec = es256.publicJwk
const okp = eddsa.publicJwk
const tagOf = (value: unknown) => (value instanceof KeyFault ? value.tag : "accepted")
const { kid: _1, alg: _2, use: _3, ...bareEc } = ec

/** The same 32 bytes for a lenient decoder: the last two bits of base64url are thrown away. */
function respelled(coordinate: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  return coordinate.slice(0, 42) + alphabet.charAt(alphabet.indexOf(coordinate.slice(42)) + 1)
}

describe("public keys", () => {
  test.each([
    ["P-256", ec],
    ["Ed25519", okp],
  ])("%s: the thumbprint is RFC 7638's, and the key id where none is given", async (_name, jwk) => {
    const { kid, ...bare } = jwk
    const key = readPublicJwk(bare)
    expect(key).toMatchObject({ kid, thumbprint: await calculateJwkThumbprint({ ...jwk }) })
  })

  test("a key keeps its own id and loses members that were not checked", () => {
    const key = readPublicJwk({ ...ec, kid: "k-1", x5u: "https://elsewhere.example", ext: true })
    expect(key).toMatchObject({ kid: "k-1", jwk: { ...ec, kid: "k-1" } })
    expect(JSON.stringify(key)).not.toContain("elsewhere")
  })

  const swapped = { ...ec, x: ec.y, y: ec.x }
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" })
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" })
  const ed448 = generateKeyPairSync("ed448").publicKey.export({ format: "jwk" })
  const x25519 = generateKeyPairSync("x25519").publicKey.export({ format: "jwk" })
  const small = (hex: string) => ({ ...okp, kid: "small", x: Buffer.from(hex, "hex").toString("base64url") })
  test.each([
    ["null", null, "format"],
    ["a text", JSON.stringify(ec), "format"],
    ["a list", [ec], "format"],
    ["a private EC key", generatePrivateJwk("ES256"), "private"],
    ["a private Ed25519 key", generatePrivateJwk("EdDSA"), "private"],
    ["a symmetric key", { kty: "oct", k: "AAAA" }, "private"],
    ["RSA", rsa, "algorithm"],
    ["P-384", p384, "algorithm"],
    ["Ed448", ed448, "algorithm"],
    ["X25519", x25519, "algorithm"],
    ["an algorithm that is not the curve's", { ...ec, alg: "EdDSA" }, "algorithm"],
    ["a key for encryption", { ...ec, use: "enc" }, "use"],
    ["a key that may not verify", { ...ec, key_ops: ["sign"] }, "use"],
    ["a key that may do more", { ...ec, key_ops: ["verify", "sign"] }, "use"],
    ["a point that is not on the curve", swapped, "point"],
    ["the point 0, 0", { ...bareEc, x: "A".repeat(43), y: "A".repeat(43) }, "point"],
    ["no y", { ...bareEc, y: undefined }, "point"],
    ["a short coordinate", { ...bareEc, x: ec.x.slice(0, 42) }, "point"],
    ["a long coordinate", { ...bareEc, x: `${ec.x}AA` }, "point"],
    ["a padded coordinate", { ...bareEc, x: `${ec.x}=` }, "point"],
    ["another spelling of a coordinate", { ...bareEc, x: respelled(ec.x) }, "point"],
    ["y on Ed25519", { ...okp, y: ec.y }, "format"],
    ["Ed25519's neutral point", small(`01${"00".repeat(31)}`), "point"],
    ["Ed25519's neutral point, sign set", small(`01${"00".repeat(30)}80`), "point"],
    ["Ed25519's point of order 2", small(`ec${"ff".repeat(30)}7f`), "point"],
    ["a key id with a path", { ...ec, kid: "../../dev/null" }, "kid"],
    ["a key id that is a list", { ...ec, kid: [es256.kid] }, "kid"],
    ["inherited members", Object.create(ec), "algorithm"],
  ])("%s is not taken", (_what, jwk, tag) => {
    expect(tagOf(readPublicJwk(jwk))).toBe(tag)
  })
})

describe("key sets are taken whole or not at all", () => {
  test("by key id", () => {
    const set = readKeySet({ keys: [ec, okp], comment: "anything" })
    expect(set instanceof KeyFault ? set : [...set.keys()]).toEqual([es256.kid, eddsa.kid])
    expect(readKeySet({ keys: [] })).toEqual(new Map())
  })

  const many = Array.from({ length: 17 }, (_, index) => ({ ...ec, kid: `k${index}` }))
  test.each([
    ["a key id used twice", { keys: [ec, { ...okp, kid: ec.kid }] }, "kid_duplicate"],
    ["one symmetric key", { keys: [ec, { kty: "oct", k: "AAAA" }] }, "private"],
    ["one private key", { keys: [ec, generatePrivateJwk("EdDSA")] }, "private"],
    ["one unknown kind", { keys: [ec, { kty: "AKP", alg: "ML-DSA-44", pub: "AAAA" }] }, "algorithm"],
    ["17 keys", { keys: many }, "size"],
    ["no keys member", {}, "format"],
    ["keys that is no list", { keys: { 0: ec } }, "format"],
    ["null", null, "format"],
    ["a hole", { keys: [null] }, "format"],
  ])("%s", (_what, set, tag) => {
    expect(tagOf(readKeySet(set))).toBe(tag)
  })

  test("16 keys are taken", () => {
    expect(readKeySet({ keys: many.slice(0, 16) })).toHaveProperty("size", 16)
  })
})

describe("signing keys", () => {
  const text = Buffer.from("what is signed")

  test.each([
    ["ES256", es256, eddsa],
    ["EdDSA", eddsa, es256],
  ])("%s: 64 bytes that hold for this text and this key alone", (_alg, key, other) => {
    const signature = key.sign(text)
    expect(signature.length).toBe(64)
    expect(verifySignature(publicHalf(key), text, signature)).toBe(true)
    expect(verifySignature(publicHalf(other), text, signature)).toBe(false)
    expect(verifySignature(publicHalf(key), Buffer.from("what is signeD"), signature)).toBe(false)
    expect(verifySignature(publicHalf(key), text, signature.subarray(0, 63))).toBe(false)
  })

  const mine = generatePrivateJwk("ES256")
  test.each([
    ["a public key", ec],
    ["the halves of two pairs", { ...generatePrivateJwk("ES256"), d: mine.d }],
    ["the halves of two Ed25519 pairs", { ...generatePrivateJwk("EdDSA"), d: generatePrivateJwk("EdDSA").d }],
    ["d that is no number", { ...mine, d: "!" }],
    ["an RSA key", generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" })],
    ["null", null],
  ])("%s is misuse, and the message does not show it", (_what, jwk) => {
    expect(() => importSigningKey(jwk)).toThrow(TypeError)
    try {
      importSigningKey(jwk)
    } catch (error) {
      expect(inspect(error)).not.toContain(mine.d)
    }
  })

  test("a signing key shows no secret, printed or as JSON", () => {
    const key = importSigningKey(mine)
    expect(inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key)).not.toContain(mine.d)
  })
})
