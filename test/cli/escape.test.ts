import { describe, expect, test } from "vitest"
import { forJson, forTerminal } from "../../src/cli/escape.ts"

describe("text of others can't steer a terminal", () => {
  const cases: readonly (readonly [what: string, text: string, shown: string])[] = [
    ["colours and cursor moves", "\u001b[2J\u001b[31mred", "\\u{1b}[2J\\u{1b}[31mred"],
    ["the eight-bit introducer", "\u009b31m", "\\u{9b}31m"],
    ["a new line", "one\ntwo\r\nthree", "one\\u{a}two\\u{d}\\u{a}three"],
    ["a window's title", "\u001b]0;owned\u0007", "\\u{1b}]0;owned\\u{7}"],
    ["right-to-left overrides", "ab\u202ecd\u2066ef", "ab\\u{202e}cd\\u{2066}ef"],
    ["zero-width and soft characters", "a\u200bb\u00adc\ufeff", "a\\u{200b}b\\u{ad}c\\u{feff}"],
    ["tags that hide text", "a\u{e0041}", "a\\u{e0041}"],
    ["half surrogates", "a\ud800b", "a\\u{d800}b"],
    ["line and paragraph separators", "a\u2028b\u2029", "a\\u{2028}b\\u{2029}"],
  ]
  for (const [what, text, shown] of cases)
    test(what, () => {
      expect(forTerminal(text)).toBe(shown)
      const json = forJson({ text })
      expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
      expect(JSON.parse(json)).toEqual({ text })
    })

  test("plain text of any language stays as it is", () => {
    const text = "Zażółć gęślą jaźń, 你好, שלום, 🙂 (SUP-1042)"
    expect(forTerminal(text)).toBe(text)
    expect(forJson(text)).toBe(JSON.stringify(text))
  })
})
