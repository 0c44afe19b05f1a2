// What comes a second time is let in; of how many it may forget before, the number of its places tells.
import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"
import { createDoorkeeper } from "../../src/verifier/doorkeeper.ts"

const text = () => `Bearer ${randomBytes(64).toString("base64url")}`

test("a text is let in the second time, and from then on", () => {
  const isKnown = createDoorkeeper()
  const one = text()
  expect([isKnown(one), isKnown(one), isKnown(one)]).toEqual([false, true, true])
  expect(isKnown(text())).toBe(false)
})

test("a thousand others between leave most of them known; of a hundred thousand hardly one is let in", () => {
  const isKnown = createDoorkeeper()
  const some = Array.from({ length: 1000 }, text)
  for (const one of some) isKnown(one)
  expect(some.filter(isKnown).length).toBeGreaterThan(600)
  const many = Array.from({ length: 100_000 }, text)
  expect(many.filter(isKnown).length).toBeLessThan(20)
})

test("a text shorter than what it looks at is a text like others", () => {
  const isKnown = createDoorkeeper()
  expect([isKnown(""), isKnown("a"), isKnown("a"), isKnown("b")]).toEqual([
    expect.any(Boolean),
    false,
    true,
    false,
  ])
})
