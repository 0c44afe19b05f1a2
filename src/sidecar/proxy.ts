// The sidecar as a reverse proxy: what may pass goes to the upstream by the path that was matched, streamed both ways;
// everything else ends here. It trusts nothing that says where a request came from.
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { setImmediate } from "node:timers"
import type { Answer } from "../verifier/challenge.ts"
import { valuesOf } from "../verifier/credential.ts"
import { joinOutcome, sendAnswer } from "../verifier/outgoing.ts"
import { answerHeaders, requestHeaders } from "./forwarded.ts"
import { createSidecar, type Sidecar, type SidecarOptions } from "./sidecar.ts"
import { openTunnel, type Tunnel } from "./tunnel.ts"
import { isPassable, openUpstream, reasonOf, UPSTREAM_FAILED, type Upstream } from "./upstream.ts"

export interface ProxyOptions extends SidecarOptions {
  /** An origin, such as `http://127.0.0.1:9000`. It must be reachable through the sidecar alone. */
  readonly upstream: string
}

export interface Proxy {
  /** For a server's `request` and `checkContinue` events. Never rejects. */
  serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void>
  /** For its `upgrade` event. Never rejects. */
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
  /** Ends WebSockets, and opens no more. Until then one lasts as long as its token stands. */
  endTunnels(): void
  /** Ends the connections to the upstream. */
  close(): void
}

/**
 * Prepares the proxy of one upstream. Throws TypeError for faulty routes and for an upstream that is not an origin.
 * Trailers and informational answers do not pass.
 */
export function createProxy(options: ProxyOptions): Proxy {
  const sidecar = createSidecar(options)
  const upstream = openUpstream(options.upstream)
  const sockets = new Set<Duplex>()
  const tunnels = new Set<Tunnel>()
  let ending = false
  const timer = setInterval(() => endFallen(tunnels), LOOK_MILLISECONDS).unref()
  return {
    serve: (incoming, outgoing) =>
      serve(sidecar, upstream, incoming, outgoing).catch(() => void outgoing.destroy()),
    async upgrade(incoming, socket, head) {
      socket.on("error", () => undefined).once("close", () => sockets.delete(socket))
      if (ending) return void socket.destroy() // its headers came late: no server waits for what is upgraded
      sockets.add(socket)
      await openTunnel(sidecar, upstream, { incoming, socket, head }, tunnels).catch(
        () => void socket.destroy(),
      )
    },
    endTunnels() {
      ending = true
      for (const socket of sockets) socket.destroy()
    },
    close() {
      clearInterval(timer)
      upstream.close()
    },
  }
}

/** How long a WebSocket may outlast what the verifier knows. */
const LOOK_MILLISECONDS = 250

function endFallen(tunnels: Set<Tunnel>): void {
  for (const tunnel of tunnels) {
    const code = tunnel.stands()
    if (code === undefined) continue
    tunnels.delete(tunnel)
    tunnel.end(code)
  }
}

async function serve(
  sidecar: Sidecar,
  upstream: Upstream,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = "", url = "", rawHeaders } = incoming
  if (method === "GET" && url === sidecar.metadata.path)
    return turnAway(incoming, outgoing, sidecar.metadata.answer)
  const framing = framingOf(incoming)
  if (!framing) return turnAway(incoming, outgoing, sidecar.malformed(CHUNKED_ONLY))
  const judged = await sidecar.judge({ method, target: url, rawHeaders })
  if ("answer" in judged) return turnAway(incoming, outgoing, judged.answer)
  joinOutcome(outgoing, judged.passing)
  const headers = [...requestHeaders(incoming, judged.passing, upstream.host), ...framing]
  forward(incoming, outgoing, upstream.start(method, judged.match, headers))
}

const CHUNKED_ONLY = { pointer: "/headers/transfer-encoding", expected: "chunked, or none" }

/** How the body is cut out of the connection, said anew; undefined for codings that only one side might know. */
function framingOf({ method = "", headers, rawHeaders }: IncomingMessage): string[] | undefined {
  const codings = valuesOf(rawHeaders, "transfer-encoding")
  if (codings.length > 0)
    return codings.join().toLowerCase() === "chunked" ? ["Transfer-Encoding", "chunked"] : undefined
  const length = headers["content-length"]
  if (length !== undefined) return ["Content-Length", length]
  return /^(POST|PUT|PATCH)$/.test(method) ? ["Content-Length", "0"] : []
}

const UNWANTED_MILLISECONDS = 5000

function turnAway(incoming: IncomingMessage, outgoing: ServerResponse, answer: Answer): void {
  sendAnswer(outgoing, answer)
  cutUnwanted(incoming)
}

/** The rest of a body that nobody wants is not waited for. */
function cutUnwanted(incoming: IncomingMessage): void {
  if (incoming.complete || incoming.closed) return
  const cut = setTimeout(() => incoming.socket.destroy(), UNWANTED_MILLISECONDS)
  incoming.once("close", () => clearTimeout(cut))
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, sent: ClientRequest): void {
  let answered = false
  const fail = () => {
    incoming.unpipe(sent)
    if (!answered) turnAway(incoming, outgoing, UPSTREAM_FAILED) // else the answer's own end tells
    answered = true
  }
  sent.on("error", fail)
  sent.once("upgrade", (_, socket) => {
    socket.destroy()
    fail()
  })
  sent.once("response", (answer) => {
    if (!passOn(answer, outgoing)) {
      answer.destroy()
      return fail()
    }
    answered = true
  })
  sent.once("close", () => cutUnwanted(incoming)) // the API answered, or is gone, and takes no more of it
  if (outgoing.destroyed) return void sent.destroy()
  outgoing.once("close", () => void (outgoing.writableFinished || sent.destroy()))
  if (incoming.headers.expect !== undefined) outgoing.writeContinue()
  incoming.pipe(sent)
}

function passOn(answer: IncomingMessage, outgoing: ServerResponse): boolean {
  if (!isPassable(answer)) return false
  try {
    outgoing.writeHead(answer.statusCode ?? 0, reasonOf(answer), answerHeaders(answer))
  } catch {
    unsay(outgoing)
    return false // a status or a header that HTTP does not have
  }
  stream(answer, outgoing)
  return true
}

/** What was set of an answer would stand in the next, and could end it, too. */
function unsay(outgoing: ServerResponse): void {
  if (outgoing.headersSent) return
  outgoing.statusMessage = ""
  for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name)
}

/** An answer that is cut short is cut on the way out, too; one that nobody takes, `forward` ends. */
function stream(answer: IncomingMessage, outgoing: ServerResponse): void {
  let begun = false
  answer
    .on("error", () => undefined) // "close" follows
    .once("close", () => void (answer.readableEnded || outgoing.destroy()))
    .once("data", () => {
      begun = true
    })
    .pipe(outgoing)
  // A body that came with its head goes out with it; for one that takes its time the head does not wait.
  setImmediate(() => begun || outgoing.writableEnded || outgoing.flushHeaders())
}
