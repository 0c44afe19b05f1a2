import { expect, test } from "vitest"
import { runPairs } from "../support/policy-pairs.ts"

test("no request that a difference calls unchanged is answered differently, and no direction is wrong", () => {
  const seen = runPairs(10_000, 7)
  expect(seen.unchanged).toBeGreaterThan(500)
  expect(seen.changed).toBeGreaterThan(1000)
})
