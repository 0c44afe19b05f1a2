// Genuine tokens used wrongly, twins of them, and what a cache or a careless host could make of them.
import { join } from "node:path"
import { Hono } from "hono"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { guard } from "../../src/guard/hono.ts"
import { newId } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createVerifier, type Decision } from "../../src/verifier/verifier.ts"
import { createApp, type GuardedApi, optionsOf, startGuardedApi } from "../support/guarded-api.ts"
import { json, startIssuerStub } from "../support/issuer-stub.ts"

let api: GuardedApi
beforeAll(async () => {
  api = await startGuardedApi()
})
afterEach(() => {
  api.handled.length = 0
  api.stub.overrides.clear()
})
afterAll(() => api.close())

const TICKET = "/tickets/SUP-1042"
const status = async (token: string, path = TICKET) => (await api.get(path, token)).status
const viewOf = (token: string) => ({
  method: "GET",
  target: TICKET,
  rawHeaders: ["Authorization", `Bearer ${token}`],
})
const codeOf = (decision: Decision): string =>
  decision.outcome === "refused" ? JSON.parse(decision.answer.body).code : decision.outcome
const taskUses = async (task: string) => {
  await api.verifier.flush()
  return api.stub.uses().filter((use) => use.task === task)
}

/** The signature with s replaced by n - s: it holds as well (FIPS 186-5 does not forbid it). */
function twinOf(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const [head, body, signature = ""] = token.split(".")
  const bytes = Buffer.from(signature, "base64url")
  const s = BigInt(`0x${bytes.subarray(32).toString("hex")}`)
  const other = (order - s).toString(16).padStart(64, "0")
  return `${head}.${body}.${Buffer.concat([bytes.subarray(0, 32), Buffer.from(other, "hex")]).toString("base64url")}`
}

test("A17 the twin of a signature is the same token: recorded as it, and revoked with it", async () => {
  const task = newId("task")
  const token = api.stub.mint({ txn: task })
  const twin = twinOf(token)
  expect(twin).not.toBe(token)
  expect([await status(token), await status(twin)]).toEqual([200, 200])
  const uses = await taskUses(task)
  expect(new Set(uses.map((use) => use.jti)).size).toBe(1)
  api.stub.revoke({ kind: "token", value: uses[0]?.jti ?? "" })
  await vi.waitFor(async () => expect(await status(token)).toBe(401), 5000)
  expect(await status(twin)).toBe(401)
})

test("A11 a key that the issuer does not publish is no key, whosever it is", async () => {
  const retired = importSigningKey(generatePrivateJwk("ES256"))
  expect(await status(api.stub.mint({}, retired))).toBe(401)
})

test("A12 a key set with a duplicate name is refused whole; what was known goes on", async () => {
  const token = api.stub.mint()
  const evil = importSigningKey(generatePrivateJwk("ES256"))
  const [ours] = api.stub.signing
  const double = [ours?.publicJwk, { ...evil.publicJwk, kid: ours?.kid }, evil.publicJwk]
  api.stub.overrides.set("/.well-known/jwks.json", () => json(200, { keys: double }))
  api.clock.advance(31_000)
  expect(await status(api.stub.mint({}, evil))).toBe(503)
  expect(await status(token)).toBe(200)
})

describe("B11 a request whose resource can't be told", () => {
  test("is granted nothing, and recorded without one", async () => {
    const task = newId("task")
    const decision = await api.verifier.check(viewOf(api.stub.mint({ txn: task })), "tickets:read", undefined)
    expect(codeOf(decision)).toBe("segment_invalid")
    const [use] = await taskUses(task)
    expect(use).toMatchObject({ decision: "refused", code: "segment_invalid" })
    expect(use).not.toHaveProperty("resource")
  })

  test("because the route has no such parameter, or an empty one", async () => {
    const app = new Hono()
    app.get("/all", guard(api.verifier, "tickets:read", "tickets/{id}"), (c) => c.text("ran"))
    app.get("/one/:id?", guard(api.verifier, "tickets:read", "tickets/{id}"), (c) => c.text("ran"))
    const headers = { authorization: `Bearer ${api.stub.mint()}` }
    for (const path of ["/all", "/all?id=SUP-1042", "/one", "/one?id=SUP-1042"])
      expect((await app.request(path, { headers })).status).toBe(403)
  })
})

describe("L09 a token that was verified once", () => {
  test("ends when it ends, is revoked when it is, and never lends its result to another text", async () => {
    const now = Math.floor(api.clock.now() / 1000)
    const token = api.stub.mint({ iat: now, exp: now + 300 })
    expect(await status(token)).toBe(200)
    expect(await status(`${token}A`)).toBe(401)
    expect(await status(token.slice(0, -1))).toBe(401)
    expect(await status(token, "/tickets/SUP-1043")).toBe(403)
    api.clock.advance(305_000)
    await vi.waitFor(async () => expect(await status(api.stub.mint())).toBe(200))
    expect(await status(token)).toBe(200)
    api.clock.advance(1000)
    expect(await status(token)).toBe(401)
  })
})

test("L20 two verifiers in one process share nothing: each knows its own issuer only", async () => {
  const other = await startIssuerStub(api.clock)
  const second = await createVerifier(
    optionsOf(other.issuer, join(api.folder, "other.db"), { clock: api.clock }),
  )
  await vi.waitFor(() => expect(second.ready().ready).toBe(true), 5000)
  const [ours, theirs] = [api.stub.mint(), other.mint()]
  const check = (text: string) => second.check(viewOf(text), "tickets:read", ["tickets", "SUP-1042"])
  expect([await status(ours), codeOf(await check(ours))]).toEqual([200, "token_invalid"])
  expect([await status(theirs), codeOf(await check(theirs))]).toEqual([401, "allowed"])
  await second.close()
  await other.close()
})

test("L19 a handler that throws leaves its use, with the status that went out", async () => {
  const app = new Hono()
  app.onError((_, c) => c.text("broken", 500))
  app.get("/tickets/:id", guard(api.verifier, "tickets:read", "tickets/{id}"), () => {
    throw new Error("broken")
  })
  const task = newId("task")
  const headers = { authorization: `Bearer ${api.stub.mint({ txn: task })}` }
  expect((await app.request(TICKET, { headers })).status).toBe(500)
  expect(await taskUses(task)).toMatchObject([{ decision: "allowed", status: 500 }])
})

test("L22 a polluted prototype changes no decision", async () => {
  const polluted = Object.prototype as Record<string, unknown>
  const token = api.stub.mint()
  const additions = {
    id: "SUP-1042",
    admin: true,
    outcome: "allowed",
    authorization: `Bearer ${token}`,
    code: "x",
  }
  try {
    for (const [name, value] of Object.entries(additions))
      Object.defineProperty(polluted, name, { value, configurable: true, writable: true })
    const check = (rawHeaders: string[], resource?: string[]) =>
      api.verifier.check({ method: "GET", target: TICKET, rawHeaders }, "tickets:read", resource)
    const bearer = ["Authorization", `Bearer ${token}`]
    expect(codeOf(await check([]))).toBe("token_missing")
    expect(codeOf(await check(bearer, undefined))).toBe("segment_invalid")
    expect(codeOf(await check(bearer, ["tickets", "SUP-1042"]))).toBe("allowed")
    expect(codeOf(await check(bearer, ["tickets", "SUP-1043"]))).toBe("resource_not_granted")
  } finally {
    for (const name of Object.keys(additions)) delete polluted[name]
  }
})

test("K01 no token, key or proof in what a verifier says of its troubles", async () => {
  const token = api.stub.mint()
  api.stub.overrides.set("/uses", () => ({
    status: 400,
    body: `${token} ${JSON.stringify(api.stub.received)}`,
  }))
  api.stub.overrides.set("/catalogue", () => ({ status: 200, body: token }))
  api.stub.overrides.set("/revocations", () => ({ status: 200, body: `{"items":["${token}"],"cursor":99}` }))
  await createApp(api.verifier, api.handled).request(TICKET, {
    headers: { authorization: `Bearer ${token}` },
  })
  await vi.waitFor(
    () => expect(api.verifier.ready().reasons.join()).toMatch(/uses: .*revocations: |revocations: .*uses: /),
    5000,
  )
  const said = api.verifier.ready().reasons.join("\n")
  expect(said).not.toMatch(/eyJ|service-|"d"/)
  const answer = await (await api.get("/tickets/SUP-1043", token)).text()
  expect(answer).not.toMatch(/eyJ/)
})
