// Bytes that two readers could read differently, or that cost too much to read: catalogue A, form, JSON, size.
import { describe, expect, test } from "vitest"
import { openTaskToken } from "../../src/token/verify.ts"
import { claims, compact, header, keyOf, open, tagOf, validToken } from "../support/forge.ts"

const refused = (text: string) => tagOf(open(text))
const [head, body, signature] = validToken().split(".") as [string, string, string]
const payload = (text: string | Buffer) => refused(compact(header(), text))
const withHeader = (text: string | Buffer) => refused(compact(text, claims()))
const good = JSON.stringify(claims())
const goodHeader = JSON.stringify(header())
/** The valid payload with one member written by hand, in JSON that no object could hold. */
const spliced = (member: string) => payload(`${good.slice(0, -1)},${member}}`)

describe("form", () => {
  const jwe = `${Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString("base64url")}..AAAA.AAAA.AAAA`
  const bomb = Buffer.from(
    '{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":1000000000,"p2s":"AA","zip":"DEF"}',
  )
  test("A14 nothing is inflated or decrypted", () => {
    expect(refused(compact(header({ zip: "DEF" }), claims()))).toBe("header")
    expect(refused(jwe)).toBe("format")
    expect(refused(`${bomb.toString("base64url")}.AAAA.AAAA.AAAA.AAAA`)).toBe("format")
    expect(refused(`${bomb.toString("base64url")}.AAAA.${signature}`)).toBe("alg")
    expect(payload(validToken())).toBe("json")
  })

  test.each([
    ["flattened", { protected: head, payload: body, signature }],
    ["general", { payload: body, signatures: [{ protected: head, signature }] }],
    [
      "two signatures",
      {
        payload: body,
        signatures: [
          { protected: head, signature: "AAAA" },
          { protected: head, signature },
        ],
      },
    ],
  ])("A15 the JSON serialisation is not read: %s", (_what, value) => {
    expect(refused(JSON.stringify(value))).toBe("format")
  })

  const spellings: [string, (part: string) => string][] = [
    ["padding", (part) => `${part}=`],
    ["double padding", (part) => `${part}==`],
    ["a space inside", (part) => `${part.slice(0, 8)} ${part.slice(8)}`],
    ["a trailing newline", (part) => `${part}\n`],
    ["a carriage return", (part) => `${part}\r`],
    ["a tab in front", (part) => `\t${part}`],
    ["a character outside the alphabet", (part) => `${part.slice(0, -1)}!`],
    ["a star more", (part) => `${part}*`],
    ["a wide character", (part) => `${part}Ā`],
    ["NUL", (part) => `${part}\0`],
    ["nothing", () => ""],
  ]
  test.each(spellings)("A16 %s in any part is refused", (_what, spell) => {
    expect(refused(`${spell(head)}.${body}.${signature}`)).toBe("format")
    expect(refused(`${head}.${spell(body)}.${signature}`)).toBe("format")
    expect(refused(`${head}.${body}.${spell(signature)}`)).toBe("format")
  })

  test("A16 the alphabet of base64 is not ours", () => {
    let seen = 0
    for (let tried = 0; seen < 2 && tried < 500; tried += 1) {
      const [one, two, three] = validToken().split(".") as [string, string, string]
      if (!/[-_]/.test(three)) continue
      seen += 1
      expect(refused(`${one}.${two}.${three.replace("-", "+").replace("_", "/")}`)).toBe("format")
    }
    expect(seen).toBe(2)
  })

  test("A16 of all last characters one is the signature's", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    const accepted = [...alphabet].filter(
      (last) => refused(`${head}.${body}.${signature.slice(0, -1)}${last}`) === "accepted",
    )
    expect(accepted).toEqual([signature.at(-1)])
  })

  test.each([
    ["a leading dot", `.${head}.${body}.${signature}`],
    ["a trailing dot", `${head}.${body}.${signature}.`],
    ["four parts", `${head}.${body}.${signature}.${signature}`],
    ["two parts", `${head}.${body}`],
    ["one part", head],
    ["dots alone", ".."],
    ["nothing", ""],
    ["a scheme left in front", `Bearer ${head}.${body}.${signature}`],
  ])("A16 %s is refused", (_what, text) => {
    expect(refused(text)).toBe("format")
  })
})

describe("JSON", () => {
  test.each(["exp", "aud", "authorization_details", "ex\\u0070"])(
    "A19 %s twice in the payload is refused",
    (name) => {
      expect(spliced(`"${name}":1`)).toBe("json_duplicate")
    },
  )

  test("A19 alg twice in the header is refused, whichever comes last", () => {
    expect(withHeader(`{"alg":"none",${goodHeader.slice(1)}`)).toBe("json_duplicate")
    expect(withHeader(`${goodHeader.slice(0, -1)},"al\\u0067":"none"}`)).toBe("json_duplicate")
  })

  test.each(["__proto__", "constructor", "prototype"])(
    "A20 a member %s is refused wherever it stands",
    (name) => {
      expect(spliced(`"${name}":{"admin":true}`)).toBe("json_member")
      expect(withHeader(`${goodHeader.slice(0, -1)},"${name}":{"admin":true}}`)).toBe("json_member")
      expect(spliced(`"cnf":{"jkt":"x","${name}":{}}`)).toBe("json_member")
    },
  )

  test("A20 a member toString is unknown; no prototype was changed by any of this", () => {
    expect(spliced('"toString":1')).toBe("claims")
    const polluting = compact(header(), `${good.slice(0, -1)},"__proto__":{"admin":true}}`)
    for (let round = 0; round < 10_000; round += 1) open(polluting)
    expect(Reflect.get({}, "admin")).toBeUndefined()
  })

  const raw = (hex: string) =>
    Buffer.concat([Buffer.from(`${good.slice(0, -1)},"x":"`), Buffer.from(hex, "hex"), Buffer.from('"}')])
  test.each([
    ["a byte order mark", Buffer.concat([Buffer.from("efbbbf", "hex"), Buffer.from(good)])],
    ["UTF-16", Buffer.from(good, "utf16le")],
    ["an overlong sequence", raw("c0af")],
    ["a byte that starts nothing", raw("ff")],
    ["a surrogate in UTF-8", raw("eda080")],
    ["a raw NUL", raw("00")],
  ])("A21 %s is refused", (_what, bytes) => {
    expect(payload(bytes)).toBe("json")
  })

  test.each(['"\\ud800"', "1e400", "-0", "1.0", "1e3", "9007199254740993", "0x10", "1_000", "+1", ".5"])(
    "A21 %s is no value",
    (value) => {
      expect(spliced(`"x":${value}`)).toBe("json")
      expect(withHeader(`${goodHeader.slice(0, -1)},"x":${value}}`)).toBe("json")
    },
  )

  test("A21 a number of a million digits is too large to look at", () => {
    expect(spliced(`"x":${"1".repeat(1_000_000)}`)).toBe("size")
  })

  test.each(["[]", '"text"', "null", "7", "true"])("A23 the payload %s is no claims set", (text) => {
    expect(payload(text)).toBe("json")
    expect(withHeader(text)).toBe("json")
  })

  test("A23 white space alone is no claims set", () => {
    expect(payload(" ")).toBe("json")
  })
})

describe("size", () => {
  test.each([9, 2000, 5000, 1_000_000])("A22 %d levels are refused", (depth) => {
    expect(payload("[".repeat(depth) + "]".repeat(depth))).toBe("size")
    expect(payload(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`)).toBe("size")
  })

  test.each([
    ["a header of 1 MB", () => compact(header({ x: "x".repeat(1_048_576) }), claims())],
    ["a list of 100,000", () => compact(header(), claims({ aud: Array(100_000).fill("x") }))],
    ["one byte over 6 KiB", () => "x".repeat(6145)],
    ["16 MB", () => "x".repeat(16_777_216)],
  ])("A22 %s is refused for its size, before any key is looked for", (_what, make) => {
    let asked = 0
    const opened = openTaskToken(make(), (kid) => {
      asked += 1
      return keyOf(kid)
    })
    expect([tagOf(opened), asked]).toEqual(["size", 0])
  })

  test("A22 a header over 1 KiB is refused in a token that is not", () => {
    expect(refused(compact(header({ x: "x".repeat(1024) }), {}))).toBe("size")
  })
})
