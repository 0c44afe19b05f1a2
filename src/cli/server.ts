// An HTTP server on a fetch function: short timeouts, one credential a request, and an end that loses nobody's answer. It
// decides what is served while starting and stopping; everything else is the fetch function's.
import { createServer, IncomingMessage, type Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { getRequestListener, RequestError } from "@hono/node-server"
import { metrics } from "@opentelemetry/api"
import { cannotTell, wrongUse } from "./exit.ts"
import { ambiguous, malformed, refuseUnread, unavailable } from "./server-refusals.ts"
import { SETTINGS } from "./settings.ts"

/** Hono's `fetch`, or an issuer's: the second argument shows the request as it came over the wire. */
type Fetch = (request: Request, wire: { readonly incoming: IncomingMessage }) => Response | Promise<Response>

export interface Listening {
  readonly port: number
  /** From now on requests are served; until then they get 503. */
  serve(fetch: Fetch): void
  /**
   * Takes no more connections; requests under way are finished, later ones on open connections get 503. Resolves when
   * all are closed, those that last longer than the grace by force.
   */
  drain(graceMilliseconds: number): Promise<void>
}

/** Slow senders are cut off long before Node would (60 s and 300 s). */
export const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2000,
  keepAliveTimeout: 30_000,
  maxHeaderSize: 16 * 1024,
}
export const MAX_CONNECTIONS = 4096
/** A connection on which nothing moves, in neither direction: a reader that takes nothing. Streams move every 2 s. */
const IDLE_MILLISECONDS = 60_000
/** Whoever has not sent the whole of a request so long after the server began to drain is cut off. */
const LAST_MILLISECONDS = 3000

export interface ServerLimits {
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly connectionsCheckingInterval: number
  readonly keepAliveTimeout: number
  readonly maxHeaderSize: number
  readonly maxConnections: number
  readonly idleTimeout: number
}

const SERVER_LIMITS: ServerLimits = {
  ...LIMITS,
  maxConnections: MAX_CONNECTIONS,
  idleTimeout: IDLE_MILLISECONDS,
}

export async function listen(host: string, port: number, limits = SERVER_LIMITS): Promise<Listening> {
  let serving: Fetch | undefined
  let draining = false
  const listener = getRequestListener(
    async (request, env) => {
      if (!serving || draining) return unavailable(draining)
      const { incoming } = env
      if (!(incoming instanceof IncomingMessage) || hasTwoCredentials(incoming)) return ambiguous()
      if (!isPlain(incoming.url ?? "")) return malformed()
      return serving(request, { incoming })
    },
    { errorHandler: (error) => (error instanceof RequestError ? malformed() : unavailable(false)) },
  )
  const server = createServer(limits, (incoming, outgoing) => void listener(incoming, outgoing))
  refuseUnread(server)
  server.maxConnections = limits.maxConnections
  server.setTimeout(limits.idleTimeout)
  countDropped(server)
  const cutUnfinished = watchRequests(server)
  await bind(server, host, port, "port")
  return {
    port: portOf(server.address()),
    serve(fetch) {
      serving = fetch
    },
    drain(graceMilliseconds) {
      draining = true
      const last = setTimeout(cutUnfinished, LAST_MILLISECONDS)
      return closeWithin(server, graceMilliseconds).finally(() => clearTimeout(last))
    },
  }
}

/** Answers what cuts off connections without a whole request: a server that is closed looks after no time-outs any more. */
function watchRequests(server: Server): () => void {
  const latest = new Map<Socket, IncomingMessage | undefined>()
  server.on("connection", (socket) => {
    latest.set(socket, undefined)
    socket.once("close", () => latest.delete(socket))
  })
  server.on("request", (incoming, outgoing) => {
    latest.set(incoming.socket, incoming)
    outgoing.once("close", () => {
      if (latest.get(incoming.socket) === incoming) latest.set(incoming.socket, undefined)
    })
  })
  return () => {
    for (const [socket, incoming] of latest) if (!incoming?.complete) socket.destroy()
  }
}

function countDropped(server: Server): void {
  const dropped = metrics.getMeter("taskmint").createCounter("taskmint.connections.dropped", {
    description: "Connections refused because there were as many as there may be",
  })
  dropped.add(0)
  server.on("drop", () => dropped.add(1))
}

/** `setting` is where the port came from: the next step when it is taken. */
export function bind(
  server: Server,
  host: string,
  port: number,
  setting: "port" | "guardPort" | "managementPort",
): Promise<void> {
  const { flag, variable } = SETTINGS[setting]
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const code = "code" in cause ? String(cause.code) : cause.message
      const hint = `Is another one running? Choose another with ${flag} or ${variable}`
      reject(wrongUse(`Can't listen on ${host}:${port} (${code})`, hint))
    })
    server.listen(port, host, resolve)
  })
}

export function portOf(address: AddressInfo | string | null): number {
  if (typeof address === "object" && address) return address.port
  throw cannotTell("The server has no port")
}

/** Node drops a second Authorization and joins two proofs; only the raw list shows that there were two (RFC 9449 4.3). */
function hasTwoCredentials(incoming: IncomingMessage): boolean {
  const names = incoming.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  const count = (name: string) => names.filter((one) => one === name).length
  return count("authorization") > 1 || count("dpop") > 1
}

/**
 * Whether a path says what it says in one spelling: no dot segments, and nothing percent-encoded that needs no encoding
 * (RFC 3986 sections 6.2.2.2 and 6.2.2.3). A proxy that lets some paths through would otherwise be told another one than we are.
 */
const isPlain = (target: string): boolean =>
  !/\/\.{1,2}(?=\/|$)|#|%(2[de]|3\d|[46][1-9a-f]|[57][0-9a]|5f|7e)/i.test(target.split("?")[0] ?? "")

/** Takes no more connections; what is open is ended as soon as it is idle, and by force after the grace. */
export async function closeWithin(server: Server, graceMilliseconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const force = setTimeout(() => server.closeAllConnections(), graceMilliseconds)
  await closed
  clearInterval(idle)
  clearTimeout(force)
}
