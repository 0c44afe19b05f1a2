// A body as it is read, whatever its sender says about it.
import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { readBody, readForm, readJson } from "../../src/issuer/body.ts"

const LIMIT = 10
const TYPE = "text/plain"
const read = async (body: string | Uint8Array, headers: Record<string, string> = {}) => {
  const asked = { method: "POST", body, headers: { "content-type": TYPE, ...headers } }
  const text = await readBody(new Request("https://taskmint.internal/x", asked), TYPE, LIMIT)
  return text instanceof Refusal ? text.code : text
}

describe("of a body", () => {
  test.each<[string, string, Record<string, string>?]>([
    ["without a length", "x".repeat(LIMIT)],
    ["with its length", "x".repeat(LIMIT), { "content-length": "10" }],
    ["in UTF-8, said so", "ä", { "content-type": 'Text/Plain; charset="UTF-8"' }],
    ["in no coding, said so", "x", { "content-encoding": "Identity" }],
  ])("%s all is read", async (_what, body, headers) => {
    expect(await read(body, headers)).toBe(body)
  })

  test.each<[string, string, string | Uint8Array, Record<string, string>?]>([
    ["longer than may be", "body_too_large", "x".repeat(LIMIT + 1)],
    ["said to be longer", "body_too_large", "x", { "content-length": "11" }],
    ["longer than it was said to be", "body_too_large", "x".repeat(LIMIT + 1), { "content-length": "1" }],
    ["of a length that is none", "invalid_request", "x", { "content-length": "-1" }],
    ["of a length in another spelling", "invalid_request", "x", { "content-length": "1e1" }],
    ["of another type", "unsupported_media_type", "x", { "content-type": "text/plainer" }],
    ["of another charset", "unsupported_media_type", "x", { "content-type": "text/plain; charset=utf-7" }],
    ["in a coding", "unsupported_media_type", "x", { "content-encoding": "gzip" }],
    ["that is not UTF-8", "invalid_request", Uint8Array.of(0xff)],
  ])("%s nothing is: %s", async (_what, code, body, headers) => {
    expect(await read(body, headers)).toBe(code)
  })
})

test.each([
  [8, false],
  [9, true],
])("JSON of %i levels is refused: %s", (levels, refused) => {
  expect(readJson(`${"[".repeat(levels)}${"]".repeat(levels)}`) instanceof Refusal).toBe(refused)
})

test("a form names each parameter once", () => {
  expect(readForm("a=1&b=2")).toEqual(new Map(Object.entries({ a: "1", b: "2" })))
  expect(readForm("a=1&%61=1")).toMatchObject({ code: "invalid_request" })
})
