import { expect, test, vi } from "vitest"
import { runPairs } from "../support/policy-pairs.ts"

// Many pairs, on a machine that has other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

test("no request that a difference calls unchanged is answered differently, and no direction is wrong", () => {
  const seen = runPairs(10_000, 7)
  expect(seen.unchanged).toBeGreaterThan(400)
  expect(seen.changed).toBeGreaterThan(1000)
})
