// Requests that try to reach what their token does not grant, as bytes on a socket, at a real server. What
// routers make of paths is in test/guard/router.contract.ts, for every framework.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Hono } from "hono"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { guard } from "../../src/guard/hono.ts"
import { newId } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { compact, header as headerOf } from "../support/forge.ts"
import { type GuardedApi, startGuardedApi } from "../support/guarded-api.ts"
import { API, OPERATIONS } from "../support/issuer-stub.ts"

let api: GuardedApi
let token: string
beforeAll(async () => {
  api = await startGuardedApi()
  const grants = [
    { api: API, operations: OPERATIONS, resources: [["tickets", "42"]], rule: "support.yaml#/0" },
  ]
  token = api.stub.mint({ grants })
})
afterEach(() => {
  api.handled.length = 0
})
afterAll(() => api.close())

const send = (line: string, ...headers: string[]) =>
  api.raw([line, "Host: tickets.internal.example", "Connection: close", ...headers, "", ""].join("\r\n"))
const bearer = (text = token) => `Authorization: Bearer ${text}`

describe("A29 a credential in another place, or more than one", () => {
  const LINE = "GET /tickets/42 HTTP/1.1"
  test.each([
    ["in any case of the scheme", () => [`authorization: bearer ${token}`], 200],
    ["in capitals", () => [`AUTHORIZATION: BEARER ${token}`], 200],
    ["twice", () => [bearer(), bearer()], 400],
    ["twice, the second junk", () => [bearer(), "Authorization: Basic x"], 400],
    ["twice, the first junk", () => ["Authorization: Basic x", bearer()], 400],
    ["as a list", () => [`Authorization: Bearer ${token}, Bearer ${token}`], 400],
    ["with two spaces", () => [`Authorization: Bearer  ${token}`], 401],
    ["with a tab", () => [`Authorization: Bearer\t${token}`], 401],
    ["with something behind it", () => [`Authorization: Bearer ${token} x`], 401],
    ["alone, without scheme", () => [`Authorization: ${token}`], 401],
    ["of scheme Basic", () => [`Authorization: Basic ${token}`], 401],
    ["of scheme JWT", () => [`Authorization: JWT ${token}`], 401],
    ["in a cookie", () => [`Cookie: access_token=${token}`], 401],
    ["in X-Authorization", () => [`X-Authorization: Bearer ${token}`], 401],
    ["in Proxy-Authorization", () => [`Proxy-Authorization: Bearer ${token}`], 401],
    ["with two proofs", () => [bearer(), "DPoP: x", "DPoP: y"], 400],
  ])("%s", async (_, headers, status) => {
    expect((await send(LINE, ...headers())).status).toBe(status)
    expect(api.handled.length).toBe(status === 200 ? 1 : 0)
  })

  test.each([
    "?access_token",
    "?access%5Ftoken",
    "?ACCESS_TOKEN",
    "?%61ccess_token",
    "?access_toke%6e",
    "?acces%73_t%4Fken",
    "?%61%63%63%65%73%73%5f%74%6f%6b%65%6e",
    "?access_token[]",
    "?access_token%5B0%5D",
    "?x=%zz&access_token",
    "?access+token",
    "?access.token",
    "?x;access_token",
    ";access_token",
    "#access_token",
  ])("in the query as %s", async (name) => {
    for (const headers of [[], [bearer()]]) {
      const answer = await send(`GET /tickets/42${name}=${token} HTTP/1.1`, ...headers)
      expect(answer.status).toBe(400)
      expect(answer.text).not.toContain(token)
    }
    expect(api.handled).toEqual([])
  })

  test.each([
    "?access%255ftoken",
    "?%2561ccess_token",
    "?my_access_token",
    "?access_tokens",
    "?x%26access_token",
    "?x[access_token]",
  ])("under another name is none: %s", async (name) => {
    expect((await send(`GET /tickets/42${name}=x HTTP/1.1`, bearer())).status).toBe(200)
  })

  test("at the end of a target of any length", async () => {
    const rawHeaders = ["authorization", `Bearer ${token}`]
    for (const filler of ["a", "&", "a=&", "%61", "&access_token", ";access_token["]) {
      const target = `/tickets/42?${filler.repeat(200_000 / filler.length)}&access_token=x`
      const answer = await api.verifier.check({ method: "GET", target, rawHeaders }, "tickets:read", [
        "tickets",
        "42",
      ])
      expect(answer).toMatchObject({ outcome: "refused", answer: { status: 400 } })
    }
  })

  test("in a form body", async () => {
    const body = `access_token=${token}`
    const headers = ["Content-Type: application/x-www-form-urlencoded", `Content-Length: ${body.length}`]
    const request = ["POST /tickets/42/close HTTP/1.1", "Host: x", "Connection: close", ...headers, "", body]
    expect((await api.raw(request.join("\r\n"))).status).toBe(401)
    expect(api.handled).toEqual([])
  })
})

test("A08 a header that names an address makes no connection, and no key", async () => {
  const hits: string[] = []
  const canary = createServer((request, response) => {
    hits.push(request.url ?? "")
    response.end("{}")
  })
  await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve))
  const address = `http://127.0.0.1:${(canary.address() as AddressInfo).port}/keys`
  const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const [ours] = api.stub.signing
  const before = api.stub.requests.filter((one) => one.includes("jwks")).length
  for (const url of [address, "http://169.254.169.254/latest", "file:///etc/passwd"])
    for (const member of ["jku", "x5u"])
      for (const signer of [key, ...(ours ? [ours] : [])]) {
        const forged = compact(headerOf({ [member]: url }, signer), payload, signer)
        expect((await api.get("/tickets/42", forged)).status).toBe(401)
      }
  expect(hits).toEqual([])
  expect(api.stub.requests.filter((one) => one.includes("jwks")).length).toBe(before)
  expect(api.handled).toEqual([])
  await new Promise((resolve) => canary.close(resolve))
})

describe("B21 one token, many requests", () => {
  test("a thousand at once are all served, each with a use of its own", async () => {
    const task = newId("task")
    const grants = [
      { api: API, operations: OPERATIONS, resources: [["tickets", "42"]], rule: "support.yaml#/0" },
    ]
    const one = api.stub.mint({ grants, txn: task })
    const answers = await Promise.all(Array.from({ length: 1000 }, () => api.get("/tickets/42", one)))
    expect(answers.every((answer) => answer.status === 200)).toBe(true)
    await api.verifier.flush()
    const uses = api.stub.uses().filter((use) => use.task === task)
    expect(new Set(uses.map((use) => use.id)).size).toBe(1000)
    expect(uses.every((use) => use.decision === "allowed" && use.status === 200)).toBe(true)
  })
})

test("B20 a handler that outlasts its token is decided and recorded once, at its start; the next request is refused", async () => {
  const task = newId("task")
  const [entered, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const app = new Hono()
  app.get("/tickets/:id", guard(api.verifier, "tickets:read", "tickets/{id}"), async (c) => {
    entered.resolve()
    await held.promise
    return c.text("at last")
  })
  const headers = { authorization: `Bearer ${api.stub.mint({ txn: task })}` }
  const began = new Date(api.clock.now()).toISOString()
  const running = Promise.resolve(app.request("/tickets/SUP-1042", { headers }))
  await entered.promise
  api.clock.advance(3_000_000)
  expect((await app.request("/tickets/SUP-1042", { headers })).status).toBe(401)
  held.resolve()
  expect((await running).status).toBe(200)
  await api.verifier.flush()
  const uses = api.stub.uses().filter((use) => use.task === task)
  expect(uses.toSorted((one, other) => one.at.localeCompare(other.at))).toMatchObject([
    { decision: "allowed", at: began, status: 200, duration_ms: 3_000_000 },
    { decision: "refused", code: "token_expired" },
  ])
})
