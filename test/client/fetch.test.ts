import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createSession } from "../../src/client/client.ts"
import { ClientError } from "../../src/client/error.ts"
import { readTarget, tokenFor } from "../../src/client/fetch.ts"
import { type HandedToken, HeldToken } from "../../src/client/held-token.ts"
import { accessTokenHash, readProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type ScriptedServer, startScripted } from "../support/scripted-server.ts"

const handed = (resource: string, more: Partial<HandedToken> = {}): HandedToken => ({
  resource,
  accessToken: `token-of-${resource}`,
  tokenType: "Bearer",
  expiresAt: Date.now() + 600_000,
  renewAt: Date.now() + 300_000,
  scope: [],
  authorizationDetails: [],
  ...more,
})

const held = (resource: string) => {
  const { accessToken, ...rest } = handed(resource)
  return { ...rest, token: new HeldToken(resource, accessToken) }
}

describe("a URL gets the token of the API it belongs to", () => {
  const tokens = [
    "https://api.example",
    "https://api.example/tickets",
    "https://api.example/tickets/deep/",
  ].map(held)
  const cases: readonly (readonly [url: string, resource: string | undefined])[] = [
    ["https://api.example/", "https://api.example"],
    ["https://api.example/other?x=1", "https://api.example"],
    ["https://api.example/tickets", "https://api.example/tickets"],
    ["https://api.example/tickets/1", "https://api.example/tickets"],
    ["https://api.example/ticketsx", "https://api.example"],
    ["https://api.example/tickets/deep/1", "https://api.example/tickets/deep/"],
    ["https://api.example/tickets/../other", "https://api.example"],
    ["https://api.example/tickets/%2e%2e/other", "https://api.example"],
    ["https://api.example:443/", "https://api.example"],
    ["https://api.example:8443/", undefined],
    ["http://api.example/", undefined],
    ["https://api.example.evil.test/", undefined],
    ["https://evil.test/https://api.example", undefined],
    ["https://sub.api.example/", undefined],
  ]
  for (const [url, resource] of cases)
    test(`${url} -> ${resource ?? "none"}`, () => {
      expect(tokenFor(tokens, new URL(url))?.resource).toBe(resource)
    })
})

describe("what carries no token is refused before it is sent", () => {
  const wrong: readonly (readonly [what: string, url: string, init?: RequestInit])[] = [
    ["a relative URL", "/tickets"],
    ["a user and password", "https://a:b@api.example/"],
    ["a credential of one's own", "https://api.example/", { headers: { Authorization: "Bearer x" } }],
    ["a proof of one's own", "https://api.example/", { headers: { dpop: "x" } }],
  ]
  for (const [what, url, init] of wrong)
    test(what, () => {
      expect(() => readTarget(url, init)).toThrow(TypeError)
    })
})

describe("a session with tokens that were handed over", () => {
  let api: ScriptedServer
  let other: ScriptedServer
  beforeAll(async () => {
    other = await startScripted(() => ({ body: {} }))
    api = await startScripted(({ path }) =>
      path === "/moved"
        ? { status: 307, headers: { location: `${other.origin}/trap` } }
        : { body: { ok: true } },
    )
  })
  afterAll(() => Promise.all([api.close(), other.close()]))

  test("sends the token to its API", async () => {
    const session = await createSession({ tokens: [handed(api.origin)] })
    const answer = await session.fetch(`${api.origin}/tickets/1`, { method: "POST", body: "x" })
    expect(answer.status).toBe(200)
    expect(api.asked.at(-1)).toMatchObject({
      method: "POST",
      body: "x",
      headers: { authorization: `Bearer token-of-${api.origin}` },
    })
  })

  test("sends nothing anywhere else, and says which APIs it could reach", async () => {
    const session = await createSession({ tokens: [handed(api.origin)] })
    const refused = await session.fetch(`${other.origin}/tickets/1?secret=1`).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ClientError)
    expect(refused).toMatchObject({ code: "url_not_granted", next: "stop" })
    expect(String(refused)).toContain(api.origin)
    expect(String(refused)).not.toMatch(/token-of|secret/)
    expect(other.asked).toEqual([])
  })

  for (const redirect of [undefined, "follow", "manual"] as const)
    test(`never follows a redirect with the token (redirect: ${redirect})`, async () => {
      const session = await createSession({ tokens: [handed(api.origin), handed(other.origin)] })
      const answer = await session.fetch(`${api.origin}/moved`, redirect === undefined ? {} : { redirect })
      expect(answer.status).toBe(307)
      expect(other.asked).toEqual([])
    })

  test("fails at a redirect where it was asked to", async () => {
    const session = await createSession({ tokens: [handed(api.origin), handed(other.origin)] })
    await expect(session.fetch(`${api.origin}/moved`, { redirect: "error" })).rejects.toThrow("fetch failed")
    expect(other.asked).toEqual([])
  })

  test("proves possession of a bound token for exactly this request", async () => {
    const key = generatePrivateJwk("EdDSA")
    const session = await createSession({ tokens: [handed(api.origin, { tokenType: "DPoP" })], key })
    await session.fetch(`${api.origin}/tickets/1?q=1`, { method: "delete" })
    const { authorization, dpop } = api.asked.at(-1)?.headers ?? {}
    expect(authorization).toBe(`DPoP token-of-${api.origin}`)
    expect(readProof(String(dpop))).toMatchObject({
      htm: "DELETE",
      htu: `${api.origin}/tickets/1`,
      ath: accessTokenHash(`token-of-${api.origin}`),
      jkt: importSigningKey(key).thumbprint,
    })
  })

  describe("with an API that wants nonces in proofs", () => {
    let wanted = "first"
    let strict: ScriptedServer
    const key = generatePrivateJwk("ES256")
    const nonceOf = (dpop: unknown) => {
      const proof = readProof(String(dpop))
      return "nonce" in proof ? proof.nonce : undefined
    }
    beforeAll(async () => {
      strict = await startScripted(({ headers }) => {
        const refusal = { "www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": wanted }
        return nonceOf(headers.dpop) === wanted ? { body: { ok: true } } : { status: 401, headers: refusal }
      })
    })
    afterAll(() => strict.close())
    const open = () => createSession({ tokens: [handed(strict.origin, { tokenType: "DPoP" })], key })

    test("proves once more with the nonce that was named, keeps it, and follows when it changes", async () => {
      const session = await open()
      const send = async () =>
        (await session.fetch(`${strict.origin}/x`, { method: "POST", body: "whole" })).status
      expect([await send(), await send(), strict.asked.length]).toEqual([200, 200, 3])
      wanted = "second"
      expect([await send(), strict.asked.length]).toEqual([200, 5])
      expect(strict.asked.map(({ headers, body }) => [nonceOf(headers.dpop), body])).toEqual(
        [undefined, "first", "first", "first", "second"].map((nonce) => [nonce, "whole"]),
      )
    })

    test("proves once more for a nonce that is new, and not for the one that it sent", async () => {
      const never = await startScripted(() => ({
        status: 401,
        headers: { "www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "same" },
      }))
      const session = await createSession({ tokens: [handed(never.origin, { tokenType: "DPoP" })], key })
      const send = async () => (await session.fetch(`${never.origin}/x`)).status
      expect([await send(), await send(), never.asked.length]).toEqual([401, 401, 3])
      await never.close()
    })

    test("does not send a stream twice, and asks once only where a nonce never helps", async () => {
      const session = await open()
      const body = new Blob(["once"]).stream()
      const streamed = { method: "POST", body, duplex: "half" } as const
      expect((await session.fetch(`${strict.origin}/x`, streamed)).status).toBe(401)
      const before = strict.asked.length
      wanted = 'br"oken'
      expect((await session.fetch(`${strict.origin}/x`)).status).toBe(401)
      expect(strict.asked.length).toBe(before + 1)
    })
  })

  test("is not opened for a bound token without its key", async () => {
    await expect(createSession({ tokens: [handed(api.origin, { tokenType: "DPoP" })] })).rejects.toThrow(
      TypeError,
    )
  })

  test("takes no bound token later, either", async () => {
    const session = await createSession({ tokens: [handed(api.origin)] })
    expect(() => session.take([handed(api.origin, { tokenType: "DPoP" })])).toThrow(TypeError)
    expect(session.tokens.map(({ tokenType }) => tokenType)).toEqual(["Bearer"])
  })

  test("is not opened without tokens", async () => {
    await expect(createSession(JSON.parse("{}"))).rejects.toThrow(/handover/)
  })

  test("gives the headers to whatever else sends the request", async () => {
    const session = await createSession({ tokens: [handed(api.origin)] })
    expect(await session.headers("GET", `${api.origin}/x`)).toEqual({
      authorization: `Bearer token-of-${api.origin}`,
    })
  })
})
