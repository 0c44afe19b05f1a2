// The contract of adapters, on each framework, and what only one of them has.
import type { RequestListener } from "node:http"
import express, { type RequestHandler, Router } from "express"
import fastify from "fastify"
import { Hono } from "hono"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { guard as guardExpress } from "../../src/guard/express.ts"
import { guard as guardFastify } from "../../src/guard/fastify.ts"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
import { startVerifier } from "../support/guarded-api.ts"
import { bearer, statusesOf } from "../support/hosted-api.ts"
import { HOSTS } from "../support/hosts.ts"
import { API, OPERATIONS } from "../support/issuer-stub.ts"
import { sidecar } from "../support/sidecar-host.ts"
import { describeAdapter } from "./adapter.contract.ts"

const DIFFERENCES = {
  // Hono's guard knows what the handler made, whether it arrived or not.
  hono: { away: 201, unmapped: ["GET /open"] },
  express: { away: undefined, unmapped: ["GET /open"] },
  fastify: { away: undefined, unmapped: ["GET /open", "HEAD /open"] },
  node: { away: undefined, unmapped: ["GET /open"] },
  // It serves what its table says and nothing else.
  sidecar: {
    away: undefined,
    unmapped: [],
    route: (path: string) => path.replace(/:(\w+)/g, "{$1}"),
    health: 403,
  },
}

describe.each([...HOSTS, sidecar])("L18 $name", (host) => {
  describeAdapter(host, DIFFERENCES[host.name])
})

let started: Awaited<ReturnType<typeof startVerifier>>
beforeAll(async () => {
  started = await startVerifier()
})
afterAll(() => started.close())
const READ = ["tickets:read", "tickets/{id}"] as const
const PATH = "/tickets/SUP-1042"
const authorized = () => ({ headers: { authorization: `Bearer ${started.stub.mint()}` } })

describe("Express decides on what it matched", () => {
  const ran: unknown[] = []
  const handler: RequestHandler = (req, res) => {
    ran.push(req.task.parameters.id)
    res.send("ran")
  }
  const app = () => {
    const guard = guardExpress(started.verifier, ...READ)
    const one = express()
    one.get("/wild/*id", guard, handler)
    one.get("/optional{/:id}", guard, handler)
    one.get(["/either/:id", "/or/:id"], guard, handler)
    one.get(/^\/pattern\/(?<id>.+)$/, guard, handler)
    one.use("/merged/:id", Router({ mergeParams: true }).get("/", guard, handler))
    one.use("/apart/:id", Router().get("/", guard, handler))
    one.use("/shadowed/:id", Router({ mergeParams: true }).get("/:id", guard, handler))
    one.use("/used/:id", guard, handler)
    return one
  }
  test.each([
    ["a wildcard's list is no value", "/wild/SUP-1042", 403],
    ["nor is one of many", "/wild/SUP-1042/SUP-1043", 403],
    ["an absent parameter is none", "/optional", 403],
    ["a present one is", "/optional/SUP-1042", 200],
    ["one path of several", "/or/SUP-1042", 200],
    ["a pattern's named group", "/pattern/SUP-1042", 200],
    ["with a slash in it", "/pattern/SUP-1042/x", 403],
    ["a parameter of the router above, merged", "/merged/SUP-1042", 200],
    ["another one", "/merged/SUP-1043", 403],
    ["not merged", "/apart/SUP-1042", 403],
    ["the inner of two that are named alike", "/shadowed/SUP-1043/SUP-1042", 200],
    ["and not the outer", "/shadowed/SUP-1042/SUP-1043", 403],
    ["in a path that is only the beginning", "/used/SUP-1042/anything", 200],
  ])("%s", async (_, path, status) => {
    ran.length = 0
    expect(await statusesOf(started.stub.mint(), app(), path)).toEqual([status])
    expect(ran).toEqual(status === 200 ? ["SUP-1042"] : [])
  })
})

describe("a plain server's guard", () => {
  test("goes nowhere with a request that is not ours when nobody is there for it", async () => {
    const other = await startVerifier({ others: "next" })
    const guard = guardNode(other.verifier, ...READ)
    const failed: unknown[] = []
    await statusesOf(
      started.stub.mint(),
      (req, res) => {
        const ran = () => res.end("ran")
        guard(req, res, { parameters: {} }, ran).catch((fault) => {
          failed.push(fault)
          res.end()
        })
      },
      PATH,
    )
    expect(failed).toEqual([expect.any(TypeError)])
    await other.close()
  })

  test("joins the outcome of a request whose client left before it was decided", async () => {
    const guard = guardNode(started.verifier, ...READ)
    const task = newId("task")
    const done = Promise.withResolvers<void>()
    const left = statusesOf(
      started.stub.mint({ txn: task }),
      (req, res) => {
        res.once("close", () => guard(req, res, { parameters: { id: "SUP-1042" } }, () => done.resolve()))
        req.socket.destroy()
      },
      PATH,
    )
    await Promise.all([left, done.promise])
    await started.verifier.flush()
    const [use] = started.stub.uses().filter((one) => one.task === task)
    expect(use).toMatchObject({ decision: "allowed", duration_ms: 0 })
    expect(use).not.toHaveProperty("status")
  })

  test("takes from what was matched nothing that it did not ask for", async () => {
    const guard = guardNode(started.verifier, ...READ)
    const matched = { parameters: { id: "SUP-1042" }, method: "DELETE", rawHeaders: [bearer("junk")] }
    const task = newId("task")
    const listener: RequestListener = (req, res) => void guard(req, res, matched, () => res.end("ran"))
    expect(await statusesOf(started.stub.mint({ txn: task }), listener, PATH)).toEqual([200])
    await started.verifier.flush()
    expect(started.stub.uses().filter((one) => one.task === task)).toMatchObject([{ method: "GET" }])
  })

  test("takes parameters for what they are: its own, and text", async () => {
    const guard = guardNode(started.verifier, ...READ)
    const given = [
      { id: ["SUP-1042"] },
      { id: 1042 },
      Object.create({ id: "SUP-1042" }),
      {},
      { id: "SUP-1042" },
    ]
    const got = given.map((parameters) =>
      statusesOf(
        started.stub.mint(),
        (req, res) => void guard(req, res, { parameters }, () => res.end("ran")),
        PATH,
      ),
    )
    expect((await Promise.all(got)).flat()).toEqual([403, 403, 403, 403, 200])
  })
})

test("Hono's guard takes the credential off where there is no node server, too", async () => {
  const app = new Hono()
  app.use((c, next) =>
    c.req.header("authorization") ? next() : Promise.reject(new Error("it was not there")),
  )
  app.get("/tickets/:id", guardHono(started.verifier, ...READ), (c) =>
    c.json([c.req.header(), [...c.req.raw.headers], c.req.header("authorization") ?? null]),
  )
  const headers = { ...authorized().headers, dpop: "x", accept: "application/json" }
  const text = await (await app.request(PATH, { headers })).text()
  expect(text).toContain("application/json")
  expect(text).not.toMatch(/authorization|dpop|bearer|eyJ/i)
})

describe("Hono's guard, where there is no node server, decides on the target as it was sent:", () => {
  const url = (path: string) => `${API}${path}`
  const app = (verifier: Verifier) =>
    new Hono().get("/tickets/:id", guardHono(verifier, ...READ), (c) =>
      c.text(c.get("task")?.useId ?? "theirs"),
    )

  test("a token in the query is a second one", async () => {
    const one = app(started.verifier)
    const path = `${PATH}?access_token=${started.stub.mint()}`
    expect((await one.request(url(path), authorized())).status).toBe(400)
    expect((await one.request(url(`${PATH}?page=2`), authorized())).status).toBe(200)
  })

  test('with others: "next" one that names our issuer falls through to nobody', async () => {
    const other = await startVerifier({ others: "next" })
    const one = app(other.verifier)
    expect((await one.request(url(`${PATH}?access_token=${other.stub.mint()}`))).status).toBe(400)
    expect(await (await one.request(url(`${PATH}?access_token=theirs`))).text()).toBe("theirs")
    await other.close()
  })

  const key = importSigningKey(generatePrivateJwk("ES256"))
  test.each(["/tickets/%C3%A4", "/tickets/a%40b", "/tickets/a?b=%20c"])(
    "a proof is for %s, not decoded",
    async (path) => {
      const grants = [{ api: API, operations: OPERATIONS, resources: [["tickets", "*"]], rule: "x.yaml#/0" }]
      const token = started.stub.mint({ grants, jkt: key.thumbprint })
      const status = async (proven: string) => {
        const now = Math.floor(started.clock.now() / 1000)
        const dpop = signProof({ method: "GET", url: url(proven), accessToken: token, now }, key)
        const headers = { authorization: `DPoP ${token}`, dpop }
        return (await app(started.verifier).request(url(path), { headers })).status
      }
      expect([await status(path), await status("/tickets/b")]).toEqual([200, 401])
    },
  )
})

test("Fastify's guard takes the credential off the host's own copy of the headers, and where requests are injected", async () => {
  const app = fastify()
  app.addHook("onRequest", async (request) => {
    request.headers = { ...request.headers, "x-kept": "yes" }
  })
  app.get("/tickets/:id", { onRequest: guardFastify(started.verifier, ...READ) }, async (request) => [
    request.headers,
    request.raw.headers,
    request.raw.rawHeaders,
  ])
  const { body } = await app.inject({ url: PATH, headers: { ...authorized().headers, dpop: "x" } })
  expect(body).toContain("x-kept")
  expect(body).not.toMatch(/authorization|dpop|bearer|eyJ/i)
  await app.close()
})
