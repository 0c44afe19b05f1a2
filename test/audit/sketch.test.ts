// Resources are counted without being kept: exactly while they are few, and nearly while they are many.
import { expect, test } from "vitest"
import { countTouched, KEPT_HASHES, NOTHING_TOUCHED, touch } from "../../src/audit/anomaly/sketch.ts"

const touchAll = (resources: readonly string[], salt = 7) =>
  resources.reduce((sketch, one) => touch(sketch, one, salt), NOTHING_TOUCHED)
const ticketsOf = (count: number) => Array.from({ length: count }, (_, index) => `tickets/SUP-${index}`)

test.each([0, 1, 2, 63])("%i resources are counted exactly, however often each comes", (count) => {
  const resources = ticketsOf(count)
  expect(countTouched(touchAll([...resources, ...resources.toReversed(), ...resources]))).toBe(count)
})

test.each([100, 1000, 10_000])("%i resources are counted within a third", (count) => {
  for (let salt = 1; salt <= 20; salt++) {
    const counted = countTouched(touchAll(ticketsOf(count), salt))
    expect(counted).toBeGreaterThan(count * 0.66)
    expect(counted).toBeLessThan(count * 1.5)
  }
})

test("it never grows beyond what it keeps, and its order is the same whatever came first", () => {
  const resources = ticketsOf(500)
  expect(touchAll(resources)).toHaveLength(KEPT_HASHES * 4)
  expect(touchAll(resources)).toEqual(touchAll(resources.toReversed()))
})

test("what is no news is the same sketch, and no text stands in it", () => {
  const sketch = touchAll(["tickets/SUP-1"])
  expect(touch(sketch, "tickets/SUP-1", 7)).toBe(sketch)
  expect(touchAll(["tickets/SUP-1"], 8)).not.toEqual(sketch)
  expect(Buffer.from(sketch).toString("latin1")).not.toContain("SUP")
})
