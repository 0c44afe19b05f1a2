// What an RFC 3339 time is taken for, and what is none.
import { expect, test } from "vitest"
import { parseInstant, toInstant } from "../src/time.ts"

test.each([
  ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000Z"],
  ["2026-03-01T10:00:00.123456789Z", "2026-03-01T10:00:00.123Z"],
  ["2026-03-01T10:00:00+05:30", "2026-03-01T04:30:00.000Z"],
  ["2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00.000Z"],
  ["2026-12-31T23:59:59.999-00:01", "2027-01-01T00:00:59.999Z"],
  ["2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00.000Z"],
])("%s is an instant", (text, instant) => {
  expect(toInstant(parseInstant(text) ?? Number.NaN)).toBe(instant)
})

test.each([
  ["the 30th of February", "2026-02-30T00:00:00Z"],
  ["the 29th of February of no leap year", "2026-02-29T12:00:00Z"],
  ["a 31st that is none", "2026-04-31T00:00:00.000+02:00"],
  ["an hour that the next day has", "2026-02-28T24:00:00Z"],
  ["an hour that the next day has, with a fraction", "2026-02-28T24:00:00.000Z"],
  ["hour 25", "2026-02-28T25:00:00Z"],
  ["month 13", "2026-13-01T00:00:00Z"],
  ["month 0", "2026-00-01T00:00:00Z"],
  ["day 0", "2026-01-00T00:00:00Z"],
  ["day 32", "2026-01-32T00:00:00Z"],
  ["a leap second", "2016-12-31T23:59:60Z"],
  ["an offset of a day", "2026-01-01T00:00:00+24:00"],
  ["no offset", "2026-01-01T00:00:00"],
  ["a day alone", "2026-01-01"],
  ["small letters", "2026-01-01t00:00:00z"],
])("%s is no instant", (_, text) => {
  expect(parseInstant(text)).toBeUndefined()
})

test("a day is an instant's only where the calendar has it, and then the same day", () => {
  const days = Array.from({ length: 12 * 31 }, (_, index) => [Math.floor(index / 31) + 1, (index % 31) + 1])
  const two = (value: number | undefined) => String(value).padStart(2, "0")
  for (const year of ["0000", "0100", "1900", "2000", "2023", "2024", "2026", "2100", "9999"]) {
    const taken = days
      .map(([month, day]) => `${year}-${two(month)}-${two(day)}T23:59:59.000Z`)
      .filter((text) => parseInstant(text) !== undefined)
    expect(taken).toEqual(taken.map((text) => toInstant(parseInstant(text) ?? Number.NaN)))
    const isLeap = ["0000", "2000", "2024"].includes(year)
    expect(taken).toHaveLength(isLeap ? 366 : 365)
  }
})
