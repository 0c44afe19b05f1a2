// The proxy through which an agent calls the APIs of its task without holding a token: it listens on loopback or on a
// socket, and answers what session-route.ts lets through. Which token goes where is the session's decision.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { type Duplex, pipeline } from "node:stream"
import { ClientError } from "../client/error.ts"
import type { SendingSession } from "../client/session.ts"
import { mayLackHeaders } from "../sidecar/forwarded.ts"
import { UPSTREAM_FAILED } from "../sidecar/upstream.ts"
import { toInstant } from "../time.ts"
import { LIMITS, MAX_CONNECTIONS } from "./server.ts"
import { type Route, type Routing, routeOf, type TurnedAway, tunnelOf } from "./session-route.ts"
import { createUpstreams, passOn, readSmallBody, UpstreamFailed, type Upstreams } from "./session-upstream.ts"

export interface SessionProxy {
  readonly server: Server
  /** Cuts what is open. */
  close(): Promise<void>
}

/** Bodies up to here are kept until the answer is there, so that a refused call can be made again. */
const KEPT_BYTES = 64 * 1024
/** A body may take as long as it likes; headers may not. */
const PROXY_LIMITS = { ...LIMITS, requestTimeout: 0, insecureHTTPParser: false }

/** `routing` is asked for every request: the port is known only when the server listens. */
export function createSessionProxy(session: SendingSession, routing: () => Routing): SessionProxy {
  const upstreams = createUpstreams()
  const tunnels = new Set<Duplex>()
  const server = createServer(PROXY_LIMITS, (incoming, outgoing) => {
    const left = new AbortController()
    outgoing.once("close", () => left.abort(new UpstreamFailed("the caller left")))
    serve({ session, upstreams, signal: left.signal }, routing(), incoming, outgoing).catch(
      (error: unknown) => failed(outgoing, error),
    )
  })
  server.maxConnections = MAX_CONNECTIONS
  server.on("connect", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    tunnels.add(socket)
    socket.on("error", () => undefined).once("close", () => tunnels.delete(socket))
    openTunnel(routing(), incoming, socket, head)
  })
  return {
    server,
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      for (const socket of tunnels) socket.destroy()
      server.closeAllConnections()
      await closed
      upstreams.close()
    },
  }
}

interface Serving {
  readonly session: SendingSession
  readonly upstreams: Upstreams
  readonly signal: AbortSignal
}

const askedOf = ({ method = "", url = "", headers }: IncomingMessage) => ({ method, target: url, headers })

async function serve(
  serving: Serving,
  routing: Routing,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { session, upstreams, signal } = serving
  if (mayLackHeaders(incoming.rawHeaders)) return turnAway(outgoing, TOO_MANY)
  const route = routeOf(routing, askedOf(incoming))
  if (route.to === "nowhere") return turnAway(outgoing, route)
  if ("query" in route) return give(session, route, outgoing)
  if (route.to === "other")
    return passOn(await upstreams.forward(incoming, route.url, signal), outgoing, same)
  const body = await readSmallBody(incoming, KEPT_BYTES)
  const relayed = await session.send(upstreams.sending(incoming, route.url, body, signal))
  passOn(relayed, outgoing, renameTo(route))
}

const TOO_MANY: TurnedAway = {
  to: "nowhere",
  status: 400,
  code: "invalid_request",
  title: "Send fewer than 1000 headers",
}

const same = (location: string) => location

/** A place below the API's own is named as the caller knows it. */
function renameTo({ url, api, base }: Extract<Route, { to: "api" }>): (location: string) => string {
  if (base === undefined) return same
  return (location) => {
    if (!URL.canParse(location, url.href)) return location
    const place = new URL(location, url.href)
    const folder = new URL(api.resource)
    const prefix = folder.pathname.replace(/\/$/, "")
    if (place.origin !== folder.origin || !`${place.pathname}/`.startsWith(`${prefix}/`)) return location
    return `${base}${place.pathname.slice(prefix.length)}${place.search}${place.hash}`
  }
}

/** For programs that must hold a token, or the headers of one request. */
async function give(
  session: SendingSession,
  { to, query }: Extract<Route, { query: URLSearchParams }>,
  outgoing: ServerResponse,
): Promise<void> {
  const url = query.get(to === "token" ? "resource" : "url") ?? ""
  if (!URL.canParse(url)) {
    const title = `Say which: GET /${to}?${to === "token" ? "resource=" : "method=GET&url="}https://...`
    return turnAway(outgoing, { to: "nowhere", status: 400, code: "invalid_request", title })
  }
  if (to === "headers") return json(outgoing, await session.headers(query.get("method") ?? "GET", url))
  const { token, tokenType, expiresAt, resource } = await session.token(url)
  const expires = toInstant(expiresAt)
  json(outgoing, { resource, access_token: token.reveal(), token_type: tokenType, expires_at: expires })
}

function openTunnel(routing: Routing, incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
  const place = tunnelOf(routing, askedOf(incoming))
  if ("to" in place) {
    const { status, headers = {} } = place
    const body = problemOf(place)
    const lines = Object.entries({
      ...PROBLEM,
      ...headers,
      "Content-Length": String(Buffer.byteLength(body)),
    })
    const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")
    return void socket.end(`HTTP/1.1 ${status} Refused\r\n${text}Connection: close\r\n\r\n${body}`)
  }
  const behind = connect(place.port, place.host)
  behind.once("connect", () => {
    socket.write("HTTP/1.1 200 Connected\r\n\r\n")
    behind.write(head)
    pipeline(socket, behind, () => socket.destroy())
    pipeline(behind, socket, () => behind.destroy())
  })
  behind.on("error", () =>
    socket.end("HTTP/1.1 502 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
  )
  socket.once("close", () => behind.destroy())
}

const PROBLEM = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" }

const problemOf = ({ status, code, title }: TurnedAway): string =>
  JSON.stringify({ type: "about:blank", title, status, code, next: "stop" })

function turnAway(outgoing: ServerResponse, away: TurnedAway): void {
  outgoing.writeHead(away.status, { ...PROBLEM, ...away.headers, Connection: "close" }).end(problemOf(away))
}

const json = (outgoing: ServerResponse, body: object) =>
  void outgoing
    .writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" })
    .end(JSON.stringify(body))

/** What the session could not help is told as the guard told it; a fault ends the connection. */
function failed(outgoing: ServerResponse, error: unknown): void {
  if (outgoing.headersSent || outgoing.destroyed) return void outgoing.destroy()
  if (error instanceof UpstreamFailed)
    return void outgoing.writeHead(UPSTREAM_FAILED.status, UPSTREAM_FAILED.headers).end(UPSTREAM_FAILED.body)
  if (!(error instanceof ClientError)) return void outgoing.destroy()
  const { code, next, requestId, errors, retryAfterSeconds, message } = error
  const status = error.status ?? (next === "wait" ? 503 : 403)
  const retry = retryAfterSeconds ?? (status === 503 ? 2 : undefined)
  const body = {
    type: "about:blank",
    title: message,
    status,
    code,
    next,
    ...(errors.length > 0 && { errors }),
    ...(requestId !== undefined && { request_id: requestId }),
  }
  outgoing
    .writeHead(status, { ...PROBLEM, ...(retry !== undefined && { "Retry-After": String(retry) }) })
    .end(JSON.stringify(body))
}
