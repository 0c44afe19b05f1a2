// A sign-in that is under way: what its cookie is taken for, for how long by the clock of whichever replica, and that changed
// facts make another state.
import { expect, test } from "vitest"
import { ATTEMPT_SECONDS, newAttempt, placeOf, readAttempt } from "../../src/issuer/console/attempt.ts"
import { SKEW_SECONDS } from "../../src/time.ts"

const BEGUN = 1_772_355_600
const replaces = new Uint8Array(32).fill(9)
const attempt = { begunAt: BEGUN, to: "/console/tasks", again: true, replaces }

test.each([
  ["the moment when it began", 0, true],
  ["its last second", ATTEMPT_SECONDS - 1, true],
  ["when it is over", ATTEMPT_SECONDS, false],
  ["the moment when it began, by a clock that is behind", -SKEW_SECONDS, true],
  ["the same, by one that is further behind", -SKEW_SECONDS - 1, false],
])("it is read at %s: %i s", (_, after, isRead) => {
  const { value, secrets } = newAttempt(attempt)
  const read = readAttempt(value, BEGUN + after)
  if (!isRead) return expect(read).toBeUndefined()
  expect(read).toMatchObject({ ...attempt, replaces: Buffer.from(replaces), secrets })
})

test.each<[string, (parts: string[]) => string[]]>([
  ["when it began", ([, ...rest]) => [String(BEGUN + 1), ...rest]],
  ["where it leads", ([begun = "", , ...rest]) => [begun, "0", ...rest]],
  ["whether they are to show who they are", ([begun = "", to = "", , ...rest]) => [begun, to, "0", ...rest]],
  [
    "which session it takes the place of",
    ([begun = "", to = "", again = "", , secret = ""]) => [begun, to, again, "", secret],
  ],
])("a changed cookie is another sign-in, which no provider answers: %s", (_, change) => {
  const { value, secrets } = newAttempt(attempt)
  const read = readAttempt(change(value.split(".")).join("."), BEGUN + 1)
  expect(read).toBeDefined()
  for (const name of ["state", "nonce", "verifier"] as const)
    expect(read?.secrets[name]).not.toBe(secrets[name])
})

test("two of the same facts have nothing in common", () => {
  const [one, other] = [newAttempt(attempt).secrets, newAttempt(attempt).secrets]
  expect(new Set([...Object.values(one), ...Object.values(other)]).size).toBe(6)
})

test.each(["", "x", "1.0.0..", `${BEGUN}.0.2..${"A".repeat(43)}`, `${BEGUN}.0.0.AA.${"A".repeat(43)}`])(
  "%j is none",
  (value) => {
    expect(readAttempt(value, BEGUN)).toBeUndefined()
  },
)

test.each([
  ["/console/tasks", "/console/tasks"],
  ["//evil.example", "/console"],
  ["/console/tasks/../x", "/console"],
  ["https://evil.example/console", "/console"],
  [undefined, "/console"],
])("%s leads to %s", (asked, place) => {
  expect(placeOf(asked)).toBe(place)
})
