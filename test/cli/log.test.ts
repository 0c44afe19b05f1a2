import { Writable } from "node:stream"
import { describe, expect, test } from "vitest"
import { withoutTokens } from "../../src/cli/escape.ts"
import { createLog } from "../../src/cli/log.ts"

const JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl"

function logged(write: (log: ReturnType<typeof createLog>) => void): string {
  let text = ""
  const destination = new Writable({
    write(part, _encoding, done) {
      text += String(part)
      done()
    },
  })
  write(createLog(destination))
  return text
}

describe("a token never enters the log", () => {
  const error = Object.assign(new Error(`could not use ${JWT}`), {
    request: { headers: { authorization: `Bearer ${JWT}` }, body: `subject_token=${JWT}` },
    cause: Object.assign(new Error("inner"), { config: { privateJwk: { d: "secret-d" } } }),
  })
  const ways: Record<string, (log: ReturnType<typeof createLog>) => void> = {
    "in a message": (log) => log.info(`got ${JWT}`),
    "in a header": (log) => log.info({ headers: { authorization: `Bearer ${JWT}` } }, "x"),
    "in a URL": (log) => log.info({ url: `/x?token=${JWT}` }, "x"),
    "in an error, its members and its cause": (log) => log.error({ err: error }, "fault"),
    "percent-encoded": (log) => log.info({ body: `token=${JWT.replaceAll(".", "%2E")}` }, "x"),
    "cut off": (log) => log.info(JWT.slice(0, 40)),
  }
  for (const [way, write] of Object.entries(ways))
    test(way, () => {
      const text = logged(write)
      expect(text).not.toMatch(/eyJ|c2lnbmF0|secret-d/)
      expect(() => JSON.parse(text)).not.toThrow()
    })

  test("what it was about stays readable", () => {
    expect(logged((log) => log.error({ err: error }, "fault"))).toMatch(/could not use \[token\].*inner/)
  })
})

describe("members that hold secrets are taken out by name", () => {
  for (const name of [
    "authorization",
    "dpop",
    "access_token",
    "client_assertion",
    "privateJwk",
    "d",
    "cookie",
  ])
    test(name, () => {
      expect(
        logged((log) =>
          log.info({ [name]: "opaque", a: { [name]: "opaque", b: { [name]: "opaque" } } }, "x"),
        ),
      ).not.toContain("opaque")
    })
})

test("one record stays one line, whatever is in it", () => {
  expect(logged((log) => log.info({ agent: "a\nb\u001b[2J" }, "x\r\ny")).trimEnd()).not.toMatch(
    /[\r\n\u001b]/,
  )
  expect(withoutTokens("no token here")).toBe("no token here")
})
