// Policy files that nobody wrote: catalogue area C. The long form is `npm run evidence -- policies`.
import { expect, test } from "vitest"
import { runPolicyFuzz } from "../support/policy-fuzz.ts"

const RUNS = 5000

test("C16 C21 deformed policy files are refused with a place, or loaded whole: none throws, hangs or is half loaded", () => {
  const { loaded, refused } = runPolicyFuzz(RUNS, Date.now())
  expect(loaded + refused).toBe(RUNS)
  // Otherwise one of the two was not tried.
  expect(Math.min(loaded, refused)).toBeGreaterThan(RUNS / 50)
}, 120_000)
