import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { taskTokenClaims } from "../../src/token/token.ts"
import { judgeToken, judgeUse, openTaskToken } from "../../src/token/verify.ts"
import {
  API,
  compact,
  es256,
  header,
  ISSUER,
  input,
  keyOf,
  NOW,
  opened,
  RULE,
  tagOf,
  validToken,
} from "../support/forge.ts"

const grants = [
  {
    api: API,
    operations: ["tickets:read"],
    resources: [
      ["tickets", "*"],
      ["queues", "**"],
    ],
    rule: "a#/0",
  },
  { api: API, operations: ["tickets:close"], resources: [["tickets", "SUP-1042"]], rule: "a#/1" },
]
const { token } = opened(compact(header(), taskTokenClaims(input({ grants }))))

describe("a use", () => {
  test.each([
    ["tickets:read", ["tickets", "SUP-1042"], "a#/0"],
    ["tickets:read", ["tickets", "SUP-1"], "a#/0"],
    ["tickets:read", ["queues", "a", "b"], "a#/0"],
    ["tickets:close", ["tickets", "SUP-1042"], "a#/1"],
    ["tickets:close", ["tickets", "SUP-1"], "resource_not_granted"],
    ["tickets:close", ["queues", "a"], "resource_not_granted"],
    ["tickets:read", ["tickets"], "resource_not_granted"],
    ["tickets:read", ["queues"], "resource_not_granted"],
    ["tickets:read", ["tickets", "SUP-1042", "comments"], "resource_not_granted"],
    ["tickets:comment", ["tickets", "SUP-1042"], "operation_not_granted"],
    ["tickets:comment", ["tickets", ".."], "operation_not_granted"],
    ["tickets:read", ["tickets", ".."], "segment_invalid"],
    ["tickets:read", ["tickets", "*"], "segment_invalid"],
    ["tickets:read", ["tickets", "42/../43"], "segment_invalid"],
    ["tickets:read", ["tickets", "42\0"], "segment_invalid"],
    ["tickets:read", [], "segment_invalid"],
    ["tickets:read", ["queues", ...Array(31).fill("a")], "a#/0"],
    ["tickets:read", ["queues", ...Array(32).fill("a")], "segment_invalid"],
  ])("%s on %j: %s", (operation, resource, answer) => {
    const judged = judgeUse(token, operation, resource)
    expect(judged instanceof Refusal ? judged.code : judged.rule).toBe(answer)
  })
})

describe("a genuine token", () => {
  test("stands at its own API, at its own issuer, in its time", () => {
    expect(judgeToken(token, { issuer: ISSUER, audience: API, now: NOW })).toBeUndefined()
  })

  test("of another issuer is told so before anything else", () => {
    expect(judgeToken(token, { issuer: "https://x", audience: "https://y", now: 0 })?.reason).toBe("iss")
  })

  test("is genuine whatever its time and audience: that is judged, and recorded, apart", () => {
    const late = opened(compact(header(), taskTokenClaims(input({ iat: 1000, exp: 1300 }))))
    expect(judgeToken(late.token, { issuer: ISSUER, audience: API, now: NOW })?.code).toBe("token_expired")
  })
})

describe("opening", () => {
  test("asks for one key, by the header's kid, after the header was found good", () => {
    const asked: string[] = []
    const opening = openTaskToken(validToken(), (kid) => {
      asked.push(kid)
      return keyOf(kid)
    })
    expect([tagOf(opening), asked]).toEqual(["accepted", [es256.kid]])
  })

  test("a key that can't be had is told apart from a signature that does not hold", () => {
    expect(tagOf(openTaskToken(validToken(), () => undefined))).toBe("kid")
    const text = compact(header(), taskTokenClaims(input({ exp: NOW + 601 })))
    const forged = `${text.slice(0, text.lastIndexOf("."))}.${validToken().split(".")[2]}`
    expect(tagOf(openTaskToken(forged, keyOf))).toBe("signature")
  })

  test("claims are read only after the signature held", () => {
    const text = compact(header(), { iss: ISSUER })
    expect(tagOf(openTaskToken(text, keyOf))).toBe("claims")
    const unsigned = `${text.slice(0, text.lastIndexOf("."))}.${validToken().split(".")[2]}`
    expect(tagOf(openTaskToken(unsigned, keyOf))).toBe("signature")
  })

  test("the rule that grants is the policy's", () => {
    expect(judgeUse(opened(validToken()).token, "tickets:read", ["tickets", "SUP-1042"])).toMatchObject({
      rule: RULE,
    })
  })
})
