// What is far from usual, and when too little is known to tell, by the numbers alone.
import { describe, expect, test } from "vitest"
import {
  baselineOf,
  boundAt,
  boundOf,
  type HourOfWork,
  isUnusualHour,
  isWeekend,
} from "../../src/audit/anomaly/baseline.ts"

const usual = { of: 100, median: 5, high: 10 }

test.each([
  ["never below half as much again as what 98 of 100 have", 0.2, 15],
  ["so many deviations from the middle, of the logarithms", 0.5, 6 * Math.exp(1.5) - 1],
  ["never above three times what 98 of 100 have, however much it varies", 2, 30],
])("far is %s", (_, deviation, bound) => {
  expect(boundOf({ ...usual, deviation }, 3)).toBeCloseTo(bound, 9)
})

const DAY = 24
/** Of whole days since the epoch, which began on a Thursday. */
const workOn = (days: readonly number[], hours: readonly number[], uses = 1): HourOfWork[] =>
  days.flatMap((day) => hours.map((hour) => ({ hour: day * DAY + hour, starts: 1, uses, refused: 0 })))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at)
const MONDAY = 4
const workingDays = (weeks: number) =>
  range(0, 7 * weeks).flatMap((day) => (day % 7 < 5 ? [MONDAY + day] : []))
const at = (day: number, hour: number) => (MONDAY + day) * DAY + hour
const known = (hours: readonly HourOfWork[]) => baselineOf(hours, [])

test("weekends are Saturdays and Sundays", () => {
  expect(range(0, 7).map((day) => isWeekend(at(day, 12)))).toEqual([
    ...Array.from({ length: 5 }, () => false),
    ...[true, true],
  ])
})

describe("work at an hour is unusual", () => {
  const office = known(workOn(workingDays(4), range(9, 17)))
  test.each<[string, number, boolean]>([
    ["at night", at(28, 3), true],
    ["two hours before the first", at(28, 7), true],
    ["not an hour before it", at(28, 8), false],
    ["not at the last", at(28, 16), false],
    ["not an hour after it", at(28, 17), false],
    ["two hours after it", at(28, 18), true],
    ["on a weekend at the hours of working days", at(33, 12), true],
    ["of another working day that it never was on", at(32, 12), false],
  ])("%s", (_, hour, isUnusual) => {
    expect(isUnusualHour(office, hour)).toBe(isUnusual)
  })

  test("not while fewer than a hundred hours are known", () => {
    const hours = workOn(workingDays(4), range(9, 17))
    expect(isUnusualHour(known(hours.slice(0, 99)), at(28, 3))).toBe(false)
    expect(isUnusualHour(known(hours.slice(0, 100)), at(28, 3))).toBe(true)
  })

  test("not on a weekend while fewer than four of its days have gone by", () => {
    const hours = known(workOn(workingDays(1), range(0, 24)))
    expect([5, 6, 12, 13].map((day) => isUnusualHour(hours, at(day, 12)))).toEqual([
      false,
      false,
      false,
      true,
    ])
  })
})

test("what is done once a week at this hour is usual then, and at no other", () => {
  const hours = [...workOn([MONDAY], [9], 40), ...workOn([MONDAY + 1], [9], 2)]
  const uses = (hour: HourOfWork) => hour.uses
  expect([at(7, 9), at(14, 9), at(8, 9), at(7, 10)].map((hour) => boundAt(hours, hour, uses))).toEqual([
    60, 60, 3, 0,
  ])
})

test("the middle, the 98th of 100 and the least deviation are those of all tasks, however they are counted", () => {
  const { uses, tasks } = baselineOf(
    [],
    [
      { measure: 1, size: 3, tasks: 97 },
      { measure: 1, size: 50, tasks: 3 },
      { measure: 0, size: 9, tasks: 1 },
    ],
  )
  expect([tasks, uses]).toEqual([100, { of: 100, median: 3, deviation: 0.2, high: 50 }])
})
