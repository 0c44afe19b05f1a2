// WebSockets through the sidecar: the upgrade is decided like a request, before the upstream sees a byte, and then two
// sockets are one, until what was decided stands no more. It does not look at what goes through.
import { type ClientRequest, type IncomingMessage, STATUS_CODES } from "node:http"
import { type Duplex, pipeline } from "node:stream"
import { type Code, REFUSALS } from "../errors.ts"
import type { Answer } from "../verifier/challenge.ts"
import { valuesOf } from "../verifier/credential.ts"
import { joinList } from "../verifier/outgoing.ts"
import { answerHeaders, type Passing, requestHeaders } from "./forwarded.ts"
import { closeFrame, watchFrames } from "./frames.ts"
import type { Sidecar } from "./sidecar.ts"
import { isPassable, UPSTREAM_FAILED, type Upstream } from "./upstream.ts"

/** What a server's `upgrade` event gives. */
interface Upgrade {
  readonly incoming: IncomingMessage
  readonly socket: Duplex
  /** What the caller sent already: for the other side of the tunnel, if there is one. */
  readonly head: Buffer
}

/** Two sockets that are one. */
export interface Tunnel {
  /** Why its upgrade would be refused by now. */
  readonly stands: Passing["stands"]
  /** Nothing passes any more: the caller is told why, the upstream's connection ends. */
  end(code: Code): void
}

/** Who knows the tunnels that are open. */
export type Tunnels = Pick<Set<Tunnel>, "add" | "delete">

/** For a server's `shouldUpgradeCallback`: other upgrades are offers, and their requests are served as if without. */
export const isWebSocket = ({ rawHeaders }: IncomingMessage): boolean =>
  valuesOf(rawHeaders, "upgrade").join().toLowerCase() === "websocket"

const WEBSOCKET_ONLY = { pointer: "/headers/upgrade", expected: "a GET for a websocket, without a body" }

/** Resolves when the request is sent on or refused. The use is recorded with 101, or what the upstream said instead. */
export async function openTunnel(
  sidecar: Sidecar,
  upstream: Upstream,
  upgrade: Upgrade,
  tunnels: Tunnels,
): Promise<void> {
  const { incoming, socket } = upgrade
  const { method = "", url = "", rawHeaders } = incoming
  const hasBody = ["content-length", "transfer-encoding"].some(
    (name) => valuesOf(rawHeaders, name).length > 0,
  )
  if (method !== "GET" || hasBody || !isWebSocket(incoming))
    return endWith(socket, sidecar.malformed(WEBSOCKET_ONLY))
  const judged = await sidecar.judge({ method, target: url, rawHeaders })
  if ("answer" in judged) return endWith(socket, judged.answer)
  const { passing, match } = judged
  const headers = [...requestHeaders(incoming, passing, upstream.host), ...UPGRADED]
  join(upgrade, passing, upstream.start(method, match, headers), tunnels)
}

const UPGRADED = ["Connection", "Upgrade", "Upgrade", "websocket"]

function join(
  { socket, head }: Upgrade,
  { headers, finished, stands }: Passing,
  sent: ClientRequest,
  tunnels: Tunnels,
): void {
  let answered = false
  let tunnel: Tunnel | undefined
  const fail = () => {
    finished(UPSTREAM_FAILED.status)
    endWith(socket, UPSTREAM_FAILED)
  }
  sent.on("error", () => void (answered || fail()))
  sent.once("upgrade", (answer, behind, first) => {
    answered = true
    behind.on("error", () => socket.destroy())
    if (!isWebSocket(answer)) {
      behind.destroy()
      return fail()
    }
    finished(101)
    socket.write(headOf(101, [...joinList(answerHeaders(answer), headers), ...UPGRADED]))
    socket.write(first)
    behind.write(head)
    tunnel = { stands, end: couple(socket, behind, first) }
    tunnels.add(tunnel)
  })
  sent.once("response", (answer) => {
    answered = true
    if (!isPassable(answer)) return fail()
    finished(answer.statusCode ?? 0)
    const said = [...joinList(answerHeaders(answer), headers), "Connection", "close"]
    socket.write(headOf(answer.statusCode ?? 502, said))
    pipeline(answer, socket, () => letGo(socket))
  })
  const left = () => {
    if (tunnel) tunnels.delete(tunnel)
    finished(0)
    sent.destroy()
  }
  socket.once("close", left)
  if (socket.destroyed) left()
  else sent.end()
}

/** RFC 6455 section 7.4.1: the policy that let it in lets it no more. */
const POLICY_VIOLATION = 1008
/** IANA: at another time it may. */
const TRY_AGAIN_LATER = 1013

/** Passes everything both ways; answers what ends it. Whoever is in the middle of a frame then is cut off without a word. */
function couple(socket: Duplex, behind: Duplex, first: Buffer): Tunnel["end"] {
  const frames = watchFrames()
  frames.pass(first)
  behind.on("data", frames.pass)
  const cut = (error: unknown) => void (error && [socket, behind].map((one) => one.destroy()))
  pipeline(socket, behind, cut)
  pipeline(behind, socket, cut)
  return (code) => {
    if (!frames.isBetween()) return void socket.destroy()
    socket.unpipe(behind)
    behind.unpipe(socket).resume()
    behind.end()
    socket.end(closeFrame(REFUSALS[code].status === 503 ? TRY_AGAIN_LATER : POLICY_VIOLATION, code))
    letGo(socket)
  }
}

/** A finished answer on a bare socket, which ends with it. */
function endWith(socket: Duplex, { status, headers, body }: Answer): void {
  const length = String(Buffer.byteLength(body))
  const all = [...Object.entries(headers).flat(), "Content-Length", length, "Connection", "close"]
  socket.write(headOf(status, all))
  socket.end(body)
  letGo(socket)
}

const LINGER_MILLISECONDS = 5000

/** The caller may read what was sent; what it sends itself is nobody's. */
function letGo(socket: Duplex): void {
  socket.resume()
  const cut = setTimeout(() => socket.destroy(), LINGER_MILLISECONDS)
  socket.once("close", () => clearTimeout(cut))
}

/** Header values are bytes: a string of Node's holds one in each character. */
function headOf(status: number, headers: readonly string[]): Buffer {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, "latin1")
}
