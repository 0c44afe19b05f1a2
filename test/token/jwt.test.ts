import { compactVerify, SignJWT } from "jose"
import { describe, expect, test } from "vitest"
import { digestOf, readJwt, signedLength, signJwt, Unreadable } from "../../src/token/jwt.ts"
import { publicHalf, verifySignature } from "../../src/token/signature.ts"
import { eddsa, es256, tagOf } from "../support/forge.ts"

const rules = { typ: ["x+jwt", undefined], header: ["typ", "kid"], maxLength: 2000 } as const

describe.each([
  ["ES256", es256],
  ["EdDSA", eddsa],
])("%s", (alg, key) => {
  test("what we sign, another implementation verifies", async () => {
    const text = signJwt({ typ: "x+jwt", kid: key.kid }, { a: "ä", n: 1 }, key)
    const { payload, protectedHeader } = await compactVerify(text, publicHalf(key).key)
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual({ a: "ä", n: 1 })
    expect(protectedHeader).toEqual({ typ: "x+jwt", alg, kid: key.kid })
  })

  test("what we sign, we read back, with the exact bytes that were signed", () => {
    const jwt = readJwt(signJwt({ typ: "x+jwt" }, { a: "ä" }, key), rules)
    if (jwt instanceof Unreadable) throw new Error(jwt.tag)
    expect({ ...jwt.payload }).toEqual({ a: "ä" })
    expect(jwt.header).toEqual({ typ: "x+jwt", alg })
    expect(verifySignature(publicHalf(key), jwt.signingInput, jwt.signature)).toBe(true)
  })

  test("the length is known before signing", () => {
    for (const a of ["", "a", "ab", "abc", "ä"]) {
      const header = { typ: "x+jwt", kid: key.kid }
      expect(signedLength(header, JSON.stringify({ a }))).toBe(signJwt(header, { a }, key).length)
    }
  })
})

test("what another implementation signs, we read", async () => {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ])
  const text = await new SignJWT({ a: 1 }).setProtectedHeader({ alg: "ES256" }).sign(privateKey)
  expect(tagOf(readJwt(text, rules))).toBe("accepted")
})

test("each place allows its own header members and types", () => {
  const text = signJwt({ typ: "y+jwt", kid: "k" }, {}, es256)
  expect(tagOf(readJwt(text, rules))).toBe("typ")
  expect(tagOf(readJwt(text, { ...rules, typ: ["y+jwt"] }))).toBe("accepted")
  expect(tagOf(readJwt(text, { ...rules, typ: ["y+jwt"], header: ["typ"] }))).toBe("header")
  expect(tagOf(readJwt(signJwt({ typ: "x+jwt", jwk: es256.publicJwk }, {}, es256), rules))).toBe("header")
  expect(tagOf(readJwt(text, { ...rules, maxLength: text.length - 1 }))).toBe("size")
})

test("a header is judged for itself at each place, whatever was read there and elsewhere before", () => {
  const strict = { ...rules, typ: ["x+jwt"], header: ["typ"] }
  const headers = [{ typ: "x+jwt", kid: "k" }, { typ: "x+jwt" }, { typ: "y+jwt" }, { typ: "x+jwt", kid: "l" }]
  const expected = [
    { lax: "k", strict: "header" },
    { lax: undefined, strict: undefined },
    { lax: "typ", strict: "typ" },
    { lax: "l", strict: "header" },
  ]
  const kidOf = (text: string, by: typeof strict | typeof rules) => {
    const jwt = readJwt(text, by)
    return jwt instanceof Unreadable ? jwt.tag : jwt.header.kid
  }
  for (let round = 0; round < 3; round++)
    for (const [at, header] of headers.entries()) {
      const text = signJwt(header, { round }, es256)
      for (let again = 0; again < 2; again++)
        expect({ lax: kidOf(text, rules), strict: kidOf(text, strict) }).toEqual(expected[at])
    }
})

test("why something is unreadable shows nothing of it", () => {
  const text = signJwt({ typ: "x+jwt", kid: "k" }, { secret: "hunter2" }, es256)
  expect(JSON.stringify(readJwt(`${text}x.`, rules))).not.toContain("hunter2")
})

test("a digest is SHA-256 in base64url, with its name in front", () => {
  expect(digestOf("")).toBe("sha-256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
})
