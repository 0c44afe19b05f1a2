// Callers who say that they are somebody: catalogue E, as far as the assertion alone decides it.
import { describe, expect, test } from "vitest"
import { judgeAssertion, readClientAssertion, signClientAssertion } from "../../src/token/assertion.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { publicHalf } from "../../src/token/signature.ts"
import { compact, eddsa, es256, ISSUER, NOW, stranger, tagOf } from "../support/forge.ts"

const body = { iss: "tickets", sub: "tickets", aud: ISSUER, jti: "j1", iat: NOW, exp: NOW + 60 }
const keySets = [
  new Map([es256].map((key) => [key.kid, publicHalf(key)])),
  new Map([[eddsa.kid, publicHalf(eddsa)]]),
]
const head = (changes: object = {}) => ({
  typ: "client-authentication+jwt",
  alg: "ES256",
  kid: es256.kid,
  ...changes,
})
const here = { issuer: ISSUER, now: NOW, keySets }

function judged(text: string, more: object = {}): string {
  const read = readClientAssertion(text)
  if (read instanceof Unreadable) return read.member ?? read.tag
  const refusal = judgeAssertion(read, { ...here, ...more })
  expect(refusal?.code ?? "invalid_client").toBe("invalid_client")
  return refusal?.reason ?? "stands"
}
const changed = (changes: object, more: object = {}) => judged(compact(head(), { ...body, ...changes }), more)

describe("an assertion", () => {
  test.each([
    ["ES256", es256],
    ["EdDSA", eddsa],
  ])("that we sign stands (%s)", (_alg, key) => {
    const text = signClientAssertion({ clientId: "tickets", issuer: ISSUER, jti: "j1", now: NOW }, key)
    expect(judged(text)).toBe("stands")
    expect(judged(text, { clientId: "tickets" })).toBe("stands")
    expect(readClientAssertion(text)).toMatchObject({
      clientId: "tickets",
      jti: "j1",
      iat: NOW,
      exp: NOW + 60,
    })
  })

  test("without a key id is tried with the caller's keys of its algorithm", () => {
    expect(judged(compact(head({ kid: undefined }), body))).toBe("stands")
    expect(judged(compact(head({ kid: undefined }), body, stranger))).toBe("signature")
  })

  test("E01 has the same jti and name as its twins, which are for the database to tell", () => {
    const [one, other] = [0, 1].map(() => readClientAssertion(compact(head(), body)))
    expect(one).toMatchObject({ clientId: "tickets", jti: "j1" })
    expect(other).toMatchObject({ clientId: "tickets", jti: "j1" })
    const text = compact(head(), body)
    for (const spelled of [`${text}=`, `${text}\n`, ` ${text}`]) expect(judged(spelled)).toBe("format")
  })

  test.each([undefined, null, "", 7, ["j"], "x".repeat(257), "a\u202eb"])("E02 jti %j is refused", (jti) => {
    expect(changed({ jti })).toBe("jti")
  })

  test("E02 a jti of 1 MB is refused for its size", () => {
    expect(changed({ jti: "x".repeat(1_048_576) })).toBe("size")
  })

  test.each([
    ["no exp", { exp: undefined }, "exp"],
    ["exp null", { exp: null }, "exp"],
    ["exp as text", { exp: String(NOW + 60) }, "exp"],
    ["exp 2^53", { exp: 2 ** 53 }, "json"],
    ["exp in 2300", { exp: 2 ** 34 }, "exp"],
    ["exp over 5 minutes ahead", { iat: undefined, exp: NOW + 306 }, "exp"],
    ["exp 5 minutes and skew ahead", { iat: undefined, exp: NOW + 305 }, "stands"],
    ["a life over 5 minutes", { iat: NOW - 60, exp: NOW + 241 }, "iat"],
    ["a life of 5 minutes", { iat: NOW - 60, exp: NOW + 240 }, "stands"],
    ["an end within skew", { iat: NOW - 60, exp: NOW - 5 }, "stands"],
    ["an end behind it", { iat: NOW - 60, exp: NOW - 6 }, "expired"],
    ["iat an hour old", { iat: NOW - 3600 }, "iat"],
    ["iat ahead within skew", { iat: NOW + 5 }, "stands"],
    ["iat ahead", { iat: NOW + 6 }, "iat"],
    ["nbf ahead", { nbf: NOW + 6 }, "nbf"],
    ["no iat", { iat: undefined }, "stands"],
    ["iat as text", { iat: "x" }, "iat"],
  ])("E03 %s", (_what, changes, answer) => {
    expect(changed(changes)).toBe(answer)
  })

  test("E03 exp 1e400 is refused", () => {
    expect(judged(compact(head(), JSON.stringify(body).replace(/"exp":\d+/, '"exp":1e400')))).toBe("json")
  })

  const audiences = [
    `${ISSUER}/token`,
    [ISSUER],
    [ISSUER, "https://other.example"],
    "https://other.example",
    ISSUER.slice(0, -1),
  ]
  test.each([...audiences, `${ISSUER}/`, ISSUER.toUpperCase(), undefined, null, "", { a: ISSUER }])(
    "E04 aud %j is refused",
    (aud) => {
      expect(changed({ aud })).toBe("aud")
    },
  )

  test.each([
    ["iss is not sub", { iss: "deployments" }],
    ["no iss", { iss: undefined }],
    ["no sub", { sub: undefined }],
    ["a list for sub", { iss: ["tickets"], sub: ["tickets"] }],
    ["a name that no policy has", { iss: "../tickets", sub: "../tickets" }],
  ])("E05 %s is refused", (_what, changes) => {
    expect(changed(changes)).toBe("sub")
  })

  test("E05 a client_id beside it that says otherwise is refused", () => {
    expect(judged(compact(head(), body), { clientId: "deployments" })).toBe("client_id")
  })

  test.each(["none", "HS256", "RS256", "PS256", "ES384"])("E06 alg %s is refused", (alg) => {
    expect(judged(compact(head({ alg }), body))).toBe("alg")
  })

  test("E06 a key that is not this caller's is refused, whatever it is called", () => {
    expect(judged(compact(head({ kid: stranger.kid }), body, stranger))).toBe("kid")
    expect(judged(compact(head(), body, stranger))).toBe("signature")
    expect(judged(compact(head({ kid: eddsa.kid }), body))).toBe("kid")
    expect(judged(compact(head({ jwk: stranger.publicJwk }), body, stranger))).toBe("header")
    expect(judged(compact(head(), body), { keySets: [] })).toBe("kid")
  })

  test.each(["at+jwt", "dpop+jwt", "use-batch+jwt", "jwt", "", "application/client-authentication+jwt"])(
    "E07 typ %j is another kind",
    (typ) => {
      expect(judged(compact(head({ typ }), body))).toBe("typ")
    },
  )

  test.each(["client-authentication+jwt", "JWT", undefined])("E07 typ %j is taken", (typ) => {
    expect(judged(compact(head({ typ }), body))).toBe("stands")
  })

  test("the reasons stay inside: an unreadable one shows no piece of itself", () => {
    expect(tagOf(readClientAssertion("a.b.c"))).toBe("format")
    expect(JSON.stringify(readClientAssertion(compact(head(), { ...body, jti: 7 })))).not.toContain("tickets")
  })
})
