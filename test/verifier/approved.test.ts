// Tokens that a person approved, at every host: the parameters that were shown and no others, and one use for each token.
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import express from "express"
import fastify from "fastify"
import { Hono } from "hono"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { guard as guardExpress } from "../../src/guard/express.ts"
import { guarded as guardedExpress } from "../../src/guard/express-mount.ts"
import { guard as guardFastify } from "../../src/guard/fastify.ts"
import { guarded as guardedFastify } from "../../src/guard/fastify-mount.ts"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guarded as guardedHono } from "../../src/guard/hono-mount.ts"
import { guard as guardTool } from "../../src/guard/mcp.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import { newId } from "../../src/token/id.ts"
import { canonicalParameters } from "../../src/token/parameters.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
import { newFolder, removeFolder, startVerifier } from "../support/guarded-api.ts"
import { listen } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { startProxy } from "../support/sidecar-host.ts"

const CLOSE = ["tickets:close", "tickets/{id}"] as const
const PATH = "/tickets/:id/close"
const PARAMETERS = { resolution: "fixed", notify: ["ana"] }

let started: Awaited<ReturnType<typeof startVerifier>>
/** Bodies that reached a handler. */
const handled: unknown[] = []
const closed = (body: unknown) => {
  handled.push(body)
  return { closed: true }
}

beforeAll(async () => {
  started = await startVerifier()
})
afterAll(() => started.close())

type Start = (verifier: Verifier) => Promise<Server>

const hono: Start = (verifier) => {
  const api = new Hono()
  const guard = guardHono(verifier, ...CLOSE, { parameters: (c) => c.req.json() })
  api.post(PATH, guard, async (c) => c.json(closed(await c.req.json())))
  return listen(createServer(getRequestListener(guardedHono(verifier, api).fetch)))
}

const expressHost: Start = (verifier) => {
  const api = express.Router()
  const guard = guardExpress(verifier, ...CLOSE, { parameters: (req) => req.body })
  api.post(PATH, guard, (req, res) => void res.json(closed(req.body)))
  return listen(createServer(express().use(express.json()).use(guardedExpress(verifier, api))))
}

const fastifyHost: Start = async (verifier) => {
  const app = fastify()
  app.register(async (api) => {
    guardedFastify(verifier, api)
    const preValidation = guardFastify(verifier, ...CLOSE, { parameters: (request) => request.body })
    api.post(PATH, { preValidation }, async (request) => closed(request.body))
  })
  await app.listen({ port: 0, host: "127.0.0.1" })
  return app.server
}

const node: Start = (verifier) => {
  const bodies = new WeakMap<object, unknown>()
  const guard = guardNode(verifier, ...CLOSE, {
    async parameters(req) {
      const body: unknown = JSON.parse((await req.toArray()).join(""))
      bodies.set(req, body)
      return body
    },
  })
  return listen(
    createServer((req, res) => {
      const parameters = { id: req.url?.split("/")[2] }
      const answer = () => res.end(JSON.stringify(closed(bodies.get(req))))
      guard(req, res, { route: PATH, parameters }, answer).catch(() => res.destroy())
    }),
  )
}

const granted = (parameters: unknown, once = false) => [
  {
    api: API,
    operations: ["tickets:close"],
    resources: [["tickets", "SUP-1042"]],
    rule: "support.yaml#/1",
    parameters: canonicalParameters(parameters)?.digest ?? "",
    ...(once && { once: true as const }),
  },
]
const mint = (parameters: unknown, once = false) =>
  started.stub.mint({ grants: granted(parameters, once), jti: newId("tok") })

async function post(server: Server, token: string, body: string) {
  const { port } = server.address() as AddressInfo
  const answer = await fetch(`http://127.0.0.1:${port}/tickets/SUP-1042/close`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body,
  })
  const { code }: { code?: string } = JSON.parse((await answer.text()) || "{}")
  return [answer.status, code]
}

describe.each([
  ["hono", hono],
  ["express", expressHost],
  ["fastify", fastifyHost],
  ["node", node],
] as const)("at %s", (_name, start) => {
  let server: Server
  beforeAll(async () => {
    server = await start(started.verifier)
  })
  afterAll(() => void server.close())

  test("the parameters that were approved reach the handler, however their members are ordered", async () => {
    const body = '{ "notify": ["ana"], "resolution": "fixed" }'
    expect(await post(server, mint(PARAMETERS), body)).toEqual([200, undefined])
    expect(handled.pop()).toEqual(PARAMETERS)
  })

  test.each([
    ["another value", '{"resolution":"deleted","notify":["ana"]}'],
    ["a member more", '{"resolution":"fixed","notify":["ana"],"force":true}'],
    ["a member less", '{"resolution":"fixed"}'],
    ["another type", '{"resolution":"fixed","notify":"ana"}'],
  ])("C13 parameters changed after approval: with %s no handler runs", async (_how, body) => {
    const before = handled.length
    expect(await post(server, mint(PARAMETERS), body)).toEqual([403, "parameters_not_granted"])
    expect(handled).toHaveLength(before)
  })

  test("what was approved without parameters passes with none", async () => {
    expect(await post(server, mint(undefined), '{"resolution":"fixed"}')).toEqual([
      403,
      "parameters_not_granted",
    ])
  })

  test("B22 a token for one use is served once, whoever comes at once", async () => {
    const token = mint(PARAMETERS, true)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(server, token, JSON.stringify(PARAMETERS))),
    )
    expect(answers.filter(([status]) => status === 200)).toHaveLength(1)
    expect(answers.filter(([, code]) => code === "token_used")).toHaveLength(7)
  })

  test("B22 the wrong parameters cost nobody the one use", async () => {
    const token = mint(PARAMETERS, true)
    expect(await post(server, token, "{}")).toEqual([403, "parameters_not_granted"])
    expect(await post(server, token, JSON.stringify(PARAMETERS))).toEqual([200, undefined])
  })

  test.each([
    ["is not there", { status: 503, body: "" }],
    ["does not know of claims", { status: 404, body: "{}" }],
    ["says neither", { status: 200, body: "{}" }],
    ["answers no JSON", { status: 200, body: "<html>" }],
  ])("B22 where the issuer %s, a token for one use is not served", async (_how, answer) => {
    started.stub.overrides.set("/uses/claims", () => answer)
    const answered = await post(server, mint(PARAMETERS, true), JSON.stringify(PARAMETERS))
    started.stub.overrides.delete("/uses/claims")
    expect(answered).toEqual([503, "temporarily_unavailable"])
  })
})

test("a use that was claimed is recorded under the id that it was claimed with", async () => {
  const [jti, txn] = [newId("tok"), newId("task")]
  const server = await hono(started.verifier)
  const token = started.stub.mint({ grants: granted(PARAMETERS, true), jti, txn })
  expect(await post(server, token, JSON.stringify(PARAMETERS))).toEqual([200, undefined])
  expect((await post(server, token, JSON.stringify(PARAMETERS)))[1]).toBe("token_used")
  server.close()
  await started.verifier.flush()
  const uses = started.stub.uses().filter((use) => use.task === txn)
  expect(uses.map(({ decision, code }) => [decision, code])).toEqual([
    ["allowed", undefined],
    ["refused", "token_used"],
  ])
  expect(started.stub.claims.get(jti)).toBe(uses[0]?.id)
})

test("of a tool's call its arguments are the parameters", async () => {
  const close = guardTool(started.verifier, ...CLOSE)
  const view = (token: string) => ({
    method: "POST",
    target: "/mcp",
    rawHeaders: ["Authorization", `Bearer ${token}`],
  })
  const args = { id: "SUP-1042", resolution: "fixed" }
  const decided = await close(view(mint(args)), args)
  expect(decided.outcome).toBe("allowed")
  const other = await close(view(mint(args)), { ...args, resolution: "deleted" })
  expect(other).toMatchObject({ outcome: "refused", code: "parameters_not_granted" })
})

test("the sidecar reads no body: only what was approved without parameters passes", async () => {
  const upstream = await listen(createServer((_, res) => res.end('{"closed":true}')))
  const { server, proxy } = await startProxy(started.verifier, upstream)
  expect(await post(server, mint(undefined), "{}")).toEqual([200, undefined])
  expect(await post(server, mint({}), "{}")).toEqual([403, "parameters_not_granted"])
  for (const one of [server, upstream]) one.close()
  proxy.close()
})

const checkAt = ({ check }: Verifier, token: string, given?: () => unknown) =>
  check(
    { method: "POST", target: "/", rawHeaders: ["Authorization", `Bearer ${token}`] },
    ...(["tickets:close", ["tickets", "SUP-1042"], {}] as const),
    given,
  )
const codeOf = (decided: Awaited<ReturnType<Verifier["check"]>>) =>
  decided.outcome === "refused" ? decided.code : decided.outcome

describe("whoever sends the parameters decides how long they take: meanwhile", () => {
  let own: Awaited<ReturnType<typeof startVerifier>>
  beforeAll(async () => {
    own = await startVerifier()
  })
  afterAll(() => own.close())

  const revoke = (value: string) => own.stub.revoke({ kind: "task", value, code: "task_ended" })
  test.each<[string, boolean, string, (txn: string) => void]>([
    ["a token whose task ends", false, "task_ended", revoke],
    ["one for one use", true, "task_ended", revoke],
    ["a token that runs out", false, "token_expired", () => own.clock.advance(700_000)],
  ])("%s opens nothing, and claims nothing", async (_, once, code, end) => {
    const [jti, txn] = [newId("tok"), newId("task")]
    const token = own.stub.mint({ grants: granted(PARAMETERS, once), jti, txn })
    const other = own.stub.mint({ grants: granted(PARAMETERS), txn })
    const body = Promise.withResolvers<unknown>()
    const waiting = checkAt(own.verifier, token, () => body.promise)
    end(txn)
    await vi.waitFor(async () => {
      expect(codeOf(await checkAt(own.verifier, other, () => PARAMETERS))).toBe(code)
    }, 10_000)
    body.resolve(PARAMETERS)
    expect(codeOf(await waiting)).toBe(code)
    expect(own.stub.claims.has(jti)).toBe(false)
  })
})

test("B22 where the use can't be recorded, the one use that there is stays", async () => {
  const folder = newFolder()
  const own = await startVerifier({ spool: { path: join(folder, "uses.db"), limitBytes: 65_536 } })
  const [jti, txn] = [newId("tok"), newId("task")]
  const free = own.stub.mint({ txn, grants: granted({ a: 1 }) })
  const token = own.stub.mint({ txn, grants: granted({ a: 1 }, true), jti })
  const decide = async (text: string) => {
    const decided = await checkAt(own.verifier, text, () => ({ a: 1 }))
    if (decided.outcome === "allowed") decided.finished(200)
    return codeOf(decided)
  }
  own.stub.overrides.set("/uses", () => ({ status: 503, body: "{}" }))
  let last = ""
  for (let use = 0; use < 200 && last !== "recording_unavailable"; use++) last = await decide(free)
  expect(await decide(token)).toBe("recording_unavailable")
  expect(own.stub.claims.has(jti)).toBe(false)
  own.stub.overrides.delete("/uses")
  await own.verifier.flush()
  expect(await decide(token)).toBe("allowed")
  await own.close()
  removeFolder(folder)
})

describe("a guard whose host finds no parameters", () => {
  const check = (token: string, given?: () => unknown) => checkAt(started.verifier, token, given)
  test.each([
    ["undefined", () => undefined],
    ["a fault", () => Promise.reject(new Error("broken"))],
    ["what is no JSON", () => ({ value: 1n })],
    ["what has no end", () => endless()],
  ])("%s lets nothing through that was approved", async (_what, given) => {
    expect(await check(mint(undefined), given)).toMatchObject({ code: "parameters_not_granted" })
    expect(await check(mint(PARAMETERS), given)).toMatchObject({ code: "parameters_not_granted" })
  })

  test("and asks nothing for a token that nobody had to approve", async () => {
    const decided = await check(started.stub.mint(), () => {
      throw new Error("asked")
    })
    expect(decided.outcome).toBe("allowed")
  })
})

function endless(): object {
  const value: { self?: object } = {}
  value.self = value
  return value
}
