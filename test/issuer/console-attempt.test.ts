// Which cookies are a sign-in under way: any replica can finish what another began, by a clock of its own.
import { expect, test } from "vitest"
import { ATTEMPT_SECONDS, newAttempt, readAttempt } from "../../src/issuer/console/attempt.ts"
import { SKEW_SECONDS } from "../../src/time.ts"

const BEGUN = 1_772_355_600
const { value, secrets } = newAttempt({ begunAt: BEGUN, to: "/console", again: false, replaces: undefined })

test.each([
  ["at once", 0, true],
  ["by a clock that is behind", -SKEW_SECONDS, true],
  ["by one that is further behind", -SKEW_SECONDS - 1, false],
  ["when it is nearly over", ATTEMPT_SECONDS - 1, true],
  ["when it is over", ATTEMPT_SECONDS, false],
])("one that is finished %s is known: %s seconds: %s", (_, seconds, known) => {
  const read = readAttempt(value, BEGUN + seconds)
  expect(read?.secrets).toEqual(known ? secrets : undefined)
})
