import { describe, expect, test } from "vitest"
import { isId, isUuid, newId, newUuid } from "../../src/token/id.ts"

describe("ids", () => {
  test("carry the time they were made, so that they sort by it", () => {
    const uuid = newUuid(0x0123_4567_89ab)
    expect(uuid.startsWith("01234567-89ab-7")).toBe(true)
    const made = [3, 1, 2].map((second) => newId("task", 1_790_000_000_000 + second * 1000))
    expect([...made].sort()).toEqual([made[1], made[2], made[0]])
  })

  test("never repeat, though the random bytes come from a pool", () => {
    const made = new Set(Array.from({ length: 5000 }, () => newUuid(1_790_000_000_000)))
    expect(made.size).toBe(5000)
    expect([...made].every(isUuid)).toBe(true)
  })

  test("are of the kind that the prefix says", () => {
    for (const prefix of ["task", "tok", "del", "apr", "rev", "use"] as const) {
      expect(isId(prefix, newId(prefix))).toBe(true)
      expect(isId(prefix === "task" ? "tok" : "task", newId(prefix))).toBe(false)
    }
  })

  const good = newUuid()
  test.each([
    ["a number", 7],
    ["null", null],
    ["nothing", undefined],
    ["an empty text", ""],
    ["no prefix", good],
    ["upper case", `task_${good.toUpperCase()}`],
    ["another version", `task_${good.slice(0, 14)}4${good.slice(15)}`],
    ["a trailing newline", `task_${good}\n`],
    ["more behind it", `task_${good}0`],
    ["10 KB", `task_${"0".repeat(10_240)}`],
  ])("%s is no id", (_what, text) => {
    expect(isId("task", text)).toBe(false)
  })
})
