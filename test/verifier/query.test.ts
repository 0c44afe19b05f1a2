// The names in a query, in every spelling that some reader takes for the plain one.
import { expect, test } from "vitest"
import { namesIn } from "../../src/verifier/query.ts"

test.each([
  "?_method=DELETE",
  "?a=b&_METHOD=DELETE",
  "?_%6dethod=DELETE",
  "?%5F%6D%65%74%68%6F%64=DELETE",
  "?%u005fmethod=DELETE",
  "?a;_method=DELETE",
  "?%zz=%&_%6dethod=%",
  "?+_method=DELETE",
  "?%20.method=DELETE",
  "?_method%00x=DELETE",
  "?_method=",
  "?a?_method=DELETE",
])("%s holds _method", (query) => {
  expect(namesIn(query)).toContain("_method")
})

test.each([
  "",
  "?",
  "?_method",
  "?method=x",
  "?a=_method",
  "?a=%26_method%3Dx",
  "?_%256dethod=x",
  "?_%6method=x",
  "?x_method=y",
  "?_methods=x",
  "?_m%e9thod=x",
])("%s does not", (query) => {
  expect(namesIn(query)).not.toContain("_method")
})

test("names keep their order, and what is no escape", () => {
  expect(namesIn("?a=1&%62=2&c&%=3&=4")).toEqual(["a", "b", "%", ""])
})
