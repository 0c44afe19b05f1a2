import { writeFileSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { Unreachable } from "../../src/remote/exchange.ts"
import { createIssuerCalls } from "../../src/remote/issuer-calls.ts"
import {
  createServiceTokens,
  NotAuthenticated,
  type ServiceTokenOptions,
} from "../../src/remote/service-token.ts"
import { judgeAssertion, readClientAssertion } from "../../src/token/assertion.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { judgeProof, readProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"

const ISSUER = "https://taskmint.internal"
const clock = createFakeClock()
const privateJwk = generatePrivateJwk("ES256")
const client = publicHalf(importSigningKey(privateJwk))
const proofKey = importSigningKey(generatePrivateJwk("ES256"))
const seconds = () => Math.floor(clock.now() / 1000)

interface Seen {
  readonly path: string
  readonly form: URLSearchParams
  readonly request: IncomingMessage
}
let seen: Seen[] = []
let status = 200
let answer: () => string
let callStatus: (authorization: string) => number
let address = ""
const server = createServer(async (request, response) => {
  let body = ""
  for await (const part of request) body += part
  seen.push({ path: request.url ?? "", form: new URLSearchParams(body), request })
  if (request.url === "/token") response.writeHead(status).end(answer())
  else response.writeHead(callStatus(request.headers.authorization ?? "")).end("{}")
})
const create = (more: Partial<ServiceTokenOptions> = {}) =>
  createServiceTokens({
    issuer: ISSUER,
    issuerAddress: address,
    credential: { clientId: "tickets", privateJwk },
    clock,
    ...more,
  })

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => {
  seen = []
  status = 200
  answer = () => JSON.stringify({ access_token: `token-${seen.length}`, expires_in: 300 })
  callStatus = () => 200
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe("a service token", () => {
  test("is asked for with an assertion that the issuer takes, and with a proof where a key is given", async () => {
    expect(await create({ proofKey }).get()).toBe("token-1")
    const [{ form, request } = { form: new URLSearchParams(), request: undefined }] = seen
    expect(form.get("grant_type")).toBe("client_credentials")
    const assertion = readClientAssertion(form.get("client_assertion") ?? "")
    if (assertion instanceof Unreadable) throw new Error(assertion.tag)
    const keySets = [new Map([[client.kid, client]])]
    expect(
      judgeAssertion(assertion, { issuer: ISSUER, now: seconds(), keySets, clientId: "tickets" }),
    ).toBeUndefined()
    const proof = readProof(String(request?.headers.dpop))
    if (proof instanceof Unreadable) throw new Error(proof.tag)
    const here = { method: "POST", url: `${ISSUER}/token`, jkt: proofKey.thumbprint, now: seconds() }
    expect(judgeProof(proof, here)).toBeUndefined()
  })

  test("is fetched once by callers together, and renewed in the background at three quarters of its life", async () => {
    const tokens = create()
    expect(new Set(await Promise.all(Array.from({ length: 50 }, tokens.get)))).toEqual(new Set(["token-1"]))
    clock.advance(224_999)
    expect(await tokens.get()).toBe("token-1")
    expect(seen.length).toBe(1)
    clock.advance(1)
    expect(await tokens.get()).toBe("token-1")
    await vi.waitFor(async () => expect(await tokens.get()).toBe("token-2"))
    expect(seen.length).toBe(2)
  })

  test("goes on until it ends when the issuer is away, and not a second longer", async () => {
    const tokens = create()
    await tokens.get()
    status = 503
    clock.advance(280_000)
    expect(await tokens.get()).toBe("token-1")
    clock.advance(10_000)
    await expect(tokens.get()).rejects.toBeInstanceOf(Unreachable)
  })

  test("is proven with every call, for that call", async () => {
    const tokens = create({ proofKey })
    const headers = await tokens.headers("POST", `${ISSUER}/uses`)
    expect(headers.authorization).toBe("DPoP token-1")
    const proof = readProof(headers.dpop ?? "")
    if (proof instanceof Unreadable) throw new Error(proof.tag)
    const here = { method: "POST", url: `${ISSUER}/uses`, accessToken: "token-1", now: seconds() }
    expect(judgeProof(proof, here)).toBeUndefined()
    expect((await tokens.headers("POST", `${ISSUER}/uses`)).dpop).not.toBe(headers.dpop)
    expect(await create().headers("GET", ISSUER)).toEqual({
      authorization: expect.stringMatching(/^Bearer token-/),
    })
  })

  test("comes from a key file that is read anew for each", async () => {
    const folder = newFolder()
    const privateJwkFile = join(folder, "key.json")
    const tokens = create({ credential: { clientId: "tickets", privateJwkFile } })
    writeFileSync(privateJwkFile, '{"kty":"EC","d":"secret-')
    const fault = await tokens.get().catch((one: unknown) => one)
    expect(String(fault)).toMatch(/does not hold a private JWK/)
    expect(String(fault)).not.toContain("secret-")
    writeFileSync(privateJwkFile, JSON.stringify(privateJwk))
    expect(await tokens.get()).toBe("token-1")
    removeFolder(folder)
  })

  test("comes for a platform's JWT, which is read anew for each, and is bound to a key of this process", async () => {
    const folder = newFolder()
    const assertionFile = join(folder, "token")
    const tokens = create({ credential: { clientId: "tickets", assertionFile } })
    const shown = () => seen.map(({ form }) => [form.get("client_id"), form.get("client_assertion")])
    await expect(tokens.get()).rejects.toThrow(/ENOENT/)
    writeFileSync(assertionFile, "secret but no JWT")
    const fault = await tokens.get().catch((one: unknown) => one)
    expect(String(fault)).toMatch(/does not hold a JWT/)
    expect(String(fault)).not.toContain("secret")
    writeFileSync(assertionFile, `aa.${"b".repeat(16_384)}.cc`)
    await expect(tokens.get()).rejects.toThrow(/does not hold a JWT/)
    writeFileSync(assertionFile, "aa.bb.cc\n")
    expect((await tokens.headers("GET", `${ISSUER}/tasks`)).authorization).toBe("DPoP token-1")
    writeFileSync(assertionFile, "aa.bb.dd")
    tokens.drop()
    await tokens.get()
    expect(shown()).toEqual([
      ["tickets", "aa.bb.cc"],
      ["tickets", "aa.bb.dd"],
    ])
    const proofs = seen.map(({ request }) => readProof(String(request.headers.dpop)))
    expect(new Set(proofs.map((proof) => (proof instanceof Unreadable ? "" : proof.jkt))).size).toBe(1)
    removeFolder(folder)
  })

  test.each([
    ["refused", 401, '{"error":"invalid_client"}', NotAuthenticated],
    ["without token", 200, '{"expires_in":300}', NotAuthenticated],
    ["with a token that is no token", 200, '{"access_token":"a\\r\\nb","expires_in":300}', NotAuthenticated],
    ["without life", 200, '{"access_token":"a"}', NotAuthenticated],
    ["with no life left", 200, '{"access_token":"a","expires_in":0}', NotAuthenticated],
    ["with a life of years", 200, '{"access_token":"a","expires_in":86401}', NotAuthenticated],
    ["with a life in words", 200, '{"access_token":"a","expires_in":"300"}', NotAuthenticated],
    ["as a page", 200, "<html>", NotAuthenticated],
    ["too busy", 429, "{}", Unreachable],
  ])("answered %s is none, and the fault tells nothing secret", async (_, code, text, kind) => {
    status = code
    answer = () => text
    const fault = await create()
      .get()
      .catch((one: unknown) => one)
    expect(fault).toBeInstanceOf(kind)
    expect(String(fault)).not.toContain(privateJwk.d)
    expect(String(fault)).not.toContain(seen[0]?.form.get("client_assertion"))
  })
})

test.each([
  ["invalid_client", "the issuer answered 401 invalid_client at /token"],
  ["Bearer abc: not you", "the issuer answered 401 at /token"],
])("of a refusal the code is told and no other words: %s", async (error, told) => {
  status = 401
  answer = () => JSON.stringify({ error })
  await expect(create().get()).rejects.toMatchObject({ message: told })
})

describe("a call", () => {
  const LIMITS = { maxBytes: 1000, timeoutMilliseconds: 2000 }
  const call = (path = "/catalogue") =>
    createIssuerCalls(ISSUER, address, create({ proofKey }))({ method: "GET", path }, LIMITS)

  test("gets a new token once when the issuer would not have the old one", async () => {
    callStatus = (authorization) => (authorization === "DPoP token-1" ? 401 : 200)
    expect((await call()).status).toBe(200)
    expect(seen.map((one) => one.path)).toEqual(["/token", "/catalogue", "/token", "/catalogue"])
    callStatus = () => 401
    expect((await call()).status).toBe(401)
  })

  test("names the issuer in its proof, without the query, wherever it is reached", async () => {
    await call("/revocations?after=3")
    const proof = readProof(String(seen.at(-1)?.request.headers.dpop))
    expect(proof).toMatchObject({ htm: "GET", htu: `${ISSUER}/revocations` })
    expect(seen.at(-1)?.path).toBe("/revocations?after=3")
  })

  test.each([429, 500, 503])("answered %i is no answer", async (code) => {
    callStatus = () => code
    await expect(call()).rejects.toBeInstanceOf(Unreachable)
  })
})
