// DPoP at the API (RFC 9449): a bound token without, with a wrong, or with a used proof, at a real server.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { type ProofInput, signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { compact } from "../support/forge.ts"
import { type GuardedApi, startGuardedApi } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"

let api: GuardedApi
let token: string
const key = importSigningKey(generatePrivateJwk("ES256"))
const eddsa = importSigningKey(generatePrivateJwk("EdDSA"))
const URL_OF = `${API}/tickets/SUP-1042`

beforeAll(async () => {
  api = await startGuardedApi()
  token = api.stub.mint({ jkt: key.thumbprint })
})
afterAll(() => api.close())

const seconds = () => Math.floor(api.clock.now() / 1000)
const prove = (changes: Partial<ProofInput> = {}, by: SigningKey = key) =>
  signProof({ method: "GET", url: URL_OF, accessToken: token, now: seconds(), ...changes }, by)
const send = (proof: string, sent = token, path = "/tickets/SUP-1042", method = "GET") =>
  fetch(`${api.address}${path}`, { method, headers: { authorization: `DPoP ${sent}`, dpop: proof } })
const outcome = async (answer: Promise<Response>) => {
  const { status, headers } = await answer
  return `${status} ${/error="([a-z_]+)"/.exec(headers.get("www-authenticate") ?? "")?.[1] ?? ""}`.trim()
}
const WRONG = "401 invalid_dpop_proof"

describe("F01 no downgrade", () => {
  test("a bound token passes with its proof, and only so", async () => {
    expect(await outcome(send(prove()))).toBe("200")
    expect(await outcome(api.get("/tickets/SUP-1042", token))).toBe("401 invalid_token")
    expect(await outcome(api.get("/tickets/SUP-1042", token, { dpop: prove() }))).toBe("401 invalid_token")
  })

  test("an unbound token does not pass as a bound one", async () => {
    const unbound = api.stub.mint()
    expect(await outcome(send(prove({ accessToken: unbound }), unbound))).toBe("401 invalid_token")
  })

  test("an EdDSA key proves as well", async () => {
    const bound = api.stub.mint({ jkt: eddsa.thumbprint })
    expect(await outcome(send(prove({ accessToken: bound }, eddsa), bound))).toBe("200")
  })
})

test("F02 no proof, two, a list, an empty or a huge one", async () => {
  const headers = { authorization: `DPoP ${token}` }
  expect(await outcome(fetch(`${api.address}/tickets/SUP-1042`, { headers }))).toBe(WRONG)
  expect(await outcome(send(""))).toBe(WRONG)
  expect(await outcome(send(`${prove()}, ${prove()}`))).toBe(WRONG)
  expect(await outcome(send("x".repeat(10_000)))).toBe(WRONG)
  const two = `Authorization: DPoP ${token}\r\nDPoP: ${prove()}\r\nDPoP: ${prove()}`
  const raw = `GET /tickets/SUP-1042 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${two}\r\n\r\n`
  expect((await api.raw(raw)).status).toBe(400)
})

describe("F03 a proof of the wrong kind", () => {
  const { kty, crv, x, y } = key.publicJwk
  const jwk = { kty, crv, x, y }
  const payload = () => ({
    ...JSON.parse(Buffer.from(prove().split(".")[1] ?? "", "base64url").toString()),
    jti: newId("use"),
  })
  test.each([
    ["typ of a token", { typ: "at+jwt", alg: "ES256", jwk }],
    ["no typ", { alg: "ES256", jwk }],
    ["alg none", { typ: "dpop+jwt", alg: "none", jwk }],
    ["alg HS256", { typ: "dpop+jwt", alg: "HS256", jwk }],
    ["another alg than the key's", { typ: "dpop+jwt", alg: "EdDSA", jwk }],
    ["no key", { typ: "dpop+jwt", alg: "ES256" }],
    ["a private key", { typ: "dpop+jwt", alg: "ES256", jwk: { ...jwk, d: x } }],
    ["a symmetric key", { typ: "dpop+jwt", alg: "ES256", jwk: { kty: "oct", k: x } }],
    ["a key as text", { typ: "dpop+jwt", alg: "ES256", jwk: JSON.stringify(jwk) }],
    ["a kid instead of a key", { typ: "dpop+jwt", alg: "ES256", kid: key.kid }],
  ])("%s", async (_, header) => {
    expect(await outcome(send(compact(header, payload(), key)))).toBe(WRONG)
  })
})

describe("F04 to F06, F09, F13 a proof for something else", () => {
  const stranger = importSigningKey(generatePrivateJwk("ES256"))
  test.each<[string, () => string]>([
    ["F04 by another key", () => prove({}, stranger)],
    ["F04 of another token", () => prove({ accessToken: api.stub.mint({ jkt: key.thumbprint }) })],
    ["F04 of no token", () => prove({ accessToken: undefined })],
    ["F05 of another method", () => prove({ method: "POST" })],
    ["F05 of the method in lower case", () => prove({ method: "get" })],
    ["F06 for another host", () => prove({ url: "https://other.example/tickets/SUP-1042" })],
    ["F06 for the address it really went to", () => prove({ url: `${api.address}/tickets/SUP-1042` })],
    ["F06 for plain http", () => prove({ url: URL_OF.replace("https", "http") })],
    ["F06 for another port", () => prove({ url: URL_OF.replace(".example", ".example:8443") })],
    ["F06 with a slash behind", () => prove({ url: `${URL_OF}/` })],
    ["F06 with dots", () => prove({ url: `${API}/x/../tickets/SUP-1042` })],
    ["F06 of another ticket", () => prove({ url: `${API}/tickets/SUP-1043` })],
    ["F09 too old", () => prove({ now: seconds() - 61 })],
    ["F09 too far ahead", () => prove({ now: seconds() + 11 })],
  ])("%s", async (_, proof) => {
    expect(await outcome(send(proof()))).toBe(WRONG)
  })

  test("F06 what does not count: the default port, the host's case, the query", async () => {
    expect(await outcome(send(prove({ url: URL_OF.replace(".example/", ".EXAMPLE:443/") })))).toBe("200")
    expect(await outcome(send(prove(), token, "/tickets/SUP-1042?page=2"))).toBe("200")
  })

  test("F06 Host and forwarding headers are never asked", async () => {
    const spoofed = prove({ url: "https://evil.example/tickets/SUP-1042" })
    const lines = ["Host: evil.example", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"]
    const rest = [...lines, "Connection: close", `Authorization: DPoP ${token}`, `DPoP: ${spoofed}`, "", ""]
    for (const target of ["/tickets/SUP-1042", "https://evil.example/tickets/SUP-1042"])
      expect((await api.raw([`GET ${target} HTTP/1.1`, ...rest].join("\r\n"))).status).toBeGreaterThan(399)
  })
})

test("F07 of one proof sent fifty times at once, exactly one passes, and none after", async () => {
  const proof = prove()
  const all = await Promise.all(Array.from({ length: 50 }, () => outcome(send(proof))))
  expect(all.filter((one) => one === "200").length).toBe(1)
  expect(all.filter((one) => one === WRONG).length).toBe(49)
  expect(await outcome(send(proof))).toBe(WRONG)
})

test("F12 of a token that has ended, the token's end is the answer", async () => {
  const expired = api.stub.mint({ jkt: key.thumbprint, iat: seconds() - 600, exp: seconds() - 60 })
  expect(await outcome(send(prove({ accessToken: expired }), expired))).toBe("401 invalid_token")
})
