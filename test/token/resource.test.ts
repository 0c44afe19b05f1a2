import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  bindTemplate,
  coversResource,
  formatResource,
  isSegment,
  matchesResource,
  parseResource,
  parseTemplate,
  type Resource,
} from "../../src/token/resource.ts"

const literal = fc.constantFrom("a", "b", "c")
const one = fc.oneof(literal, fc.constant("*"))
const pattern: fc.Arbitrary<Resource> = fc
  .tuple(fc.array(one, { maxLength: 4 }), fc.boolean())
  .map(([fixed, open]) => (open ? [...fixed, "**"] : fixed))
  .filter((resource) => resource.length > 0)
const path = fc.array(literal, { minLength: 1, maxLength: 6 })

describe("a segment is data", () => {
  test.each([
    "42",
    "SUP-1042",
    "a.b",
    "...",
    "user@example.com",
    "x:y",
    "ä",
    "東京",
    "a+b",
    "~",
    "x".repeat(256),
    "😀".repeat(256),
  ])("%s", (text) => {
    expect(isSegment(text)).toBe(true)
  })

  test.each([
    ["nothing", ""],
    ["a dot", "."],
    ["two dots", ".."],
    ["a slash", "42/43"],
    ["a backslash", "42\\43"],
    ["a percent sign", "42%2F43"],
    ["a star", "*"],
    ["a star inside", "4*"],
    ["an open brace", "{id"],
    ["a closing brace", "id}"],
    ["a question mark", "42?x=1"],
    ["a hash", "42#"],
    ["a semicolon", "42;v=1"],
    ["a space", "42 "],
    ["a no-break space", "42\u00a0"],
    ["a line end", "42\r\nX"],
    ["NUL", "42\0"],
    ["C1 control", "42\u0085"],
    ["a zero-width space", "42\u200b"],
    ["a bidirectional override", "\u202e24"],
    ["a byte order mark", "\ufeff42"],
    ["half a surrogate", "42\ud800"],
    ["a text that is not NFC", "e\u0301"],
    ["257 characters", "x".repeat(257)],
    ["257 characters beyond the BMP", "😀".repeat(257)],
  ])("%s is not", (_what, text) => {
    expect(isSegment(text)).toBe(false)
  })
})

describe("templates", () => {
  const inputs = new Set(["ticket", "repo"])

  test.each([
    ["tickets/{ticket}", [{ literal: "tickets" }, { input: "ticket" }]],
    ["repos/{repo}/*", [{ literal: "repos" }, { input: "repo" }, "*"]],
    ["repos/**", [{ literal: "repos" }, "**"]],
    ["**", ["**"]],
  ])("%s", (text, template) => {
    expect(parseTemplate(text, inputs)).toEqual(template)
  })

  test.each([
    ["an unknown input", "tickets/{tickt}", 'there is no input "tickt"'],
    ["an input inside a segment", "tickets/t-{ticket}", "an input must be a whole segment: {name}"],
    ["two inputs in one segment", "{ticket}{repo}", "an input must be a whole segment: {name}"],
    ["an empty segment", "tickets//x", "a segment is empty"],
    ["a leading slash", "/tickets", "a segment is empty"],
    ["nothing", "", "a segment is empty"],
    ["** in the middle", "a/**/b", "** may only be the last segment"],
    ["a star inside a segment", "a/b*", "* and ** must be whole segments"],
    ["33 segments", Array(33).fill("a").join("/"), "a resource has at most 32 segments"],
  ])("%s is told", (_what, text, wrong) => {
    expect(parseTemplate(text, inputs)).toBe(wrong)
  })

  test("what is not data is told", () => {
    expect(parseTemplate("a/..", inputs)).toMatch(/^a segment is/)
  })

  const bound = (value: string) => {
    const template = parseTemplate("tickets/{ticket}", inputs)
    if (typeof template === "string") throw new Error(template)
    return bindTemplate(template, new Map([["ticket", value]]))
  }

  test("a value is put in once and never read as a pattern", () => {
    expect(bound("SUP-1042")).toEqual(["tickets", "SUP-1042"])
    for (const value of ["*", "**", "{repo}", "a/b", "..", "", "%2e"])
      expect(() => bound(value)).toThrow(TypeError)
    expect(() => bindTemplate([{ input: "ticket" }], new Map())).toThrow(TypeError)
  })
})

describe("matching", () => {
  test.each([
    ["tickets/42", ["tickets", "42"], true],
    ["tickets/42", ["tickets", "43"], false],
    ["tickets/42", ["TICKETS", "42"], false],
    ["tickets/42", ["tickets"], false],
    ["tickets/42", ["tickets", "42", "comments"], false],
    ["tickets/*", ["tickets", "42"], true],
    ["tickets/*", ["tickets"], false],
    ["tickets/*", ["tickets", "42", "x"], false],
    ["*/42", ["anything", "42"], true],
    ["tickets/**", ["tickets", "42"], true],
    ["tickets/**", ["tickets", "42", "comments", "7"], true],
    ["tickets/**", ["tickets"], false],
    ["**", ["a"], true],
    ["**", [], false],
    ["tickets/42", ["tickets", "042"], false],
    ["tickets/42", ["tickets/42"], false],
  ])("%s against %j: %s", (text, segments, matches) => {
    expect(matchesResource(parseResource(text) ?? [], segments)).toBe(matches)
  })

  test("covering: everything that the inner matches is matched by the outer", () => {
    fc.assert(
      fc.property(pattern, pattern, path, (outer, inner, segments) => {
        fc.pre(coversResource(outer, inner) && matchesResource(inner, segments))
        expect(matchesResource(outer, segments)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test("not covering: something that the inner matches is not matched by the outer", () => {
    const witness = (inner: Resource, length: number, filler: string) => {
      const open = inner.at(-1) === "**"
      const fixed = open ? inner.slice(0, -1) : inner
      const more = open ? Array<string>(Math.max(1, length - fixed.length)).fill(filler) : []
      return [...fixed.map((each) => (each === "*" ? filler : each)), ...more]
    }
    fc.assert(
      fc.property(pattern, pattern, (outer, inner) => {
        fc.pre(!coversResource(outer, inner))
        const witnesses = [1, 12].map((length) => witness(inner, length, "z"))
        expect(witnesses.every((each) => matchesResource(inner, each))).toBe(true)
        expect(witnesses.every((each) => matchesResource(outer, each))).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test("covering is reflexive and transitive", () => {
    fc.assert(
      fc.property(pattern, pattern, pattern, (a, b, c) => {
        expect(coversResource(a, a)).toBe(true)
        if (coversResource(a, b) && coversResource(b, c)) expect(coversResource(a, c)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test("a token's text is read back as it was written", () => {
    fc.assert(
      fc.property(pattern, (resource) => {
        expect(parseResource(formatResource(resource))).toEqual(resource)
      }),
    )
  })

  test.each([
    42,
    null,
    ["tickets"],
    "",
    "a//b",
    "a/**/b",
    "a/../b",
    "a/{b}",
    "a/b ",
    Array(33).fill("a").join("/"),
  ])("%j is no resource", (text) => {
    expect(parseResource(text)).toBeUndefined()
  })
})
