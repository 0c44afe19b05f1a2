// Whatever a name is, it stands for what was put under it, and for nothing else.
import { expect, test } from "vitest"
import { Members } from "../../src/token/members.ts"

const NAMES = [...Object.getOwnPropertyNames(Object.prototype), "prototype", "then", "a b", "0", ""]

test.each(NAMES)("nothing is under %j before it was put there, and then exactly that", (name) => {
  const members = new Members<string>()
  expect(members[name]).toBeUndefined()
  expect(name in members).toBe(false)
  members[name] = "put"
  expect(Object.entries(members)).toEqual([[name, "put"]])
  expect(new Members()[name]).toBeUndefined()
})

test("nothing can be put where all of them would inherit it", () => {
  const prototype = Object.getPrototypeOf(new Members())
  expect(Reflect.ownKeys(prototype)).toEqual([])
  expect(Reflect.set(prototype, "admin", true)).toBe(false)
  expect(Reflect.setPrototypeOf(prototype, Object.prototype)).toBe(false)
  expect(Object.getPrototypeOf(prototype)).toBeNull()
})
