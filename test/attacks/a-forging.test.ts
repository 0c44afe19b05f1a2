// Tokens that nobody of ours signed, or whose key was talked into: catalogue A, headers, algorithms, keys and signatures.
import { createHmac, generateKeyPairSync, sign } from "node:crypto"
import { describe, expect, test } from "vitest"
import { KeyFault, publicHalf, readPublicJwk } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import {
  claims,
  compact,
  eddsa,
  es256,
  header,
  keyOf,
  open,
  stranger,
  tagOf,
  validToken,
} from "../support/forge.ts"

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
const signedBy = (head: object, mac: (input: string) => Buffer) => {
  const input = `${encode(head)}.${encode(claims())}`
  return `${input}.${mac(input).toString("base64url")}`
}
const refused = (text: string) => tagOf(open(text))
const keyTag = (value: unknown) => (value instanceof KeyFault ? value.tag : "accepted")
const [_head, body, signature] = validToken().split(".") as [string, string, string]

test("the token that the cases below deform is genuine", () => {
  expect([refused(validToken()), refused(validToken(eddsa))]).toEqual(["accepted", "accepted"])
})

describe("algorithms", () => {
  test.each([
    "none",
    "None",
    "nOnE",
    "NONE",
    "",
    undefined,
    null,
    ["ES256"],
    256,
    { alg: "ES256" },
    "es256",
    "ES256 ",
  ])("A01 alg %j is refused", (alg) => {
    expect(refused(compact(header({ alg }), claims()))).toBe("alg")
  })

  test("A02 alg none with a signature kept, an empty third part, or two parts", () => {
    const none = encode(header({ alg: "none" }))
    expect(refused(`${none}.${body}.${signature}`)).toBe("alg")
    expect(refused(`${none}.${body}.`)).toBe("format")
    expect(refused(`${none}.${body}`)).toBe("format")
  })

  const pem = publicHalf(es256).key.export({ type: "spki", format: "pem" }).toString()
  const { x } = es256.publicJwk
  const secrets: [string, string | Buffer][] = [
    ["the JWK as JSON", JSON.stringify(es256.publicJwk)],
    ["the PEM", pem],
    ["the PEM behind a space", ` ${pem}`],
    ["the PEM behind a byte order mark", `\ufeff${pem}`],
    ["the PEM behind a comment", `# key\n${pem}`],
    ["the DER", publicHalf(es256).key.export({ type: "spki", format: "der" })],
    ["raw x", Buffer.from(x, "base64url")],
    ["x in base64url", x],
  ]
  test.each(secrets)("A03 an HMAC with our public key as its secret: %s", (_form, secret) => {
    for (const bits of [256, 384, 512]) {
      const mac = (input: string) => createHmac(`sha${bits}`, secret).update(input).digest()
      expect(refused(signedBy(header({ alg: `HS${bits}` }), mac))).toBe("alg")
    }
  })

  test("A04 HMACs with weak secrets are refused before any key is looked for", () => {
    const weak = (
      "secret password changeme 123456 12345678 qwerty admin letmein jwt key test token root toor default example " +
      "your-256-bit-secret your-secret-key my-secret supersecret shhhhh hunter2 iloveyou welcome dragon monkey abc123 " +
      "keyboardcat secretkey jwt-secret access-token-secret production development notasecret s3cr3t P@ssw0rd 0 null undefined"
    ).split(" ")
    let asked = 0
    const counting = (kid: string) => {
      asked += 1
      return keyOf(kid)
    }
    for (const secret of ["", " ", ...weak]) {
      const mac = (input: string) => createHmac("sha256", secret).update(input).digest()
      expect(tagOf(openTaskToken(signedBy(header({ alg: "HS256" }), mac), counting))).toBe("alg")
    }
    expect(asked).toBe(0)
  })

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
  const k1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey
  const ed448 = generateKeyPairSync("ed448").privateKey
  test.each([
    ["RS256", "sha256", rsa],
    ["PS256", "sha256", rsa],
    ["ES384", "sha384", p384],
    ["ES512", "sha512", p384],
    ["ES256K", "sha256", k1],
    ["Ed448", null, ed448],
    ["Ed25519", null, ed448],
  ])("A05 %s is not an algorithm of ours", (alg, digest, key) => {
    const mac = (input: string) => sign(digest, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" })
    expect(refused(signedBy(header({ alg }), mac))).toBe("alg")
  })

  test("A05 EdDSA by Ed448 has a signature of another length", () => {
    expect(
      refused(signedBy(header({ alg: "EdDSA" }, eddsa), (input) => sign(null, Buffer.from(input), ed448))),
    ).toBe("signature")
  })

  test("A06 the header's algorithm is the key's own", () => {
    expect(refused(compact(header({ kid: eddsa.kid }), claims()))).toBe("alg")
    expect(refused(compact(header({ alg: "EdDSA", kid: es256.kid }), claims()))).toBe("alg")
  })

  test.each([
    ["use enc", { use: "enc" }],
    ["key_ops without verify", { key_ops: ["encrypt"] }],
    ["an empty key_ops", { key_ops: [] }],
    ["another curve's alg", { alg: "EdDSA" }],
    ["alg null", { alg: null }],
  ])("A06 a key with %s verifies nothing", (_what, members) => {
    expect(keyTag(readPublicJwk({ ...es256.publicJwk, ...members }))).toMatch(/^(use|algorithm)$/)
  })
})

describe("headers", () => {
  test("A07 a key embedded by the sender is not looked at", () => {
    const own = { jwk: stranger.publicJwk }
    expect(refused(compact(header({ ...own, kid: stranger.kid }), claims(), stranger))).toBe("header")
    expect(refused(compact(header(own), claims()))).toBe("header")
  })

  test.each(["https://evil.example/jwks", "http://169.254.169.254/", "file:///etc/passwd"])(
    "A08 a key set or certificate at %s is not a header of ours",
    (url) => {
      expect(refused(compact(header({ jku: url }), claims()))).toBe("header")
      expect(refused(compact(header({ x5u: url }), claims()))).toBe("header")
    },
  )

  test.each(["x5c", "x5t", "x5t#S256", "cty", "b64", "foo"])("A09 a header member %s is refused", (name) => {
    expect(refused(compact(header({ [name]: ["MIIB"] }), claims()))).toBe("header")
  })

  const kids = [
    "../../dev/null",
    "' OR 1=1--",
    ";id",
    "x".repeat(65),
    "__proto__ ",
    "a\0b",
    "kіd",
    "",
    ["a"],
    { a: 1 },
    null,
    7,
  ]
  test.each(kids)("A10 kid %j is refused by its shape", (kid) => {
    let asked = 0
    const opened = openTaskToken(compact(header({ kid }), claims()), () => {
      asked += 1
      return publicHalf(es256)
    })
    expect([tagOf(opened), asked]).toEqual(["kid", 0])
  })

  test.each(["__proto__", "constructor", "toString"])("A10 kid %s names no key", (kid) => {
    expect(refused(compact(header({ kid }), claims()))).toBe("kid")
  })

  test("A10 a kid of 10 KB makes the token too large", () => {
    expect(refused(compact(header({ kid: "x".repeat(10_240) }), claims()))).toBe("size")
  })

  test("A11 a key that is not of this issuer, or not any more, opens nothing", () => {
    expect(refused(compact(header({}, stranger), claims(), stranger))).toBe("kid")
    expect(refused(compact(header({ kid: es256.kid }), claims(), stranger))).toBe("signature")
    expect(tagOf(openTaskToken(validToken(), () => undefined))).toBe("kid")
    expect(refused(compact(header({ kid: undefined }), claims()))).toBe("kid")
  })

  const crits = [["unknown"], [], ["exp", "exp"], ["exp"], "exp", ["b64"], null]
  test.each(crits)("A13 crit %j is refused", (crit) => {
    expect(refused(compact(header({ crit }), claims()))).toBe("header")
    expect(refused(compact(header({ crit, b64: false }), claims()))).toBe("header")
  })

  test("A13 b64 false without crit is refused", () => {
    expect(refused(compact(header({ b64: false }), claims()))).toBe("header")
  })
})
