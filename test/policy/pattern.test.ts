import { expect, test } from "vitest"
import { inputPattern, patternFault } from "../../src/policy/pattern.ts"

test.each([
  ["[A-Z]{2,5}-[0-9]{1,9}", "SUP-1042", true],
  ["[A-Z]{2,5}-[0-9]{1,9}", "xSUP-1042", false],
  ["[A-Z]{2,5}-[0-9]{1,9}", "SUP-1042x", false],
  ["[A-Z]{2,5}-[0-9]{1,9}", "SUP-1042\n", false],
  ["a|ab", "ab", true],
  ["a|b", "xb", false],
  ["(?m)^a$", "b\na", false],
  [".*", "a\nb", false],
  ["a*", "a".repeat(256), true],
  ["a*", "a".repeat(257), false],
])("%s is anchored at both ends: %j", (source, text, fits) => {
  expect(inputPattern(source).matches(text)).toBe(fits)
})

test.each(["(", "(?=a)", "(?<=a)b", "(a)\\1", "a{1001}", "((a{100}){100}){100}", "a".repeat(513)])(
  "what RE2 can't match in linear time, or is too large, is refused: %s",
  (source) => {
    expect(patternFault(source)).toMatch(/^(an RE2 pattern|a pattern of at most 512 characters)/)
  },
)

test("what is said of a pattern hides and turns round nothing", () => {
  expect(patternFault("(a\u202e")).toMatch(/^an RE2 pattern [^\u202e]*\\u\{202e\}/)
})
