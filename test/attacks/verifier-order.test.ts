// L17 Guards put in the wrong place: behind what reads the body, behind the handler, twice, where nobody waits for them, and
// with parts that throw. What can be seen at the start stops it; the rest refuses.
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import express, { type RequestHandler, Router } from "express"
import fastify from "fastify"
import { Hono, type MiddlewareHandler } from "hono"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { guard as guardExpress } from "../../src/guard/express.ts"
import { guarded as guardedExpress } from "../../src/guard/express-mount.ts"
import { guard as guardFastify } from "../../src/guard/fastify.ts"
import { guarded as guardedFastify } from "../../src/guard/fastify-mount.ts"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guarded as guardedHono } from "../../src/guard/hono-mount.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import { guarded as guardedNode } from "../../src/guard/node-mount.ts"
import { newId } from "../../src/token/id.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
import { closeServer, sendRaw, startVerifier } from "../support/guarded-api.ts"
import { bearer, partsOf } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"

const READ = ["tickets:read", "tickets/{id}"] as const
const ROUTE = "/tickets/:id"
const PATH = "/tickets/SUP-1042"
let started: Awaited<ReturnType<typeof startVerifier>>
let ran: string[]
let server: Server | undefined
beforeAll(async () => {
  started = await startVerifier()
})
beforeEach(() => {
  ran = []
})
afterEach(async () => {
  if (server) await closeServer(server)
  server = undefined
})
afterAll(() => started.close())

async function serve(listener: Parameters<typeof createServer>[1]) {
  server = await listen(createServer(listener))
}
async function ask(method: string, token: string | undefined, body = "", type = "application/json") {
  const { port } = (server as Server).address() as AddressInfo
  const head = [
    `${method} ${PATH} HTTP/1.1`,
    "Host: x",
    "Connection: close",
    `Content-Length: ${body.length}`,
  ]
  const all = [...head, `Content-Type: ${type}`, ...(token === undefined ? [] : [bearer(token)]), "", body]
  const { status, text } = await sendRaw(String(port), all.join("\r\n"))
  return { status, ...partsOf(text) }
}
const usesOf = async (task: string) => {
  await started.verifier.flush()
  return started.stub.uses().filter((use) => use.task === task)
}
const asHandler: RequestHandler = (req, res) => {
  ran.push(String(req.body?.said ?? "ran"))
  res.json({})
}

describe("L17 behind what reads the body", () => {
  test("Express's guard decides as ever, and nothing in the body is a credential", async () => {
    const app = express().use(express.json(), express.urlencoded())
    app.post(ROUTE, guardExpress(started.verifier, ...READ), asHandler)
    await serve(app)
    const token = started.stub.mint()
    const form = `access_token=${token}`
    expect((await ask("POST", undefined, form, "application/x-www-form-urlencoded")).status).toBe(401)
    expect((await ask("POST", undefined, JSON.stringify({ access_token: token }))).status).toBe(401)
    expect(ran).toEqual([])
    expect((await ask("POST", token, '{"said":"hello"}')).status).toBe(200)
    expect(ran).toEqual(["hello"])
  })

  test("Hono's too, and the handler still has the body", async () => {
    const app = new Hono()
    app.use((c, next) => c.req.text().then(next))
    app.post(ROUTE, guardHono(started.verifier, ...READ), async (c) => {
      ran.push(await c.req.text())
      return c.json({})
    })
    await serve(getRequestListener(app.fetch))
    expect((await ask("POST", undefined, "x")).status).toBe(401)
    expect((await ask("POST", started.stub.mint(), "hello")).status).toBe(200)
    expect(ran).toEqual(["hello"])
  })
})

describe("L17 behind the handler, or where a request may not meet it", () => {
  const stops = { name: "TypeError", message: "guarded: no guard covers GET /tickets/:id" }
  const read = { method: "GET", path: ROUTE, handler: () => undefined }

  test("stops the start of a guarded mount", async () => {
    const behind = Router().get(ROUTE, (_, res) => void res.end(), guardExpress(started.verifier, ...READ))
    expect(() => guardedExpress(started.verifier, behind)).toThrow(expect.objectContaining(stops))
    const other = new Hono().get(ROUTE, (c) => c.text("ran"), guardHono(started.verifier, ...READ))
    expect(() => guardedHono(started.verifier, other)).toThrow(expect.objectContaining(stops))
    expect(() => guardedNode(started.verifier, [read])).toThrow(expect.objectContaining(stops))
    const wrapped = { ...read, guard: async () => undefined }
    expect(() => guardedNode(started.verifier, [wrapped])).toThrow(expect.objectContaining(stops))
  })

  test("so does a hook of Fastify's that runs after the body was read", async () => {
    const app = fastify()
    app.register(async (api) => {
      guardedFastify(started.verifier, api)
      const preHandler = guardFastify(started.verifier, ...READ)
      api.post(ROUTE, { preHandler }, async () => ran.push("ran"))
    })
    await expect(app.ready()).rejects.toThrow("guarded: no guard covers POST /tickets/:id")
  })
})

describe("L17 twice on one route", () => {
  const twice = {
    express: () => {
      const guard = guardExpress(started.verifier, ...READ)
      return serve(express().get(ROUTE, guard, guard, asHandler))
    },
    hono: () => {
      const guard: MiddlewareHandler = guardHono(started.verifier, ...READ)
      const app = new Hono().get(ROUTE, guard, guard, (c) => {
        ran.push("ran")
        return c.text("ran")
      })
      return serve(getRequestListener(app.fetch))
    },
    fastify: async () => {
      const guard = guardFastify(started.verifier, ...READ)
      const app = fastify()
      app.get(ROUTE, { onRequest: [guard, guard] }, async () => ran.push("ran"))
      await app.listen({ port: 0, host: "127.0.0.1" })
      server = app.server
    },
    node: () => {
      const guard = guardNode(started.verifier, ...READ)
      const matched = { route: ROUTE, parameters: { id: "SUP-1042" } }
      return serve((req, res) => {
        const next = () => {
          ran.push("ran")
          res.end()
        }
        void guard(req, res, matched, () => guard(req, res, matched, next))
      })
    },
  }
  test.each(Object.entries(twice))(
    "%s: the second finds no credential and refuses; there is one use",
    async (_, start) => {
      await start()
      const task = newId("task")
      const answer = await ask("GET", started.stub.mint({ txn: task }))
      expect([answer.status, answer.json()]).toMatchObject([401, { code: "token_missing" }])
      expect(ran).toEqual([])
      expect(await usesOf(task)).toMatchObject([{ decision: "allowed", status: 401 }])
    },
  )
})

describe("L17 where nobody waits for it", () => {
  test("a plain server's handler runs behind it all the same", async () => {
    const guard = guardNode(started.verifier, ...READ)
    await serve((req, res) => {
      void guard(req, res, { parameters: { id: "SUP-1042" } }, () => {
        ran.push("ran")
        res.end()
      })
    })
    expect([(await ask("GET", "junk")).status, ran]).toEqual([401, []])
    expect([(await ask("GET", started.stub.mint())).status, ran]).toEqual([200, ["ran"]])
  })

  test("Hono may answer without it, but nothing runs that it has not decided", async () => {
    const app = new Hono()
    app.use(async (_, next) => void next())
    const held = Promise.withResolvers<void>()
    app.get(ROUTE, guardHono(started.verifier, ...READ), (c) => {
      ran.push(c.get("task").task)
      held.resolve()
      return c.text("ran")
    })
    app.onError((_, c) => c.text("broken", 500))
    const headers = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
    const statusOf = async (token: string) => (await app.request(PATH, headers(token))).status
    expect(await statusOf("junk")).toBeGreaterThanOrEqual(400)
    expect(ran).toEqual([])
    const task = newId("task")
    await statusOf(started.stub.mint({ txn: task })) // whatever it was: it did not wait
    await held.promise
    expect(ran).toEqual([task])
    expect(await usesOf(task)).toMatchObject([{ decision: "allowed" }])
  })
})

describe("L17 parts that throw", () => {
  const asked: string[] = []
  const parameters = () => {
    asked.push("asked")
    throw new Error("broken")
  }
  /** Each framework, with this verifier; the node server's own catches what the guard throws. */
  const hosts = {
    express: (verifier: Verifier) =>
      serve(express().get(ROUTE, guardExpress(verifier, ...READ, { parameters }), asHandler)),
    hono: (verifier: Verifier) => {
      const app = new Hono().get(ROUTE, guardHono(verifier, ...READ, { parameters }), (c) => {
        ran.push("ran")
        return c.text("ran")
      })
      return serve(getRequestListener(app.onError((_, c) => c.text("broken", 500)).fetch))
    },
    fastify: async (verifier: Verifier) => {
      const app = fastify()
      app.get(ROUTE, { onRequest: guardFastify(verifier, ...READ, { parameters }) }, async () =>
        ran.push("ran"),
      )
      await app.listen({ port: 0, host: "127.0.0.1" })
      server = app.server
    },
    node: (verifier: Verifier) => {
      const guard = guardNode(verifier, ...READ, { parameters })
      const next = (res: ServerResponse) => () => {
        ran.push("ran")
        res.end()
      }
      return serve((req, res) => {
        const failed = () => res.writeHead(500).end()
        guard(req, res, { parameters: { id: "SUP-1042" } }, next(res)).catch(failed)
      })
    },
  }
  const each = Object.entries(hosts)

  test.each(each)("%s: what reads parameters is not asked, so it can break nothing", async (_, start) => {
    await start(started.verifier)
    expect((await ask("GET", started.stub.mint())).status).toBe(200)
    expect([ran.length, asked]).toEqual([1, []])
    expect((await ask("GET", "junk")).status).toBe(401)
    expect([ran.length, asked]).toEqual([1, []])
  })

  test.each(each)(
    "%s: a verifier that somebody wrapped, and that throws or rejects, lets nobody through",
    async (_, start) => {
      const fault = new Error("broken")
      for (const check of [
        () => Promise.reject(fault),
        () => {
          throw fault
        },
      ]) {
        await start({ ...started.verifier, check })
        for (const token of ["junk", started.stub.mint()]) expect((await ask("GET", token)).status).toBe(500)
        if (server) await closeServer(server)
      }
      expect(ran).toEqual([])
    },
  )

  test("Express: an asynchronous fault before the guard, and one of the handler's, are answered by 500", async () => {
    const app = express()
    app.use(async (req) => {
      if (req.query.early !== undefined) throw new Error("broken")
      return req.next?.()
    })
    app.get(ROUTE, guardExpress(started.verifier, ...READ), async () => {
      ran.push("ran")
      throw new Error("broken")
    })
    app.use(((_fault, _req, res, _next) => res.status(500).end()) as express.ErrorRequestHandler)
    await serve(app)
    const task = newId("task")
    expect((await ask("GET", started.stub.mint({ txn: task }))).status).toBe(500)
    expect(ran).toEqual(["ran"])
    expect(await usesOf(task)).toMatchObject([{ decision: "allowed", status: 500 }])
  })

  test("any fault while a request is decided is 503", async () => {
    const broken = (name: string) => ({
      ...{ method: "GET", target: PATH, rawHeaders: ["Authorization", `Bearer ${started.stub.mint()}`] },
      get [name](): never {
        throw new Error("broken")
      },
    })
    for (const name of ["rawHeaders", "target", "method", "route"])
      expect(
        await started.verifier.check(broken(name), "tickets:read", ["tickets", "SUP-1042"]),
      ).toMatchObject({ outcome: "refused", code: "temporarily_unavailable", answer: { status: 503 } })
  })
})
