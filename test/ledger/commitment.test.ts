// A commitment binds one value under one name and one key, and tells nothing without them.
import { createHmac } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { commit } from "../../src/ledger/commitment.ts"

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
