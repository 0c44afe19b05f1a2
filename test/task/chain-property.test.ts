// Whatever holders do, one after the other, under whatever policies: what each gets is held against an oracle that knows
// nothing of grants and patterns (test/support/chains.ts). `npm run evidence chains` plays a million lives.
import fc from "fast-check"
import { expect, test } from "vitest"
import { type Authority, type Narrowing, narrow } from "../../src/token/authority.ts"
import { runChains } from "../support/chains.ts"
import { both, grants, isWithin, same, usesOf } from "../support/single-uses.ts"

test("D01 D02 a holder has exactly what policy and all above it leave, and nothing outlives the deadline or who stands above", {
  timeout: 60_000,
}, () => {
  expect(() => runChains(10_000)).not.toThrow()
})

const narrowing: fc.Arbitrary<Required<Pick<Narrowing, "operations" | "grants">>> = fc.record({
  operations: fc.uniqueArray(fc.constantFrom("a:read", "a:write", "b:read")).map((all) => new Set(all)),
  grants,
})

/** Both at once. */
const together = (one: Narrowing, other: Narrowing): Narrowing => ({
  operations: new Set([...(one.operations ?? [])].filter((each) => other.operations?.has(each))),
  grants: narrow(one.grants ?? [], { grants: other.grants ?? [] }),
})

const equal = (one: Authority, other: Authority): boolean => same(usesOf(one), usesOf(other))

test("narrowing never adds, and is idempotent, commutative and associative in what is allowed", () => {
  fc.assert(
    fc.property(grants, narrowing, narrowing, narrowing, (authority, one, two, three) => {
      const narrowed = narrow(authority, one)
      expect(isWithin(usesOf(authority), usesOf(narrowed))).toBe(true)
      expect(isWithin(both(usesOf(authority), usesOf(one.grants)), usesOf(narrowed))).toBe(true)
      expect(equal(narrow(narrowed, one), narrowed)).toBe(true)
      expect(equal(narrow(narrowed, two), narrow(narrow(authority, two), one))).toBe(true)
      expect(equal(narrow(narrowed, two), narrow(authority, together(one, two)))).toBe(true)
      const [left, right] = [together(together(one, two), three), together(one, together(two, three))]
      expect(equal(narrow(authority, left), narrow(authority, right))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
