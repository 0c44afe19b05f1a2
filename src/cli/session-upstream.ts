// One request of the agent's on its way to an API and the answer on its way back, streamed both ways, with the token's
// headers instead of any credential of the agent's own. No redirect is followed. It decides nothing about tokens.
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request as overHttp,
  type ServerResponse,
} from "node:http"
import { request as overHttps, Agent as TlsAgent } from "node:https"
import { pipeline } from "node:stream"
import type { Sending } from "../client/sending.ts"
import { answerHeaders, passedHeaders } from "../sidecar/forwarded.ts"
import { isPassable, reasonOf } from "../sidecar/upstream.ts"

/** An answer, and what of its body was read already to look at it. */
export interface Relayed {
  readonly message: IncomingMessage
  start: Buffer
}

/** The API did not answer, or not in a way that can be passed on. */
export class UpstreamFailed extends Error {
  override readonly name = "UpstreamFailed"
}

export interface Upstreams {
  /** `body`: read already, so that it can be sent again; undefined where it is streamed. */
  sending(
    incoming: IncomingMessage,
    url: URL,
    body: Buffer | undefined,
    signal: AbortSignal,
  ): Sending<Relayed>
  /** The same without a token, and with the caller's own credential. */
  forward(incoming: IncomingMessage, url: URL, signal: AbortSignal): Promise<Relayed>
  close(): void
}

/** Shorter than servers keep idle connections, so that none is used at the moment when it is closed. */
const IDLE = { keepAlive: true, timeout: 1000 }
const MAX_PEEK_BYTES = 64 * 1024
/** What is looked at of an answer. */
const LOOKED_AT = ["content-type", "retry-after", "dpop-nonce", "www-authenticate"]

export function createUpstreams(): Upstreams {
  const [plain, secure] = [new Agent(IDLE), new TlsAgent(IDLE)]
  const start = (method: string, url: URL, headers: string[], signal: AbortSignal): ClientRequest =>
    url.protocol === "https:"
      ? overHttps(url, { method, headers, agent: secure, signal, setHost: false })
      : overHttp(url, { method, headers, agent: plain, signal, setHost: false })
  return {
    sending(incoming, url, body, signal) {
      const method = incoming.method ?? "GET"
      return {
        url,
        method,
        repeatable: body !== undefined,
        signal,
        async send(carried) {
          const headers = [...headersOf(incoming, url, false), ...Object.entries(carried).flat()]
          const relayed = await answered(start(method, url, headers, signal), body ?? incoming)
          return {
            status: relayed.message.statusCode ?? 0,
            headers: lookedAt(relayed.message),
            answer: relayed,
            peek: () => readStart(relayed),
            discard: async () => void relayed.message.resume(),
          }
        },
      }
    },
    forward: (incoming, url, signal) =>
      answered(start(incoming.method ?? "GET", url, headersOf(incoming, url, true), signal), incoming),
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}

/** `Host` is the API's own name; how the body is framed is said anew. */
function headersOf(incoming: IncomingMessage, url: URL, withCredential: boolean): string[] {
  const passed = passedHeaders(incoming.rawHeaders, withCredential).flat()
  return ["Host", url.host, ...passed, ...framingOf(incoming)]
}

function framingOf({ method = "", headers }: IncomingMessage): string[] {
  if (headers["transfer-encoding"] !== undefined) return ["Transfer-Encoding", "chunked"]
  const length = headers["content-length"]
  if (length !== undefined) return ["Content-Length", length]
  return /^(POST|PUT|PATCH)$/.test(method) ? ["Content-Length", "0"] : []
}

function answered(sent: ClientRequest, body: Buffer | IncomingMessage): Promise<Relayed> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(new UpstreamFailed("the API did not answer", { cause }))
    sent.on("error", fail)
    sent.once("upgrade", (_, socket) => {
      socket.destroy()
      fail("upgraded")
    })
    sent.once("response", (message) => {
      message.on("error", () => undefined) // an answer that is cut short is cut on the way out, too
      if (isPassable(message)) return resolve({ message, start: Buffer.alloc(0) })
      message.destroy()
      fail("coding")
    })
    if (Buffer.isBuffer(body)) sent.end(body)
    else body.pipe(sent)
  })
}

function lookedAt({ headers }: IncomingMessage): Headers {
  const found = new Headers()
  for (const name of LOOKED_AT) {
    const value = headers[name]
    if (typeof value === "string" && /^[\x20-\x7e]*$/.test(value)) found.set(name, value)
  }
  return found
}

async function readStart(relayed: Relayed): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of relayed.message.iterator({ destroyOnReturn: false })) {
    parts.push(part)
    size += part.length
    if (size > MAX_PEEK_BYTES) break
  }
  relayed.start = Buffer.concat(parts)
  return relayed.start.toString("utf8")
}

/** Sends an answer on. `rename` says where a `Location` lies for the caller. */
export function passOn(
  { message, start }: Relayed,
  outgoing: ServerResponse,
  rename: (location: string) => string,
): void {
  const headers = answerHeaders(message).map((value, at, all) =>
    at % 2 === 1 && all[at - 1]?.toLowerCase() === "location" ? rename(value) : value,
  )
  outgoing.writeHead(message.statusCode ?? 502, reasonOf(message), headers)
  outgoing.flushHeaders()
  if (start.length > 0) outgoing.write(start)
  if (message.readableEnded) outgoing.end()
  else pipeline(message, outgoing, () => undefined) // either side that leaves ends the other
}

/** A body that is small enough to be sent again, or undefined: it is to be streamed. Rejects when the caller left. */
export async function readSmallBody(
  incoming: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const { "content-length": length, "transfer-encoding": coding } = incoming.headers
  if (coding !== undefined || Number(length ?? 0) > maxBytes) return undefined
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part)
  return Buffer.concat(parts)
}
