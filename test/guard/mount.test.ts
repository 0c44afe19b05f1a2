// Guarded mounts, by the ways in which each framework lets handlers in.
import { createRequire } from "node:module"
import express, { Router } from "express"
import fastify from "fastify"
import { Hono } from "hono"
import { every } from "hono/combine"
import { cors } from "hono/cors"
import { logger } from "hono/logger"
import { mount } from "hono/mount"
import { secureHeaders } from "hono/secure-headers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { guard as guardExpress } from "../../src/guard/express.ts"
import { guarded as guardedExpress } from "../../src/guard/express-mount.ts"
import { guard as guardFastify } from "../../src/guard/fastify.ts"
import { guarded as guardedFastify, metadata } from "../../src/guard/fastify-mount.ts"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guarded as guardedHono } from "../../src/guard/hono-mount.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import { guarded as guardedNode, type Route } from "../../src/guard/node-mount.ts"
import { startVerifier } from "../support/guarded-api.ts"
import { statusesOf } from "../support/hosted-api.ts"

let started: Awaited<ReturnType<typeof startVerifier>>
beforeAll(async () => {
  started = await startVerifier()
})
afterAll(() => started.close())
const READ = ["tickets:read", "tickets/{id}"] as const
const PATH = "/tickets/SUP-1042"
const authorized = () => ({ headers: { authorization: `Bearer ${started.stub.mint()}` } })

describe("C28 a mount", () => {
  const told: string[] = []
  const onUnmapped = (routes: readonly string[]) => void told.splice(0, told.length, ...routes)
  const NOT = () => {
    throw new Error("this ran without a guard")
  }

  test("of Express: apps, handlers at a path, handlers before their guard and other methods are refused", async () => {
    const guard = guardExpress(started.verifier, ...READ)
    const router = Router()
    const seen: string[] = []
    router.use((req, _, next) => {
      seen.push(req.path)
      next()
    })
    router.get("/before/:id", (_, res) => void res.send(NOT()), guard)
    router.get(
      "/tickets/:id",
      (_req, _res, next) => next(),
      guard,
      (_, res) => void res.send("ran"),
    )
    router
      .route("/some/:id")
      .get(guard, (_, res) => void res.send("ran"))
      .post(NOT)
    router.use("/at", (_req, _res, _next) => NOT())
    router.use(express().get("/app", NOT))
    router.use(express().use("/wrapped", express().get("/", NOT)))
    router.use(Router().get("/deep/:id", NOT))
    router.use((_, res) => void res.send(NOT()))
    const app = express().use("/v1", guardedExpress(started.verifier, router, { onUnmapped }))
    app.use((_, res) => void res.send("after"))
    expect(told).toEqual([
      "GET /before/:id",
      "POST /some/:id",
      "ALL /at",
      "GET /app",
      "ALL /wrapped",
      "GET /deep/:id",
      "ALL /",
    ])
    const paths = [
      "/v1/before/SUP-1042",
      "/v1/at",
      "/v1/app",
      "/v1/wrapped",
      "/v1/deep/SUP-1042",
      "/v1/x",
      "/v1",
    ]
    expect(await statusesOf(started.stub.mint(), app, ...paths)).toEqual(paths.map(() => 403))
    expect(await statusesOf(started.stub.mint(), app, `/v1${PATH}`, "/v1/some/SUP-1042", "/v2")).toEqual([
      200, 200, 200,
    ])
    expect(seen).toContain(PATH)
    expect(() => router.get("/late", NOT)).toThrow(TypeError)
    expect(() => router.use(NOT)).toThrow(TypeError)
  })

  test("of Express: an app within an app, which can't be looked into, is refused as a whole", async () => {
    const router = Router().use(express().use(express().get("/x", NOT)))
    const app = express().use(guardedExpress(started.verifier, router, { onUnmapped }))
    expect(told).toEqual(["ALL /"])
    expect(await statusesOf(started.stub.mint(), app, "/x", "/y")).toEqual([403, 403])
  })

  test("of Express: who leaves the router leaves nothing behind it unguarded", async () => {
    const router = Router().use((_req, _res, next) => next("router"))
    const app = express().use(guardedExpress(started.verifier, router, {}), (_, res) => void res.send(NOT()))
    expect(await statusesOf(started.stub.mint(), app, PATH)).toEqual([403])
  })

  test("of Hono: handlers before their guard, at a path, in other apps and added later are refused", async () => {
    const guard = guardHono(started.verifier, ...READ)
    const api = new Hono()
    const seen: string[] = []
    api.use(async (c, next) => {
      seen.push(c.req.path)
      await next()
    })
    api.get("/before/:id", NOT, guard)
    api.get(
      "/tickets/:id",
      (_, next) => next(),
      guard,
      (c) => c.text("ran"),
    )
    api.post("/tickets/:id", NOT)
    api.use("/at/*", async () => NOT())
    api.mount("/app", NOT)
    api.route("/deep", new Hono().onError(NOT).get("/:id", NOT))
    const app = new Hono().route("/v1", guardedHono(started.verifier, api, { onUnmapped }))
    api.get("/late", NOT)
    app.all("*", (c) => c.text("after"))
    expect(told).toEqual(["GET /before/:id", "POST /tickets/:id", "ALL /at/*", "ALL /app/*", "GET /deep/:id"])
    for (const path of ["/before/SUP-1042", "/at/x", "/app", "/app/x", "/deep/SUP-1042", "/late", "/x", ""])
      expect([path, (await app.request(`/v1${path}`, authorized())).status]).toEqual([path, 403])
    expect((await app.request(`/v1${PATH}`, { method: "POST", ...authorized() })).status).toBe(403)
    for (const path of [`/v1${PATH}`, "/v2"]) expect((await app.request(path, authorized())).status).toBe(200)
    expect(seen).toContain(`/v1${PATH}`)
  })

  const LEGACY = () => new Response("legacy")
  const { Hono: OtherHono }: typeof import("hono") = createRequire(import.meta.url)("hono")
  class Named extends Hono {
    readonly name: string
    constructor(name: { readonly text: string }) {
      super()
      this.name = name.text
    }
    override mount: Hono["mount"] = (...given) => super.mount(...given)
  }
  test.each([
    ["at its root", "/*", () => new Hono().mount("/", LEGACY)],
    ["with options", "/*", () => new Hono().mount("/", LEGACY, { replaceRequest: false })],
    ["by a class of the host's", "/*", () => new Named({ text: "api" }).mount("/", LEGACY)],
    ["by another copy of Hono", "/*", () => new OtherHono().mount("/", LEGACY)],
    ["under a base path", "/old/*", () => new Hono().basePath("/old").mount("/", LEGACY)],
    ["in another app", "/old/*", () => new Hono().route("/old", new Hono().mount("/", LEGACY))],
    [
      "in one that catches errors",
      "/*",
      () => new Hono().route("/", new Hono().onError(NOT).mount("/", LEGACY)),
    ],
    ["by `hono/mount`", "/*", () => new Hono().all("*", mount(LEGACY))],
    ["by `hono/mount`, as middleware", "/*", () => new Hono().use(mount(LEGACY))],
  ])("of Hono: an app mounted %s is no middleware", async (_, path, make) => {
    expect(() => guardedHono(started.verifier, make(), {})).toThrow(`no guard covers ALL ${path}`)
    expect(() => guardedHono(started.verifier, make(), { strict: true, onUnmapped })).toThrow(TypeError)
    const guard = guardHono(started.verifier, ...READ)
    const api = make().get("/tickets/:id", guard, (c) => c.text("ran"))
    const app = new Hono().route("/v1", guardedHono(started.verifier, api, { onUnmapped }))
    expect(told).toEqual([`ALL ${path}`])
    for (const headers of [{}, authorized().headers])
      for (const one of ["/secret", "/old/secret", "/old"])
        expect([one, (await app.request(`/v1${one}`, { headers })).status]).toEqual([one, 403])
  })

  test("of Hono: an app that is mounted behind a guard of its own path is covered", async () => {
    const guard = guardHono(started.verifier, "tickets:read", "tickets/SUP-1042")
    const api = new Hono().all("/*", guard).mount("/", LEGACY)
    const app = guardedHono(started.verifier, api, { strict: true })
    expect((await app.request("/secret")).status).toBe(401)
    expect(await (await app.request("/secret", authorized())).text()).toBe("legacy")
  })

  test("of Hono: middleware for all of it runs, however it is written", async () => {
    const api = new Hono().use(
      cors(),
      logger(() => undefined),
      every(secureHeaders()),
      async (c, next) => {
        await next()
        c.header("x-ran", "yes")
      },
    )
    api.get("/tickets/:id", guardHono(started.verifier, ...READ), (c) => c.text("ran"))
    const app = guardedHono(started.verifier, api, { strict: true })
    const answer = await app.request(PATH, authorized())
    expect([answer.status, answer.headers.get("x-ran")]).toEqual([200, "yes"])
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
  })

  test("of Fastify: routes that were there before it are refused, scopes beside it are not its own", async () => {
    const guard = guardFastify(started.verifier, ...READ)
    const app = fastify()
    app.get("/beside", async () => "beside")
    app.register(
      async (api) => {
        api.get("/early/:id", { onRequest: guard }, NOT)
        guardedFastify(started.verifier, api, { onUnmapped })
        api.get("/tickets/:id", { onRequest: [async () => undefined, guard] }, async () => "ran")
        api.get("/late/:id", { preHandler: guard }, NOT)
        api.get("/about", metadata(started.verifier))
        api.route({ method: ["PUT", "POST"], url: "/two", handler: NOT })
      },
      { prefix: "/v1" },
    )
    await app.ready()
    expect(told).toEqual(["GET /v1/late/:id", "HEAD /v1/late/:id", "PUT /v1/two", "POST /v1/two"])
    const status = async (url: string) => (await app.inject({ url, ...authorized() })).statusCode
    for (const path of ["/early/SUP-1042", "/late/SUP-1042", "/two", "/x", ""])
      expect([path, await status(`/v1${path}`)]).toEqual([path, 403])
    expect(await Promise.all([`/v1${PATH}`, "/v1/about", "/beside", "/x"].map(status))).toEqual([
      200, 200, 200, 404,
    ])
    await app.close()
  })

  test("of a plain server: a route that is not in the table is refused, whatever it says of itself", async () => {
    const guard = guardNode(started.verifier, ...READ)
    const route: Route = { method: "GET", path: "/tickets/:id", guard, handler: (_, res) => res.end("ran") }
    const foreign: Route = { ...route, guard: async () => NOT(), handler: NOT }
    const serve = guardedNode(started.verifier, [route, foreign], { onUnmapped })
    expect(told).toEqual(["GET /tickets/:id"])
    const parameters = { id: "SUP-1042" }
    for (const [one, status] of [
      [route, 200],
      [foreign, 403],
      [{ ...route }, 403],
      [undefined, 403],
    ] as const)
      expect(
        await statusesOf(started.stub.mint(), (req, res) => void serve(req, res, one, parameters), PATH),
      ).toEqual([status])
  })
})

test("guarded mounts can stand in guarded mounts, and add nothing unmapped", async () => {
  const nothing = { strict: true }
  const hono = new Hono().get("/:id", guardHono(started.verifier, ...READ), (c) => c.text("ran"))
  const inner = new Hono().route("/tickets", guardedHono(started.verifier, hono, nothing))
  const app = guardedHono(started.verifier, inner, nothing)
  expect((await app.request(PATH, authorized())).status).toBe(200)
  expect((await app.request("/tickets", authorized())).status).toBe(403)
  const router = Router().get(
    "/:id",
    guardExpress(started.verifier, ...READ),
    (_, res) => void res.send("ran"),
  )
  const outer = Router().use("/tickets", guardedExpress(started.verifier, router, nothing))
  const listener = express().use(guardedExpress(started.verifier, outer, nothing))
  expect(await statusesOf(started.stub.mint(), listener, PATH, "/tickets")).toEqual([200, 403])
})
