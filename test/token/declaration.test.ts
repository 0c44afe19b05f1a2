import { expect, test } from "vitest"
import { orderDeclared, parseShape } from "../../src/token/declaration.ts"

test.each([
  ["tickets", ["tickets"]],
  ["tickets/{id}", ["tickets", "*"]],
  ["tickets/*/comments/{comment_id-2}", ["tickets", "*", "comments", "*"]],
  ["files/**", ["files", "**"]],
  ["**", ["**"]],
])("%s is a shape", (text, shape) => {
  expect(parseShape(text)).toEqual(shape)
})

test.each([
  "",
  "/tickets",
  "tickets/",
  "tickets//x",
  "tickets/..",
  "tickets/{id",
  "tickets/{}",
  "tickets/{1}",
  "tickets/x{id}",
  "tickets/{id}.json",
  "**/tickets",
  "tickets/%2e",
  "tickets/\u202e",
  `${"a/".repeat(32)}a`,
])("%j is none", (text) => {
  expect(parseShape(text)).toBeUndefined()
})

test("whoever serves the same says the same, in whatever order and however often", () => {
  const one = orderDeclared([
    { operation: "t:b", resources: ["y", "x"] },
    { operation: "t:a", resources: ["z"] },
    { operation: "t:b", resources: ["x", "w"] },
  ])
  expect(one).toEqual([
    { operation: "t:a", resources: ["z"] },
    { operation: "t:b", resources: ["w", "x", "y"] },
  ])
  expect(orderDeclared([...one].reverse())).toEqual(one)
})
