import { generateKeyPairSync, sign, verify } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import { fromDer, toDer } from "../../src/token/der.ts"

const half = fc.uint8Array({ minLength: 32, maxLength: 32 })
/** Halves with leading zeros and high bits, which a random one seldom has. */
const edged = fc.oneof(
  half,
  fc.tuple(fc.integer({ min: 0, max: 32 }), half).map(([zeros, bytes]) => bytes.fill(0, 0, zeros)),
  half.map((bytes) => bytes.fill(0xff, 0, 1)),
)

test("any 64 bytes come back from DER as they were", () => {
  fc.assert(
    fc.property(edged, edged, (r, s) => {
      const signature = Uint8Array.from([...r, ...s])
      expect(fromDer(toDer(signature))).toEqual(signature)
    }),
    { numRuns: 2000 },
  )
})

test("node:crypto agrees in both directions, whatever the signature", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const raw = { key: privateKey, dsaEncoding: "ieee-p1363" } as const
  for (let count = 0; count < 600; count++) {
    const text = Buffer.from(`message ${count}`)
    expect(verify("sha256", text, publicKey, toDer(sign("sha256", text, raw)))).toBe(true)
    const converted = fromDer(sign("sha256", text, privateKey))
    expect(verify("sha256", text, { key: publicKey, dsaEncoding: "ieee-p1363" }, converted)).toBe(true)
  }
})

test.each([
  ["nothing", []],
  ["no sequence", [0x31, 6, 2, 1, 1, 2, 1, 1]],
  ["a length that lies", [0x30, 7, 2, 1, 1, 2, 1, 1]],
  ["an integer of 34 bytes", [0x30, 39, 2, 34, ...Array(34).fill(1), 2, 1, 1]],
  ["an integer past the end", [0x30, 6, 2, 1, 1, 2, 9, 1]],
  ["one integer", [0x30, 3, 2, 1, 1]],
  ["something behind", [0x30, 8, 2, 1, 1, 2, 1, 1, 0, 0]],
])("%s is no DER signature", (_name, bytes) => {
  expect(() => fromDer(Uint8Array.from(bytes))).toThrow(TypeError)
})
