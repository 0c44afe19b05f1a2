// Resources are counted without being kept: exactly while they are few, and nearly while they are many.
import { expect, test } from "vitest"
import { bytesOf, countTouched, KEPT_HASHES, readSketch, touch } from "../../src/audit/anomaly/sketch.ts"

function touchAll(resources: readonly string[], salt = 7): Uint8Array {
  const sketch = readSketch(new Uint8Array())
  for (const one of resources) touch(sketch, one, salt)
  return bytesOf(sketch)
}
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

test("it goes on from its bytes as if it had never rested", () => {
  const resources = ticketsOf(200)
  for (const at of [0, 1, 30, 64, 199]) {
    const sketch = readSketch(touchAll(resources.slice(0, at)))
    for (const one of resources.slice(at)) touch(sketch, one, 7)
    expect(bytesOf(sketch)).toEqual(touchAll(resources))
  }
})

test("what is no news changes nothing, and no text stands in it", () => {
  const sketch = touchAll(["tickets/SUP-1"])
  expect(touchAll(["tickets/SUP-1", "tickets/SUP-1"])).toEqual(sketch)
  expect(touchAll(["tickets/SUP-1"], 8)).not.toEqual(sketch)
  expect(Buffer.from(sketch).toString("latin1")).not.toContain("SUP")
})
