// The parameters of a name in a query, in every spelling that some reader takes for the plain one.
import { expect, test } from "vitest"
import { decodedOnce, valuesUnder } from "../../src/verifier/query.ts"

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
  "/x#_method=DELETE",
  "?_method[]=DELETE",
  "?[_method]=DELETE",
  "?%5B_%6dethod%5d=DELETE",
  "?[_method][a]=DELETE",
  "?]_method=DELETE",
  "?[_method=DELETE",
])("%s holds _method", (query) => {
  expect(valuesUnder("_method", query)).not.toEqual([])
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
  "?a[_method]=x",
  "?[_methods]=x",
  "?[]=x",
])("%s does not", (query) => {
  expect(valuesUnder("_method", query)).toEqual([])
})

test.each([
  ["access[token", true],
  ["access%5btoken", true],
  ["access[token]", false],
  ["access[token][a", false],
])("where a bracket is left open, %s is the name that PHP makes of it: %s", (written, isFound) => {
  expect(valuesUnder("access_token", `?${written}=x`)).toEqual(isFound ? ["x"] : [])
})

test("values are as they came, all of them, and decoded once for who asks", () => {
  expect(valuesUnder("a", "/x;a=0?a=1&%61=%41&a[]=3#A=4&b=5")).toEqual(["0", "1", "%41", "3", "4"])
  expect(["%41", "%2541", "%u0041", "%4", "%zz"].map(decodedOnce)).toEqual(["A", "%41", "A", "%4", "%zz"])
})
