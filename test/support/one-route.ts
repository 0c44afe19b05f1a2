// One guarded route, `GET /tickets/:id`, whose handler answers what a test says, on each framework and behind the sidecar,
// in the framework's own words. For what adapters make of answers; hosts.ts is for what they make of requests.
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http"
import { createServer as createHttp2Server } from "node:http2"
import { Readable } from "node:stream"
import { getRequestListener, type HttpBindings } from "@hono/node-server"
import express from "express"
import fastify, { type FastifyReply, type FastifyRequest } from "fastify"
import { Hono } from "hono"
import { guard as guardExpress } from "../../src/guard/express.ts"
import { guard as guardFastify } from "../../src/guard/fastify.ts"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
import { listen } from "./hosts.ts"
import { startProxy } from "./sidecar-host.ts"

/** What the handler answers; a stream goes out as it comes. */
export interface Said {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | AsyncIterable<string>
}
/** Is told what the handler can see of the request's headers. */
export type Say = (...headers: unknown[]) => Said | Promise<Said>

const READ = ["tickets:read", "tickets/{id}"] as const
const PATH = "/tickets/:id"
const idOf = (target = "") => /^\/tickets\/([^/?]+)/.exec(target)?.[1]

/** A listener, for servers of HTTP/1.1 and HTTP/2. */
type ListenerOf = (verifier: Verifier, say: Say) => RequestListener

const honoListener: ListenerOf = (verifier, say) => {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.get(PATH, guardHono(verifier, ...READ), async (c) => {
    const { incoming } = c.env
    const seen = [[...c.req.raw.headers], incoming.headers, incoming.rawHeaders]
    const { status = 200, headers = {}, body = "" } = await say(...seen)
    return new Response(bodyOf(status, body), { status, headers })
  })
  return getRequestListener(app.fetch)
}

function bodyOf(status: number, body: string | AsyncIterable<string>): ReadableStream | string | null {
  if (typeof body === "string") return [204, 304].includes(status) ? null : body
  return Readable.toWeb(Readable.from(encoded(body))) as ReadableStream
}

async function* encoded(parts: AsyncIterable<string>) {
  for await (const part of parts) yield Buffer.from(part)
}

const expressListener: ListenerOf = (verifier, say) => {
  const app = express()
  app.get(PATH, guardExpress(verifier, ...READ), async (req, res) => {
    const { status = 200, headers = {}, body = "" } = await say(req.headers, req.rawHeaders)
    res.status(status).set(headers)
    if (typeof body === "string") res.send(body)
    else stream(body, res)
  })
  return app
}

const nodeListener: ListenerOf = (verifier, say) => {
  const guard = guardNode(verifier, ...READ)
  return (req, res) => {
    const answer = async () => {
      const { status = 200, headers = {}, body = "" } = await say(req.headers, req.rawHeaders)
      res.writeHead(status, headers)
      if (typeof body === "string") res.end(body)
      else stream(body, res)
    }
    guard(req, res, { route: PATH, parameters: { id: idOf(req.url) } }, answer).catch(() => res.destroy())
  }
}

function stream(body: AsyncIterable<string>, res: ServerResponse): void {
  res.flushHeaders()
  Readable.from(encoded(body))
    .on("error", () => undefined)
    .pipe(res)
}

const served = (listenerOf: ListenerOf) => (verifier: Verifier, say: Say) =>
  listen(createServer(listenerOf(verifier, say)))

async function serveFastify(verifier: Verifier, say: Say): Promise<Server> {
  const app = fastify()
  app.get(PATH, { onRequest: guardFastify(verifier, ...READ) }, fastifyHandler(say))
  await app.listen({ port: 0, host: "127.0.0.1" })
  return app.server
}

const fastifyHandler =
  (say: Say) =>
  async ({ headers: seen, raw }: FastifyRequest, reply: FastifyReply) => {
    const { status = 200, headers = {}, body = "" } = await say(seen, raw.headers, raw.rawHeaders)
    return reply
      .code(status)
      .headers(headers)
      .send(typeof body === "string" ? body : Readable.from(encoded(body)))
  }

/** Behind it is a plain server that knows nothing of tokens. */
async function serveSidecar(verifier: Verifier, say: Say): Promise<Server> {
  const upstream = await listen(
    createServer(async (_, res) => {
      const { status = 200, headers = {}, body = "" } = await say()
      res.writeHead(status, headers)
      if (typeof body === "string") res.end(body)
      else stream(body, res)
    }),
  )
  const { server, proxy } = await startProxy(verifier, upstream)
  server.once("close", () => {
    proxy.close()
    upstream.closeAllConnections()
    upstream.close()
  })
  return server
}

export const ONE_ROUTE = [
  { name: "hono", start: served(honoListener) },
  { name: "express", start: served(expressListener) },
  { name: "fastify", start: serveFastify },
  { name: "node", start: served(nodeListener) },
  { name: "sidecar", start: serveSidecar },
] as const

/**
 * The same over HTTP/2, by the compatibility API of node:http2, where extended CONNECT is switched on. Express
 * breaks on its requests before any route.
 */
export const ONE_ROUTE_HTTP2 = [
  { name: "hono", start: async (verifier: Verifier, say: Say) => listenHttp2(honoListener(verifier, say)) },
  { name: "fastify", start: serveFastifyHttp2 },
  { name: "node", start: async (verifier: Verifier, say: Say) => listenHttp2(nodeListener(verifier, say)) },
] as const

async function listenHttp2(listener: unknown) {
  const server = createHttp2Server({ settings: { enableConnectProtocol: true } })
  server.on("request", listener as Parameters<typeof server.on>[1])
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}

async function serveFastifyHttp2(verifier: Verifier, say: Say) {
  const app = fastify({ http2: true })
  app.server.updateSettings({ enableConnectProtocol: true })
  app.route({
    method: "GET",
    url: PATH,
    // The types know HTTP/1.1's messages only.
    onRequest: guardFastify(verifier, ...READ) as never,
    handler: fastifyHandler(say) as never,
  })
  await app.listen({ port: 0, host: "127.0.0.1" })
  return app.server
}
