import { describe, expect, test } from "vitest"
import { createRenewalTimes } from "../../src/task/renewal-time.ts"

/** How many of each second there are among so many tokens, taking each `every`-th. */
function bySecond(life: number, tokens: number, every = 1): number[] {
  const timeOf = createRenewalTimes(0.123)
  const counts = new Map<number, number>()
  for (let index = 0; index < tokens * every; index++) {
    const time = timeOf(life)
    if (index % every === 0) counts.set(time, (counts.get(time) ?? 0) + 1)
  }
  expect([...counts.keys()].every((time) => time >= Math.floor(life * 0.7) && time <= life * 0.8)).toBe(true)
  return [...counts.values()]
}

describe("10,000 tokens that are minted together are renewed apart", () => {
  test.each([
    [300, 1],
    [600, 1],
    [1800, 1],
    // An API whose tokens are every second or third that is minted.
    [600, 2],
    [600, 3],
  ])("of %i s each, taking each %i.: no second has a twentieth more than its share", (life, every) => {
    const counts = bySecond(life, 10_000, every)
    expect(counts).toHaveLength(life / 10)
    expect(Math.max(...counts)).toBeLessThanOrEqual((10_000 / (life / 10)) * 1.05)
  })
})

test("a token that ends at once is renewed after a second, and processes don't begin at the same place", () => {
  expect(createRenewalTimes()(1)).toBe(1)
  const first = Array.from({ length: 20 }, () => createRenewalTimes()(1_000_000))
  expect(new Set(first).size).toBeGreaterThan(15)
})
