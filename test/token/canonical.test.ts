// The bytes that are hashed, held against RFC 8785's own examples and against the general library.
import canonicalize from "canonicalize"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Json } from "../../src/ledger/event.ts"
import { canonicalJson } from "../../src/token/canonical.ts"

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

  test("says what the general library says, of anything", () => {
    const json = fc.jsonValue({
      stringUnit: fc.oneof(fc.constantFrom("a", '"', "\\", "é", "\u0001", "😀"), fc.string()),
    })
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson(value as Json)).toBe(canonicalize(value))
      }),
      { numRuns: 3000 },
    )
  })
})
