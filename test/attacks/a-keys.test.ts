// Keys that must not be taken, signatures that must not hold, issuers that are not ours: catalogue A.
import { generateKeyPairSync, verify } from "node:crypto"
import { describe, expect, test } from "vitest"
import { KeyFault, publicHalf, readKeySet, readPublicJwk } from "../../src/token/signature.ts"
import { judgeToken, openTaskToken } from "../../src/token/verify.ts"
import {
  API,
  claims,
  compact,
  eddsa,
  es256,
  header,
  ISSUER,
  NOW,
  open,
  stranger,
  tagOf,
  validToken,
} from "../support/forge.ts"

const refused = (text: string) => tagOf(open(text))
const keyTag = (value: unknown) => (value instanceof KeyFault ? value.tag : "accepted")
const [head, body, signature] = validToken().split(".") as [string, string, string]

describe("key sets", () => {
  test("A12 a key id twice, or one symmetric key, refuses the whole set", () => {
    const twin = { ...stranger.publicJwk, kid: es256.kid }
    expect(keyTag(readKeySet({ keys: [es256.publicJwk, twin] }))).toBe("kid_duplicate")
    expect(keyTag(readKeySet({ keys: [es256.publicJwk, { kty: "oct", k: "c2VjcmV0", kid: "mac" }] }))).toBe(
      "private",
    )
  })

  const rsaJwk = (modulusLength: number) =>
    generateKeyPairSync("rsa", { modulusLength }).publicKey.export({ format: "jwk" })
  test("A27 RSA keys are not taken, weak or strong", () => {
    for (const jwk of [rsaJwk(1024), rsaJwk(2048), { ...rsaJwk(2048), e: "AQ" }])
      expect(keyTag(readKeySet({ keys: [es256.publicJwk, jwk] }))).toBe("algorithm")
  })

  const { kid: _kid, ...point } = es256.publicJwk
  test.each([
    ["off the curve", { x: point.y, y: point.x }],
    ["at infinity", { x: "A".repeat(43), y: "A".repeat(43) }],
    ["with a short coordinate", { x: point.x.slice(1) }],
    ["with a long coordinate", { x: `AA${point.x}` }],
    ["with a compressed y", { y: "Ag" }],
    ["with a number for x", { x: 7 }],
  ])("A28 a P-256 point %s is not taken", (_what, coordinates) => {
    expect(keyTag(readPublicJwk({ ...point, ...coordinates }))).toBe("point")
  })

  test("A28 an Ed25519 text that is no point is not taken, or verifies nothing", () => {
    const key = readPublicJwk({
      kty: "OKP",
      crv: "Ed25519",
      x: Buffer.from(`02${"00".repeat(31)}`, "hex").toString("base64url"),
    })
    if (key instanceof KeyFault) return expect(key.tag).toBe("point")
    expect(tagOf(openTaskToken(compact(header({ kid: "k" }, eddsa), claims(), eddsa), () => key))).toBe(
      "signature",
    )
  })
})

describe("signatures", () => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const bytes = Buffer.from(signature, "base64url")
  const number = (at: number) => BigInt(`0x${bytes.subarray(at, at + 32).toString("hex")}`)
  const [r, s] = [number(0), number(32)]
  const raw = (one: bigint, other: bigint) =>
    Buffer.from(one.toString(16).padStart(64, "0") + other.toString(16).padStart(64, "0"), "hex")
  const withSignature = (value: Buffer) => `${head}.${body}.${value.toString("base64url")}`

  test("A17 the twin (r, n - s) opens the same token, with the same jti: a token is never its bytes", () => {
    const twin = withSignature(raw(r, n - s))
    expect(twin).not.toBe(`${head}.${body}.${signature}`)
    expect(open(twin)).toEqual(open(`${head}.${body}.${signature}`))
  })

  const edges = [0n, n, n - 1n, 1n, (1n << 256n) - 1n]
  test.each(edges)("A17 r or s of %d does not hold", (edge) => {
    expect(refused(withSignature(raw(edge, s)))).toBe("signature")
    expect(refused(withSignature(raw(r, edge)))).toBe("signature")
    for (const other of edges) expect(refused(withSignature(raw(edge, other)))).toBe("signature")
  })

  /** The same signature as node:crypto would take it: SEQUENCE of two INTEGERs, each without needless zeros. */
  const asDer = () => {
    const integers = [r, s].map((value) => {
      const hex = value.toString(16)
      const even = hex.length % 2 ? `0${hex}` : hex
      const magnitude = Buffer.from(Number.parseInt(even.slice(0, 2), 16) > 0x7f ? `00${even}` : even, "hex")
      return Buffer.concat([Buffer.from([2, magnitude.length]), magnitude])
    })
    const content = Buffer.concat(integers)
    return Buffer.concat([Buffer.from([0x30, content.length]), content])
  }

  test("A17 DER, 63 and 65 bytes do not hold, though the DER is of a genuine signature", () => {
    expect(verify("sha256", Buffer.from(`${head}.${body}`), publicHalf(es256).key, asDer())).toBe(true)
    for (const value of [asDer(), bytes.subarray(0, 63), Buffer.concat([bytes, Buffer.from([0])])])
      expect(refused(withSignature(value))).toBe("signature")
  })

  test("A17 an Ed25519 signature with S + L does not hold", () => {
    const [edHead, edBody, edSignature] = validToken(eddsa).split(".") as [string, string, string]
    const value = Buffer.from(edSignature, "base64url")
    const order = (1n << 252n) + 27742317777372353535851937790883648493n
    const little = (buffer: Buffer) => BigInt(`0x${Buffer.from(buffer).reverse().toString("hex")}`)
    const moved = little(value.subarray(32)) + order
    Buffer.from(moved.toString(16).padStart(64, "0"), "hex").reverse().copy(value, 32)
    expect(refused(`${edHead}.${edBody}.${value.toString("base64url")}`)).toBe("signature")
  })

  test("A18 a signature of zeros does not hold", () => {
    expect(refused(withSignature(Buffer.alloc(64)))).toBe("signature")
    const [edHead, edBody] = validToken(eddsa).split(".")
    expect(refused(`${edHead}.${edBody}.${Buffer.alloc(64).toString("base64url")}`)).toBe("signature")
  })

  test("A18 a point for which anybody can sign is no key", () => {
    const neutral = Buffer.from(`01${"00".repeat(31)}`, "hex").toString("base64url")
    expect(keyTag(readPublicJwk({ kty: "OKP", crv: "Ed25519", x: neutral }))).toBe("point")
  })
})

describe("issuers", () => {
  test.each([
    ["another issuer", "https://other.internal"],
    ["a trailing slash", `${ISSUER}/`],
    ["an upper-case host", "https://TASKMINT.internal"],
    ["an upper-case scheme", "HTTPS://taskmint.internal"],
    ["http", "http://taskmint.internal"],
    ["the default port", `${ISSUER}:443`],
    ["a look-alike letter", "https://tаskmint.internal"],
    ["percent-encoding", "https://taskmint%2einternal"],
    ["a longer host", `${ISSUER}.evil.example`],
  ])("A25 %s is not ours", (_what, iss) => {
    const opened = open(compact(header(), claims({ iss })))
    const token = "token" in opened ? opened.token : undefined
    expect(token && judgeToken(token, { issuer: ISSUER, audience: API, now: NOW })).toMatchObject({
      code: "token_invalid",
      reason: "iss",
    })
  })
})
