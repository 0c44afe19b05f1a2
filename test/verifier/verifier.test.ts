import type { HttpBindings } from "@hono/node-server"
import { Hono } from "hono"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { guard } from "../../src/verifier/hono.ts"
import { type GuardedApi, serveApp, startGuardedApi } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"

const METADATA = `resource_metadata="${API}/.well-known/oauth-protected-resource"`
let api: GuardedApi
beforeAll(async () => {
  api = await startGuardedApi()
})
afterEach(() => {
  api.handled.length = 0
})
afterAll(() => api.close())

describe("an allowed request", () => {
  test("reaches its handler with the checked values, and the ledger's side hears of it with status and duration", async () => {
    const task = newId("task")
    const answer = await api.get("/tickets/SUP-1042?status=201", api.stub.mint({ txn: task }))
    expect(answer.status).toBe(201)
    expect(api.handled[0]?.use).toEqual({
      task,
      agent: "triage-bot",
      instance: "pod-7f3c",
      sub: "support-orchestrator",
      orchestrator: "support-orchestrator",
      operation: "tickets:read",
      resource: ["tickets", "SUP-1042"],
      parameters: { id: "SUP-1042" },
      useId: expect.stringMatching(/^use_/),
    })
    await api.verifier.flush()
    const use = api.stub.uses().find((one) => one.task === task)
    expect(use).toMatchObject({
      id: api.handled[0]?.use.useId,
      at: "2026-03-01T09:00:00.250Z",
      actor: "triage-bot/pod-7f3c",
      client: "support-orchestrator",
      api: API,
      operation: "tickets:read",
      resource: ["tickets", "SUP-1042"],
      method: "GET",
      route: "/tickets/:id",
      decision: "allowed",
      status: 201,
      duration_ms: 0,
    })
    expect(JSON.stringify(use)).not.toContain("?status")
  })

  test("has no credential left on it, wherever the handler looks", async () => {
    const key = importSigningKey(generatePrivateJwk("ES256"))
    expect((await api.get("/tickets/SUP-1042", api.stub.mint(), { dpop: key.kid })).status).toBe(200)
    expect(api.handled[0]?.authorization).toBeUndefined()
    expect(api.handled[0]?.rest.filter((one) => one !== undefined && one !== null)).toEqual([])
  })
})

test("the credential is gone too where a middleware has read it before, and where there is no node server", async () => {
  const seen: unknown[] = []
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.use(async (c, next) => {
    seen.push(c.req.header("authorization")?.slice(0, 7))
    seen.push(c.env?.incoming?.headersDistinct.authorization?.length)
    await next()
  })
  app.get("/tickets/:id", guard(api.verifier, "tickets:read", "tickets/{id}"), (c) => {
    const { incoming } = c.env ?? {}
    const left = [c.req.header(), [...c.req.raw.headers], incoming?.headers, incoming?.headersDistinct]
    return c.json([left, incoming?.rawHeaders ?? null])
  })
  const headers = { authorization: `Bearer ${api.stub.mint()}`, dpop: "x", accept: "application/json" }
  const { server, address } = await serveApp(app)
  for (const answer of [
    await fetch(`${address}/tickets/SUP-1042`, { headers }),
    await app.request("/tickets/SUP-1042", { headers }),
  ]) {
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(text).toContain("application/json")
    expect(text).not.toMatch(/authorization|dpop|bearer|eyJ/i)
  }
  expect(seen).toEqual(["Bearer ", 1, "Bearer ", undefined])
  await new Promise((resolve) => server.close(resolve))
})

describe("a refusal", () => {
  const other = importSigningKey(generatePrivateJwk("ES256"))
  const seconds = () => Math.floor(api.clock.now() / 1000)
  const mint = (...changes: Parameters<typeof api.stub.mint>) => api.stub.mint(...changes)
  const CASES: readonly [string, () => Promise<Response>, number, string | null, string, string][] = [
    [
      "no token",
      () => fetch(`${api.address}/tickets/SUP-1042`),
      401,
      `Bearer ${METADATA}`,
      "token_missing",
      "stop",
    ],
    [
      "junk",
      () => api.get("/tickets/SUP-1042", "junk"),
      401,
      `Bearer error="invalid_token", ${METADATA}`,
      "token_invalid",
      "stop",
    ],
    [
      "a forged token",
      () => api.get("/tickets/SUP-1042", mint({}, other)),
      401,
      `Bearer error="invalid_token", ${METADATA}`,
      "token_invalid",
      "stop",
    ],
    [
      "another API's token",
      () => api.get("/tickets/SUP-1042", mintFor("https://other.example")),
      401,
      `Bearer error="invalid_token", ${METADATA}`,
      "token_invalid",
      "stop",
    ],
    [
      "an expired token",
      () => api.get("/tickets/SUP-1042", mint({ iat: seconds() - 600, exp: seconds() - 6 })),
      401,
      `Bearer error="invalid_token", ${METADATA}`,
      "token_expired",
      "renew",
    ],
    [
      "a token of the future",
      () => api.get("/tickets/SUP-1042", mint({ iat: seconds() + 6, exp: seconds() + 600 })),
      401,
      `Bearer error="invalid_token", ${METADATA}`,
      "token_invalid",
      "stop",
    ],
    [
      "another resource",
      () => api.get("/tickets/SUP-1043", mint()),
      403,
      `Bearer error="insufficient_scope", scope="tickets:read", ${METADATA}`,
      "resource_not_granted",
      "stop",
    ],
    [
      "a segment that is not data",
      () => api.get("/tickets/SUP-1042%2F..", mint()),
      403,
      `Bearer error="insufficient_scope", scope="tickets:read", ${METADATA}`,
      "segment_invalid",
      "stop",
    ],
    [
      "another operation",
      () => api.get("/tickets/SUP-1042", mintOnly("tickets:close")),
      403,
      `Bearer error="insufficient_scope", scope="tickets:read", ${METADATA}`,
      "operation_not_granted",
      "stop",
    ],
    [
      "a token in the query",
      () => api.get("/tickets/SUP-1042?access_token=x", mint()),
      400,
      `Bearer error="invalid_request", ${METADATA}`,
      "credential_ambiguous",
      "stop",
    ],
    [
      "a bound token as Bearer",
      () => api.get("/tickets/SUP-1042", mint({ jkt: other.thumbprint })),
      401,
      `DPoP error="invalid_token", algs="ES256 EdDSA", ${METADATA}`,
      "token_invalid",
      "stop",
    ],
    [
      "a bound token without proof",
      () => api.get("/tickets/SUP-1042", "", { authorization: `DPoP ${mint({ jkt: other.thumbprint })}` }),
      401,
      `DPoP error="invalid_dpop_proof", algs="ES256 EdDSA", ${METADATA}`,
      "proof_invalid",
      "renew",
    ],
  ]
  const grantsOf = (aud: string, operation: string) => [
    { api: aud, operations: [operation], resources: [["tickets", "SUP-1042"]], rule: "support.yaml#/0" },
  ]
  const mintFor = (aud: string) => mint({ aud, grants: grantsOf(aud, "other:read") })
  const mintOnly = (operation: string) => mint({ grants: grantsOf(API, operation) })

  test.each(CASES)(
    "of %s is the contract's answer, and no handler runs",
    async (_, send, status, challenge, code, next) => {
      const answer = await send()
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([status, challenge])
      expect(answer.headers.get("content-type")).toBe("application/problem+json")
      expect(answer.headers.get("cache-control")).toBe("no-store")
      expect(answer.headers.get("vary")).toBe("Authorization, DPoP")
      expect(await answer.json()).toMatchObject({ type: "about:blank", status, code, next })
      expect(api.handled).toEqual([])
    },
  )

  test("of a genuine token is recorded with its code; of junk it is not", async () => {
    const [task, stranger] = [newId("task"), newId("task")]
    await api.get("/tickets/SUP-1043%2Fx", api.stub.mint({ txn: task }))
    await api.get("/tickets/SUP-1043", api.stub.mint({ txn: stranger }, other))
    await api.verifier.flush()
    expect(api.stub.uses().filter((one) => one.task === stranger)).toEqual([])
    expect(api.stub.uses().filter((one) => one.task === task)).toMatchObject([
      { decision: "refused", code: "segment_invalid", status: 403, resource: ["tickets", "SUP-1043/x"] },
    ])
  })
})
