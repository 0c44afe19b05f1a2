import { describe, expect, test } from "vitest"
import { openServiceToken, serviceTokenClaims, signServiceToken } from "../../src/token/service-token.ts"
import { claims, compact, es256, header, ID, ISSUER, keyOf, NOW, stranger, tagOf } from "../support/forge.ts"

const base = {
  iss: ISSUER,
  clientId: "tickets",
  jti: ID.tok,
  iat: NOW,
  scope: ["uses:write", "revocations:read"],
}
const jkt = es256.thumbprint
const openAt = (text: string, now = NOW, issuer = ISSUER) => openServiceToken(text, keyOf, { issuer, now })
const changed = (changes: Record<string, unknown>) => {
  const all = Object.entries({ ...serviceTokenClaims(base), ...changes }).filter(
    ([, value]) => value !== undefined,
  )
  return tagOf(openAt(compact(header(), Object.fromEntries(all))))
}

describe("a service token", () => {
  test("is read back by the issuer as it was given out, for five minutes", () => {
    expect(openAt(signServiceToken(serviceTokenClaims(base), es256))).toEqual({ ...base, exp: NOW + 300 })
    expect(openAt(signServiceToken(serviceTokenClaims({ ...base, jkt }), es256))).toMatchObject({ jkt })
  })

  test("is for the issuer, and has no member of a task in it", () => {
    expect(serviceTokenClaims({ ...base, jkt })).toEqual({
      iss: ISSUER,
      aud: ISSUER,
      sub: "tickets",
      client_id: "tickets",
      jti: ID.tok,
      iat: NOW,
      exp: NOW + 300,
      scope: "uses:write revocations:read",
      cnf: { jkt },
    })
  })

  test("of a person names them, is bound, and ends when they would have to sign in again", () => {
    const person = { name: "people/lea@example.com", until: NOW + 100 }
    const text = signServiceToken(serviceTokenClaims({ ...base, jkt, person }), es256)
    expect(openAt(text)).toEqual({ ...base, jkt, person: person.name, exp: NOW + 100 })
    const claimed = { person: person.name, cnf: { jkt } }
    expect(changed(claimed)).toBe("accepted")
    expect(changed({ ...claimed, cnf: undefined })).toBe("claims")
    for (const name of ["lea", "", 7, "people/", { name: "people/lea" }])
      expect(changed({ ...claimed, person: name })).toBe("claims")
    for (const member of ["txn", "act"]) expect(changed({ ...claimed, [member]: "x" })).toBe("claims")
  })

  test("without scopes has no scope claim", () => {
    const text = signServiceToken(serviceTokenClaims({ ...base, scope: [] }), es256)
    expect(openAt(text)).toMatchObject({ scope: [] })
  })

  test.each([
    [-6, "not_yet"],
    [-5, "accepted"],
    [305, "accepted"],
    [306, "expired"],
  ])("%d s after it was given out: %s", (after, tag) => {
    expect(tagOf(openAt(signServiceToken(serviceTokenClaims(base), es256), NOW + after))).toBe(tag)
  })

  test("of another issuer, or by another key, is refused", () => {
    const text = signServiceToken(serviceTokenClaims(base), es256)
    expect(tagOf(openAt(text, NOW, "https://other.internal"))).toBe("iss")
    expect(tagOf(openAt(signServiceToken(serviceTokenClaims(base), stranger)))).toBe("kid")
    expect(tagOf(openAt(compact(header(), serviceTokenClaims(base), stranger)))).toBe("signature")
  })

  test("of a key whose algorithm is another is refused", () => {
    expect(tagOf(openAt(compact(header({ alg: "EdDSA" }), serviceTokenClaims(base))))).toBe("alg")
  })

  test("a task token is none", () => {
    expect(tagOf(openAt(compact(header(), claims())))).toBe("claims")
  })

  test.each<[string, Record<string, unknown>]>([
    ["for an API", { aud: "https://tickets.internal.example" }],
    ["for a list", { aud: [ISSUER] }],
    ["with a task", { txn: ID.task }],
    ["with a holder", { act: { sub: "a/b" } }],
    ["with rights", { authorization_details: [] }],
    ["of two callers", { sub: "deployments" }],
    ["without a caller", { sub: undefined, client_id: undefined }],
    ["with an id of another kind", { jti: ID.task }],
    ["of more than 5 minutes", { exp: NOW + 301 }],
    ["without an end", { exp: undefined }],
    ["that ends as it begins", { exp: NOW }],
    ["without a beginning", { iat: undefined }],
    ["with an empty scope", { scope: "" }],
    ["with a scope twice", { scope: "a a" }],
    ["with two spaces in its scope", { scope: "a  b" }],
    ["with a list for a scope", { scope: ["a"] }],
    ["with another confirmation", { cnf: { "x5t#S256": jkt } }],
    ["with two confirmations", { cnf: { jkt, jku: "x" } }],
  ])("%s is refused", (_what, changes) => {
    expect(changed(changes)).toBe("claims")
  })
})
