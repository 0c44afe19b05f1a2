// What counts as something that an agent has done lately, and which minutes that hour is.
import { expect, test } from "vitest"
import { KINDS } from "../../src/ledger/event.ts"
import { countedAs, firstMinuteAt, sumOfUsage } from "../../src/policy/usage.ts"

test("starts, allowed uses and refusals by whoever refuses count, and nothing else", () => {
  const counted = KINDS.flatMap((kind) => {
    const what = countedAs(kind)
    return what === undefined ? [] : [[kind, what]]
  })
  expect(Object.fromEntries(counted)).toEqual({
    "task.started": "starts",
    "use.allowed": "uses",
    "use.refused": "refusals",
    "task.refused": "refusals",
    "token.refused": "refusals",
  })
})

test.each([
  ["2026-03-01T10:00:00.000Z", "2026-03-01T09:01:00.000Z"],
  ["2026-03-01T10:00:59.999Z", "2026-03-01T09:01:00.000Z"],
  ["2026-03-01T10:01:00.000Z", "2026-03-01T09:02:00.000Z"],
])("at %s the hour begins at %s: the minute under way and the 59 before it", (now, first) => {
  expect(firstMinuteAt(Date.parse(now)) * 60_000).toBe(Date.parse(first))
})

test("minutes are added up, each by itself", () => {
  const sum = sumOfUsage([
    { starts: 1, uses: 2, refusals: 3 },
    { starts: 10, uses: 20, refusals: 30 },
  ])
  expect([sum, sumOfUsage([])]).toEqual([
    { starts: 11, uses: 22, refusals: 33 },
    { starts: 0, uses: 0, refusals: 0 },
  ])
})
