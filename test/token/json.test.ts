import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { JsonFault, parseJson } from "../../src/token/json.ts"

const tagOf = (value: unknown) => (value instanceof JsonFault ? value.tag : value)

describe("the strict reader of JSON", () => {
  test.each([
    ['"a"', "a"],
    ['"\\u0061\\n\\ud83d\\ude00"', "a\n😀"],
    ["0", 0],
    ["-7", -7],
    ["9007199254740991", 9007199254740991],
    [" [ 1 , true , false , null ] ", [1, true, false, null]],
    ['\t{ "a" : { } ,\r\n"b" : [ ] }', { a: {}, b: [] }],
  ])("reads %s", (text, value) => {
    expect(parseJson(text)).toEqual(value)
  })

  test.each([
    ["duplicate members", '{"a":1,"a":1}', "json_duplicate"],
    ["a duplicate behind an escape", '{"exp":1,"ex\\u0070":2}', "json_duplicate"],
    ["a duplicate deep inside", '[{"a":{"b":1,"b":2}}]', "json_duplicate"],
    ["__proto__", '{"__proto__":{"admin":true}}', "json_member"],
    ["__proto__ behind an escape", '{"\\u005f_proto__":{}}', "json_member"],
    ["constructor", '{"constructor":1}', "json_member"],
    ["prototype", '{"prototype":1}', "json_member"],
    ["infinity by exponent", "1e400", "json"],
    ["an exponent", "1e3", "json"],
    ["a fraction", "1.5", "json"],
    ["a fraction of nothing", "1.0", "json"],
    ["minus zero", "-0", "json"],
    ["2^53", "9007199254740992", "json"],
    ["a leading zero", "012", "json"],
    ["a plus", "+1", "json"],
    ["NaN", "NaN", "json"],
    ["half a surrogate, escaped", '"\\ud800"', "json"],
    ["half a surrogate, raw", '"\ud800"', "json"],
    ["a byte order mark", "\ufeff{}", "json"],
    ["a raw control character", '"a\u0000"', "json"],
    ["an unknown escape", '"\\x41"', "json"],
    ["an open string", '"abc', "json"],
    ["an open escape", '"abc\\', "json"],
    ["nothing", "", "json"],
    ["two values", "{} {}", "json"],
    ["a trailing comma", "[1,]", "json"],
    ["a trailing comma in an object", '{"a":1,}', "json"],
    ["a name without quotes", "{a:1}", "json"],
    ["a comment", "/**/{}", "json"],
    ["a misspelled word", "trux", "json"],
    ["a no-break space", "\u00a0{}", "json"],
  ])("refuses %s", (_what, text, tag) => {
    expect(tagOf(parseJson(text))).toBe(tag)
  })

  test("depth counts objects and arrays, and stops the reading", () => {
    expect(parseJson("[[[]]]", { maxDepth: 3 })).toEqual([[[]]])
    expect(tagOf(parseJson("[[[[]]]]", { maxDepth: 3 }))).toBe("size")
    expect(tagOf(parseJson(`${"[".repeat(9)}${"]".repeat(9)}`))).toBe("size")
    expect(tagOf(parseJson("[".repeat(1_000_000), { maxLength: 2_000_000 }))).toBe("size")
    expect(parseJson("[[],[],[],{}]", { maxDepth: 2 })).toEqual([[], [], [], {}])
  })

  test("length is refused before anything is read", () => {
    expect(tagOf(parseJson("!".repeat(11), { maxLength: 10 }))).toBe("size")
  })

  test("fractions are read where they are wanted, infinity never", () => {
    expect(parseJson("[1.5,1e3]", { allowFractions: true })).toEqual([1.5, 1000])
    expect(tagOf(parseJson("1e400", { allowFractions: true }))).toBe("json")
    expect(tagOf(parseJson("-0.0", { allowFractions: true }))).toBe("json")
  })

  test("objects inherit nothing", () => {
    const object = Object(parseJson('{"a":1}'))
    for (const name of Object.getOwnPropertyNames(Object.prototype))
      expect({ name, value: Reflect.get(object, name) }).toEqual({ name, value: undefined })
  })

  test("whatever JSON.stringify writes is read back the same, or refused for a named reason", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value)
        const read = parseJson(text, { allowFractions: true })
        if (!(read instanceof JsonFault)) expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(text))
        else expect(text).toMatch(/__proto__|constructor|prototype|\\ud[89a-f]|-0|e\+3/)
      }),
    )
  })

  test("what is accepted, JSON.parse accepts as the same value", () => {
    const noise = fc.string({
      unit: fc.constantFrom(...'{}[]",:\\0123456789-.eEtruefalsn u"'),
      maxLength: 24,
    })
    fc.assert(
      fc.property(noise, (text) => {
        const read = parseJson(text)
        if (!(read instanceof JsonFault)) expect(read).toEqual(JSON.parse(text))
      }),
      { numRuns: 3000 },
    )
  })
})
