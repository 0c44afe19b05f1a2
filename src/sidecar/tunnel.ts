// WebSockets through the sidecar: the upgrade is decided like a request, before the upstream sees a byte, and then two
// sockets are one. It does not look at what goes through, and a token that ends later does not end it.
import { type ClientRequest, type IncomingMessage, STATUS_CODES } from "node:http"
import { type Duplex, pipeline } from "node:stream"
import type { Answer } from "../verifier/challenge.ts"
import { valuesOf } from "../verifier/credential.ts"
import { joinList } from "../verifier/outgoing.ts"
import { answerHeaders, type Passing, requestHeaders } from "./forwarded.ts"
import type { Sidecar } from "./sidecar.ts"
import { isPassable, UPSTREAM_FAILED, type Upstream } from "./upstream.ts"

/** What a server's `upgrade` event gives. */
interface Upgrade {
  readonly incoming: IncomingMessage
  readonly socket: Duplex
  /** What the caller sent already: for the other side of the tunnel, if there is one. */
  readonly head: Buffer
}

/** For a server's `shouldUpgradeCallback`: other upgrades are offers, and their requests are served as if without. */
export const isWebSocket = ({ rawHeaders }: IncomingMessage): boolean =>
  valuesOf(rawHeaders, "upgrade").join().toLowerCase() === "websocket"

const WEBSOCKET_ONLY = { pointer: "/headers/upgrade", expected: "a GET for a websocket, without a body" }

/** Resolves when the request is sent on or refused. The use is recorded with 101, or what the upstream said instead. */
export async function openTunnel(sidecar: Sidecar, upstream: Upstream, upgrade: Upgrade): Promise<void> {
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
  join(upgrade, passing, upstream.start(method, match, headers))
}

const UPGRADED = ["Connection", "Upgrade", "Upgrade", "websocket"]

function join({ socket, head }: Upgrade, { headers, finished }: Passing, sent: ClientRequest): void {
  let answered = false
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
    const cut = (error: unknown) => void (error && [socket, behind].map((one) => one.destroy()))
    pipeline(socket, behind, cut)
    pipeline(behind, socket, cut)
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
    finished(0)
    sent.destroy()
  }
  socket.once("close", left)
  if (socket.destroyed) left()
  else sent.end()
}

/** A finished answer on a bare socket, which ends with it. */
function endWith(socket: Duplex, { status, headers, body }: Answer): void {
  const length = String(Buffer.byteLength(body))
  const all = [...Object.entries(headers).flat(), "Content-Length", length, "Connection", "close"]
  socket.end(headOf(status, all) + body)
  letGo(socket)
}

const LINGER_MILLISECONDS = 5000

/** The caller may read what was sent; what it sends itself is nobody's. */
function letGo(socket: Duplex): void {
  socket.resume()
  const cut = setTimeout(() => socket.destroy(), LINGER_MILLISECONDS)
  socket.once("close", () => clearTimeout(cut))
}

function headOf(status: number, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return `${text}\r\n`
}
