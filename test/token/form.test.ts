// What a JWT looks like in other text, for whoever takes tokens out and whoever looks for them.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { nextJwt, withoutJwtHeaders, withoutJwts } from "../../src/token/form.ts"
import { validToken } from "../support/forge.ts"

const token = validToken()
const [header = "", payload = "", signature = ""] = token.split(".")

describe("a JWT is found", () => {
  test.each([
    ["by itself", token],
    ["between other text", `Bearer ${token}, and more`],
    ["right behind an escaped space", `Bearer%20${token}`],
    ["right behind an escaped line end", `"a\\n${token}\\n"`],
    ["with dots as a URL spells them", `t=${token.replaceAll(".", "%2E")}&u=1`],
    ["with dots as a URL in a URL spells them", `t=${token.replaceAll(".", "%252e")}%26u`],
    ["with dots as JSON may spell them", `"${token.replaceAll(".", "\\u002E")}"`],
  ])("%s", (_, text) => {
    expect(nextJwt(text)).toMatchObject({ header, payload, signature })
    expect(withoutJwts(text, "")).not.toMatch(/eyJ|[\w-]{40}/)
  })

  test.each<[string, string, object]>([
    ["in its header", header.slice(0, 20), { header: header.slice(0, 20), payload: undefined }],
    ["behind its header", `${header}.`, { header, payload: "", signature: undefined }],
    [
      "in its payload",
      `${header}.${payload.slice(0, 30)}`,
      { payload: payload.slice(0, 30), signature: undefined },
    ],
    ["in its signature", token.slice(0, -9), { payload, signature: signature.slice(0, -9) }],
  ])("cut short %s", (_, text, found) => {
    expect(nextJwt(`x ${text} y`)).toMatchObject({ from: 2, to: 2 + text.length, ...found })
    expect(withoutJwtHeaders(`x ${text} y`, "[token]")).toBe("x [token] y")
  })
})

test("other text is none, and stays", () => {
  for (const text of ["", "eyJ", "eyJabc.def.ghi", "the eyJ of the storm", "{}"]) {
    expect(nextJwt(text)).toBeUndefined()
    expect(withoutJwtHeaders(text, "")).toBe(text)
  }
  expect(withoutJwts(`${header} alone`, "")).toBe(`${header} alone`)
})

test("each of many is found, whatever stands between", () => {
  const between = fc.stringMatching(/^[^\w%\\.-]{1,9}$/)
  fc.assert(
    fc.property(fc.array(between, { minLength: 1, maxLength: 8 }), (texts) => {
      expect(withoutJwts(texts.join(token), "!")).toBe(texts.join("!"))
    }),
    { seed: 11, numRuns: 200 },
  )
})
