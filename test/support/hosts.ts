// The same guarded API on each framework, as its own documentation would write it, for one suite to hold against all. Its
// handlers note what they saw; what they do besides, a test says in `act`.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { getRequestListener, type HttpBindings } from "@hono/node-server"
import express, { type RequestHandler, Router } from "express"
import fastify, { type FastifyReply, type FastifyRequest } from "fastify"
import { type Context, Hono } from "hono"
import { guard as guardExpress } from "../../src/guard/express.ts"
import { guarded as guardedExpress, metadata as metadataExpress } from "../../src/guard/express-mount.ts"
import { guard as guardFastify } from "../../src/guard/fastify.ts"
import { guarded as guardedFastify, metadata as metadataFastify } from "../../src/guard/fastify-mount.ts"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guarded as guardedHono, metadata as metadataHono } from "../../src/guard/hono-mount.ts"
import type { MountOptions } from "../../src/guard/mount.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import { guarded as guardedNode, metadata as metadataNode, type Route } from "../../src/guard/node-mount.ts"
import type { TaskUse, Verifier } from "../../src/verifier/verifier.ts"

export interface Handled {
  /** The route's parameter as the framework gives it to the handler. */
  readonly id: unknown
  readonly use: TaskUse
  /** Every view of the request's headers that the handler could look at. */
  readonly headers: string
}

export class Seen {
  readonly handled: Handled[] = []
  /** What the handler could see of the headers of requests that went on without a use. */
  readonly others: string[] = []
  /** Paths of handlers that no guard covers, and that ran. */
  readonly unguarded: string[] = []
  act: () => unknown = () => undefined

  /** What every handler does. Without a use the host's own authentication decides, by the header as it came. */
  async handle(id: unknown, use: TaskUse | undefined, incoming: IncomingMessage, ...views: unknown[]) {
    if (!use) {
      this.others.push(JSON.stringify([...headersOf(incoming), ...views]))
      const theirs = incoming.headers.authorization === "Basic dGhlaXJz"
      return { status: theirs ? 200 : 401, body: { theirs } } as const
    }
    this.handled.push({ id, use, headers: JSON.stringify([...headersOf(incoming), ...views]) })
    await this.act()
    return { status: 201, body: { id } } as const
  }

  open() {
    this.unguarded.push("/open")
    return "open"
  }
}

export interface Host {
  readonly name: "hono" | "express" | "fastify" | "node" | "sidecar"
  /**
   * Serves `/tickets/:id` (any method), `/reports/:id` (GET), `POST /tickets/:id/close` and `/nested/:id` (GET, in a router
   * of its own) under guards, and `GET /open` without one, in one mount; `/health` and the metadata outside of it. Rejects
   * with what the framework's start throws.
   */
  start(verifier: Verifier, seen: Seen, options: MountOptions): Promise<Server>
}

const headersOf = ({ headers, headersDistinct, rawHeaders }: IncomingMessage) => [
  headers,
  headersDistinct,
  rawHeaders,
]
const READ = ["tickets:read", "tickets/{id}"] as const
const CLOSE = ["tickets:close", "tickets/{id}"] as const

type HonoEnv = { Bindings: HttpBindings; Variables: { task: TaskUse } }

const hono: Host = {
  name: "hono",
  async start(verifier, seen, options) {
    const handler = async (c: Context<HonoEnv>) => {
      const views = [c.req.header(), [...c.req.raw.headers]]
      const { status, body } = await seen.handle(c.req.param("id"), c.get("task"), c.env.incoming, ...views)
      return c.json(body, status)
    }
    const api = new Hono<HonoEnv>()
    api.use(async (c, next) => {
      headersOf(c.env.incoming)
      c.req.header("authorization")
      await next()
    })
    api.all("/tickets/:id", guardHono(verifier, ...READ), handler)
    api.get("/reports/:id", guardHono(verifier, ...READ), handler)
    api.post("/tickets/:id/close", guardHono(verifier, ...CLOSE), handler)
    const nested = new Hono<HonoEnv>().get("/:id", guardHono(verifier, ...READ), handler)
    api.route(
      "/nested",
      nested.onError((_, c) => c.text("broken", 500)),
    )
    api.onError((_, c) => c.text("broken", 500))
    api.get("/open", (c) => c.text(seen.open()))
    const app = new Hono<HonoEnv>()
    app.get("/health", (c) => c.text("up"))
    app.get(verifier.metadata.path, metadataHono(verifier))
    app.route("/", guardedHono(verifier, api, options))
    return listen(createServer(getRequestListener(app.fetch)))
  },
}

const expressHost: Host = {
  name: "express",
  async start(verifier, seen, options) {
    const handler: RequestHandler = async (req, res) => {
      const { status, body } = await seen.handle(req.params.id, req.task, req, req.get("authorization"))
      res.status(status).json(body)
    }
    const api = Router()
    api.use((req, _, next) => {
      headersOf(req)
      next()
    })
    api.all("/tickets/:id", guardExpress(verifier, ...READ), handler)
    api.get("/reports/:id", guardExpress(verifier, ...READ), handler)
    api.post("/tickets/:id/close", guardExpress(verifier, ...CLOSE), handler)
    api.use("/nested", Router().get("/:id", guardExpress(verifier, ...READ), handler))
    api.get("/open", (_, res) => void res.send(seen.open()))
    const app = express()
    app.get("/health", (_, res) => void res.send("up"))
    app.get(verifier.metadata.path, metadataExpress(verifier))
    app.use(guardedExpress(verifier, api, options))
    return listen(createServer(app))
  },
}

type Params = { Params: { id: string } }

const fastifyHost: Host = {
  name: "fastify",
  async start(verifier, seen, options) {
    const handler = async (request: FastifyRequest<Params>, reply: FastifyReply) => {
      const { status, body } = await seen.handle(
        request.params.id,
        request.task,
        request.raw,
        request.headers,
      )
      return reply.code(status).send(body)
    }
    const app = fastify()
    app.get("/health", async () => "up")
    app.get(verifier.metadata.path, metadataFastify(verifier))
    app.register(async (api) => {
      api.addHook("onRequest", async (request) => {
        headersOf(request.raw)
        request.headers = { ...request.headers, "x-seen": "yes" }
      })
      guardedFastify(verifier, api, options)
      api.all<Params>("/tickets/:id", { onRequest: guardFastify(verifier, ...READ) }, handler)
      api.get<Params>("/reports/:id", { onRequest: guardFastify(verifier, ...READ) }, handler)
      api.post<Params>("/tickets/:id/close", { onRequest: guardFastify(verifier, ...CLOSE) }, handler)
      api.register(
        async (nested) => {
          nested.get<Params>("/:id", { onRequest: guardFastify(verifier, ...READ) }, handler)
        },
        { prefix: "/nested" },
      )
      api.get("/open", async () => seen.open())
    })
    await app.listen({ port: 0, host: "127.0.0.1" })
    return app.server
  },
}

const nodeHost: Host = {
  name: "node",
  async start(verifier, seen, options) {
    const [read, close] = [guardNode(verifier, ...READ), guardNode(verifier, ...CLOSE)]
    const handlerOf = (id: (req: IncomingMessage) => unknown) => ({
      handler: async (req: IncomingMessage, res: ServerResponse, task: TaskUse) =>
        sendJson(res, await seen.handle(id(req), task, req)),
      others: async (req: IncomingMessage, res: ServerResponse) =>
        sendJson(res, await seen.handle(undefined, undefined, req)),
    })
    const find = createRouter()
    const last = (req: IncomingMessage) => find.parametersOf(req).id
    const routes: Route[] = [
      { method: "*", path: "/tickets/:id", guard: read, ...handlerOf(last) },
      { method: "GET", path: "/reports/:id", guard: read, ...handlerOf(last) },
      { method: "POST", path: "/tickets/:id/close", guard: close, ...handlerOf(last) },
      { method: "GET", path: "/nested/:id", guard: read, ...handlerOf(last) },
      { method: "GET", path: "/open", handler: (_, res) => res.end(seen.open()) },
    ]
    find.routes.push(...routes)
    const serve = guardedNode(verifier, routes, options)
    const metadata = metadataNode(verifier)
    return listen(
      createServer((req, res) => {
        headersOf(req)
        if (req.url === "/health") return void res.end("up")
        if (req.url === verifier.metadata.path) return metadata(req, res)
        serve(req, res, find.routeOf(req), find.parametersOf(req)).catch(() => {
          res.statusCode = 500
          res.end()
        })
      }),
    )
  },
}

/** A router as small services have it: the path as it came, cut at slashes, each part decoded once. */
function createRouter() {
  const routes: Route[] = []
  const match = ({ method = "", url = "" }: IncomingMessage) => {
    const parts = (url.replace(/^http:\/\/[^/]*/, "").split(/[?#]/)[0] ?? "").split("/")
    for (const route of routes) {
      const names = route.path.split("/")
      const same = names.every((name, at) => (name.startsWith(":") ? parts[at] !== "" : name === parts[at]))
      const methods = route.method === "GET" ? ["GET", "HEAD"] : [route.method]
      if (!same || names.length !== parts.length) continue
      if (route.method !== "*" && !methods.includes(method)) continue
      const given = names.flatMap((name, at) =>
        name.startsWith(":") ? [[name.slice(1), decode(parts[at])]] : [],
      )
      return { route, parameters: Object.fromEntries(given) as Record<string, string | undefined> }
    }
    return { route: undefined, parameters: {} }
  }
  return {
    routes,
    routeOf: (req: IncomingMessage) => match(req).route,
    parametersOf: (req: IncomingMessage): Readonly<Record<string, string | undefined>> =>
      match(req).parameters,
  }
}

function decode(part = ""): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined // the guard then knows no resource
  }
}

function sendJson(res: ServerResponse, { status, body }: { status: number; body: object }): void {
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

export async function listen(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}

export const HOSTS: readonly Host[] = [hono, expressHost, fastifyHost, nodeHost]
