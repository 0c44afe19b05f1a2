// A commitment binds one value under one name and one key, and tells nothing without them.
import { createHmac } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { canonicalJson, commit } from "../../src/ledger/commitment.ts"
import type { Json } from "../../src/ledger/event.ts"

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const text = fc.string({ unit: "binary" }).filter((one) => one.isWellFormed())

describe("a commitment", () => {
  test("is HMAC-SHA-256 over name, NUL and the canonical value, as node:crypto computes it", () => {
    fc.assert(
      fc.property(key, text, text, (secret, name, value) => {
        const expected = createHmac("sha256", secret).update(`${name}\0${JSON.stringify(value)}`)
        expect(commit(secret, name, value)).toEqual({ hmac: expected.digest("base64url") })
      }),
    )
  })

  test("stays what it was: a vector made with openssl", () => {
    const secret = Uint8Array.from({ length: 32 }, (_, n) => n + 1)
    expect(commit(secret, "sub", "people/ana@example.com").hmac).toBe(
      "e4LFhynmSOHZOQWh9P7SImsOFI-xZq9NXeeHUyUYuzo",
    )
  })

  test("differs by key, by name and by value, and not by the order of members", () => {
    const [one, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const made = [
      commit(one, "purpose", "a"),
      commit(other, "purpose", "a"),
      commit(one, "reason", "a"),
      commit(one, "purpose", "b"),
      commit(one, "purpose", ["a"]),
    ]
    expect(new Set(made.map((each) => each.hmac)).size).toBe(made.length)
    expect(commit(one, "inputs", { a: "1", b: "2" })).toEqual(commit(one, "inputs", { b: "2", a: "1" }))
  })

  test.each([0, 16, 31, 33, 64])("is refused with a key of %i bytes", (length) => {
    expect(() => commit(new Uint8Array(length), "sub", "x")).toThrow(TypeError)
  })
})

describe("canonical JSON (RFC 8785)", () => {
  const vectors: readonly [Json, string][] = [
    [
      { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 },
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    ],
    [
      [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 1e-27, -0],
      "[333333333.3333333,1e+30,4.5,0.002,1e-27,0]",
    ],
    ['\u20ac$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'],
    [{ b: null, a: [true, false, {}] }, '{"a":[true,false,{}],"b":null}'],
  ]
  test.each(vectors)("%j", (value, expected) => expect(canonicalJson(value)).toBe(expected))

  const notJson: readonly unknown[] = [
    "\ud800",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    undefined,
    { a: ["\udfff"] },
  ]
  test.each(notJson)("%j is not JSON", (value) => {
    expect(() => canonicalJson(value as Json)).toThrow(TypeError)
  })
})
