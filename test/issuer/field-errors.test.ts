// What a caller is told of a request that does not fit: what was expected, in one sentence with "expected" before it.
import { expect, test } from "vitest"
import { z } from "zod"
import { Refusal } from "../../src/errors.ts"
import { readJson } from "../../src/issuer/body.ts"
import { readAs } from "../../src/issuer/endpoint.ts"

const Asked = z.strictObject({ state: z.enum(["active", "paused"]).optional(), limit: z.number().optional() })

test.each([
  ["a value that is none of those there are", { state: "ended" }, "/state", 'one of "active"|"paused"'],
  ["a value of another type", { limit: "x" }, "/limit", "number"],
  ["a member too many", { more: 1 }, "", "no members besides the documented ones"],
])("%s", (_what, value, pointer, expected) => {
  const read = readAs(Asked, value)
  expect(read instanceof Refusal && read.errors).toEqual([{ pointer, expected }])
})

test("a number that is not whole: that it has to be", () => {
  const read = readJson('{"a":1.5}')
  expect(read instanceof Refusal && read.errors).toEqual([
    { pointer: "", expected: expect.stringContaining("whole numbers only") },
  ])
})
