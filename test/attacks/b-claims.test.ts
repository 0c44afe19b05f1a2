// Tokens that we signed and that must not be taken all the same: catalogue B, times, audiences and names.
import { describe, expect, test } from "vitest"
import { taskTokenClaims } from "../../src/token/token.ts"
import { judgeToken } from "../../src/token/verify.ts"
import {
  API,
  claims,
  compact,
  header,
  ID,
  ISSUER,
  input,
  wrongMember as member,
  NOW,
  open,
  opened,
  signed,
  tagOf,
} from "../support/forge.ts"

const judged = (changes: Record<string, unknown>, now = NOW) => {
  const refusal = judgeToken(opened(signed(changes)).token, { issuer: ISSUER, audience: API, now })
  return refusal ? `${refusal.code} ${refusal.reason}` : "stands"
}

describe("time", () => {
  const exp = NOW + 600
  test.each([
    [exp - 1, "stands"],
    [exp, "stands"],
    [exp + 1, "stands"],
    [exp + 5, "stands"],
    [exp + 6, "token_expired expired"],
    [exp + 3600, "token_expired expired"],
  ])("B01 exp within 5 s of skew, not behind it: at %d", (now, answer) => {
    expect(judged({}, now)).toBe(answer)
  })

  const wrong = [
    undefined,
    null,
    "1790000600",
    -1,
    1790000600.5,
    2 ** 53,
    (NOW + 600) * 1000,
    NOW,
    NOW - 1,
    [exp],
    true,
  ]
  test.each(wrong)("B02 exp %j is no time", (value) => {
    expect(member({ exp: value })).toMatch(/^(claims exp|json undefined)$/)
  })

  test("B02 exp 1e400 and times in milliseconds throughout are refused", () => {
    const text = JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e400')
    expect(tagOf(open(compact(header(), text)))).toBe("json")
    const [iat, exp] = [NOW * 1000, NOW * 1000 + 600]
    expect(member({ iat, nbf: iat, exp })).toBe("claims iat")
  })

  test.each(["iat", "nbf"])("B02 %s that is missing, null, a text or negative is refused", (name) => {
    for (const value of [undefined, null, "1790000000", -1])
      expect(member({ [name]: value })).toMatch(/^claims (iat|nbf)/)
  })

  test("B03 more than 30 minutes are refused, whoever signed", () => {
    expect(member({ exp: NOW + 1800 })).toBe("accepted")
    expect(member({ exp: NOW + 1801 })).toBe("claims exp")
    expect(() => taskTokenClaims(input({ exp: NOW + 1801 }))).toThrow(TypeError)
  })

  test("B04 a token shorter than the policy's least is taken", () => {
    expect(member({ exp: NOW + 1 })).toBe("accepted")
    expect(judged({ exp: NOW + 30 }, NOW + 29)).toBe("stands")
  })

  test.each([
    [5, "stands"],
    [6, "token_invalid not_yet"],
    [3600, "token_invalid not_yet"],
  ])("B05 iat and nbf %d s ahead", (ahead, answer) => {
    const at = NOW + ahead
    expect(judged({ iat: at, nbf: at, exp: at + 600 })).toBe(answer)
  })

  test("B05 nbf alone ahead", () => {
    expect(judged({ nbf: NOW + 5 })).toBe("stands")
    expect(judged({ nbf: NOW + 6 })).toBe("token_invalid not_yet")
  })

  test("B05 nbf before iat is refused", () => {
    expect(member({ nbf: NOW - 1 })).toBe("claims nbf")
  })
})

describe("audience", () => {
  test.each([[[API]], [[API, "https://other.example"]], [[["x"]]], { a: API }, [[]], "", null, undefined, 7])(
    "B06 aud %j is not one text",
    (aud) => {
      expect(member({ aud })).toBe("claims aud")
    },
  )

  test("B06 a list of 1,000 is not one text", () => {
    expect(tagOf(open(signed({ aud: Array(1000).fill("x") })))).toMatch(/^(claims|size)$/)
  })

  test.each([
    ["another API", "https://deployments.internal.example"],
    ["a prefix", API.slice(0, -1)],
    ["a longer name", `${API}.evil.example`],
    ["a trailing slash", `${API}/`],
    ["another case", API.toUpperCase()],
    ["a look-alike letter", API.replace("e", "е")],
    ["a space", `${API} `],
    ["everything", "*"],
  ])("B06 B07 aud %s is not this API", (_what, aud) => {
    expect(judged({ aud })).toBe("token_invalid aud")
  })

  test("B07 the issuer is no API", () => {
    expect(member({ aud: ISSUER })).toBe("claims aud")
  })
})

describe("names and ids", () => {
  const wrong = [
    undefined,
    null,
    7,
    "",
    "x".repeat(5000),
    ID.task,
    ID.tok.toUpperCase(),
    `${ID.tok}\n`,
    [ID.tok],
    "tok_*",
  ]
  test.each(wrong)("B08 jti %j is none", (jti) => {
    expect(member({ jti })).toMatch(/^(claims jti|size undefined)$/)
  })

  test.each([undefined, null, 7, "", ID.tok, "task_1", `${ID.task}0`, { id: ID.task }])(
    "B09 txn %j is no task",
    (txn) => {
      expect(member({ txn })).toBe("claims txn")
    },
  )

  test.each(["iss", "aud", "client_id", "sub", "policy", "act", "scope", "authorization_details"])(
    "B09 a token without %s is refused",
    (name) => {
      expect(member({ [name]: undefined })).toMatch(/^claims/)
      expect(member({ [name]: null })).toBe(`claims ${name}`)
      expect(member({ [name]: "" })).toBe(`claims ${name}`)
    },
  )

  test.each([
    [
      "client_id",
      ["triage-bot/pod-7f3c", "Support", "people/ana", "a b", "x".repeat(64), ["support-orchestrator"]],
    ],
    ["sub", ["/ana", "people/", "Support", "people/ana\u202e", "a/b\0", 7]],
  ])("B16 %s is spelled so that it can't be taken for another kind of name", (name, values) => {
    for (const value of values) expect(member({ [name]: value })).toBe(`claims ${name}`)
  })

  test("B16 the orchestrator, the principal and the holder stay apart", () => {
    const { token } = opened(signed({ sub: "people/ana@example.com" }))
    expect(token).toMatchObject({
      clientId: "support-orchestrator",
      sub: "people/ana@example.com",
      act: { agent: "triage-bot", instance: "pod-7f3c" },
    })
  })
})
