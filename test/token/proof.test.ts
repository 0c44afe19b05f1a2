import { describe, expect, test } from "vitest"
import { Unreadable } from "../../src/token/jwt.ts"
import { accessTokenHash, judgeProof, type Proof, readProof, signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { compact, eddsa, es256, NOW, stranger, tagOf } from "../support/forge.ts"

const url = "https://tickets.internal.example/tickets/SUP-1042"
const { kty, crv, x, y } = es256.publicJwk
const jwk = { kty, crv, x, y }
const body = { jti: "j1", htm: "GET", htu: url, iat: NOW }
const forged = (head: object, payload: object = body, key = es256) =>
  tagOf(readProof(compact({ typ: "dpop+jwt", alg: key.alg, jwk, ...head }, payload, key)))

function read(text: string): Proof {
  const proof = readProof(text)
  if (proof instanceof Unreadable) throw new Error(proof.tag)
  return proof
}

describe("reading a proof (RFC 9449 section 4.3, 2 to 7)", () => {
  test.each([
    ["ES256", es256],
    ["EdDSA", eddsa],
  ])("what we make is read back (%s)", (_alg, key) => {
    const made = signProof(
      { method: "GET", url: `${url}?a=1#b`, accessToken: "t", nonce: "n", now: NOW },
      key,
    )
    expect(read(made)).toMatchObject({
      jkt: key.thumbprint,
      htm: "GET",
      htu: url,
      iat: NOW,
      ath: accessTokenHash("t"),
      nonce: "n",
    })
  })

  test("every proof has a jti of its own", () => {
    const made = Array.from(
      { length: 100 },
      () => read(signProof({ method: "GET", url, now: NOW }, es256)).jti,
    )
    expect(new Set(made).size).toBe(100)
  })

  test("a bare key is enough, and its thumbprint is what binds", () => {
    expect(forged({})).toBe("accepted")
    expect(read(compact({ typ: "dpop+jwt", alg: "ES256", jwk }, body)).jkt).toBe(es256.thumbprint)
  })

  test.each<[string, object, string]>([
    ["no typ", { typ: undefined }, "typ"],
    ["another typ", { typ: "JWT" }, "typ"],
    ["alg none", { alg: "none" }, "alg"],
    ["an HMAC", { alg: "HS256" }, "alg"],
    ["the other algorithm", { alg: "EdDSA" }, "alg"],
    ["no key", { jwk: undefined }, "key"],
    ["a key as text", { jwk: JSON.stringify(jwk) }, "key"],
    ["a private key", { jwk: generatePrivateJwk("ES256") }, "key"],
    ["a symmetric key", { jwk: { kty: "oct", k: "AAAA" } }, "key"],
    ["an RSA key", { jwk: { kty: "RSA", n: "AQAB", e: "AQAB" } }, "key"],
    ["another's key", { jwk: stranger.publicJwk }, "signature"],
    ["a kid", { kid: es256.kid }, "header"],
    ["a jku", { jku: "https://evil.example" }, "header"],
  ])("%s is refused", (_what, head, tag) => {
    expect(forged(head)).toBe(tag)
  })

  test.each<[string, object]>([
    ["no jti", { jti: undefined }],
    ["an empty jti", { jti: "" }],
    ["a jti over 256", { jti: "x".repeat(257) }],
    ["a number for jti", { jti: 1 }],
    ["no htm", { htm: undefined }],
    ["no htu", { htu: undefined }],
    ["no iat", { iat: undefined }],
    ["a text for iat", { iat: String(NOW) }],
    ["an ath that is no hash", { ath: "x" }],
    ["a padded ath", { ath: `${accessTokenHash("t")}=` }],
    ["a nonce that is no text", { nonce: 1 }],
  ])("%s is refused", (_what, changes) => {
    expect(forged({}, { ...body, ...changes })).toBe("claims")
  })

  test("a fraction of a second is refused, 5 KB are refused", () => {
    expect(forged({}, { ...body, iat: NOW + 0.5 })).toBe("json")
    expect(forged({}, { ...body, more: "x".repeat(5000) })).toBe("size")
  })
})

describe("judging a proof (RFC 9449 section 4.3, 8 to 12)", () => {
  const proof = (changes: object = {}) =>
    read(compact({ typ: "dpop+jwt", alg: "ES256", jwk }, { ...body, ...changes }))
  const judged = (changes: object, here: object = {}) =>
    judgeProof(proof(changes), { method: "GET", url, now: NOW, ...here })?.reason ?? "stands"

  test.each([
    [61, "old"],
    [60, "stands"],
    [0, "stands"],
    [-10, "stands"],
    [-11, "not_yet"],
  ])("%d s old: %s", (age, answer) => {
    expect(judged({ iat: NOW - age })).toBe(answer)
  })

  test.each([
    ["the method in another case", { htm: "get" }, {}, "htm"],
    ["another method", { htm: "POST" }, {}, "htm"],
    ["HEAD for GET", { htm: "HEAD" }, {}, "htm"],
    ["the request's query", {}, { url: `${url}?a=1` }, "stands"],
    ["a query in the proof", { htu: `${url}?a=1` }, {}, "htu"],
    ["a fragment in the proof", { htu: `${url}#a` }, {}, "htu"],
    ["another host", { htu: url.replace("tickets.", "evil.") }, {}, "htu"],
    ["user information", { htu: url.replace("//", "//me@") }, {}, "htu"],
    ["http", { htu: url.replace("https", "http") }, {}, "htu"],
    ["another port", { htu: url.replace(".example", ".example:8443") }, {}, "htu"],
    ["the default port", { htu: url.replace(".example", ".example:443") }, {}, "stands"],
    ["the host in another case", { htu: url.replace("tickets.internal", "TICKETS.internal") }, {}, "stands"],
    ["the path in another case", { htu: url.replace("SUP", "sup") }, {}, "htu"],
    ["a trailing slash", { htu: `${url}/` }, {}, "htu"],
    ["an escaped letter", { htu: url.replace("SUP", "%53UP") }, {}, "htu"],
    ["a way around", { htu: url.replace("/tickets/SUP", "/tickets/../tickets/SUP") }, {}, "htu"],
    ["no URL", { htu: "tickets" }, {}, "htu"],
    ["the root without a slash", { htu: "https://a.example" }, { url: "https://a.example/" }, "stands"],
    ["another key than the token's", {}, { jkt: stranger.thumbprint }, "jkt"],
    ["the token's key", {}, { jkt: es256.thumbprint }, "stands"],
    ["no ath with a token", {}, { accessToken: "t" }, "ath"],
    ["the ath of another token", { ath: accessTokenHash("u") }, { accessToken: "t" }, "ath"],
    ["the token's ath", { ath: accessTokenHash("t") }, { accessToken: "t" }, "stands"],
  ])("%s", (_what, changes, here, answer) => {
    expect(judged(changes, here)).toBe(answer)
  })

  test("the refusal is the proof's own", () => {
    expect(judgeProof(proof(), { method: "PUT", url, now: NOW })?.code).toBe("proof_invalid")
  })

  test("ath is RFC 9449's example", () => {
    expect(accessTokenHash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")).toBe(
      "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
    )
  })
})
