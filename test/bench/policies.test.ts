// The benchmark of policies in its short form: its policies load, all that it asks for is permitted, and each figure has its
// limit beside it. Whether limits are reached is for `npm run bench -- policies` to say.
import { afterAll, expect, test, vi } from "vitest"
import { manyPolicies, startOf } from "../../bench/many-policies.ts"
import { benchReplay } from "../../bench/policy-replay.ts"
import { Refusal } from "../../src/errors.ts"
import { decide } from "../../src/policy/decide.ts"
import { policyOf } from "../support/policies.ts"

const TYPES = 30
const printed = vi.spyOn(console, "log").mockImplementation(() => undefined)
afterAll(() => printed.mockRestore())

test("decisions and a replay, of every kind of task type", async () => {
  const policy = await policyOf(manyPolicies(TYPES))
  expect(policy.tasks.size).toBe(TYPES)
  const refused = Array.from({ length: TYPES }, (_, index) => decide(policy, startOf(index))).filter(
    (one) => one instanceof Refusal,
  )
  expect(refused).toEqual([])
  await benchReplay({ rounds: 1, seconds: 0, tasks: 0, entries: 500, sessions: 0 }, policy, TYPES)
  const lines = printed.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("limit"))
  expect(lines).toEqual([expect.stringMatching(/^ +replayed in .* limit 30 ms/)])
})
