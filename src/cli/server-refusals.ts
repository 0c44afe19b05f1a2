// What the server itself refuses, before there is a request that the issuer could read: as problems (RFC 9457) with a
// request_id, like every refusal of the issuer's own. What is refused so is decided in server.ts and by Node's parser.
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import type { Next } from "../errors.ts"
import { INERT } from "../issuer/inert.ts"
import { PROBLEM_TYPE } from "../issuer/problem.ts"
import { newUuid } from "../token/id.ts"

interface Problem {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly next: Next
  readonly headers?: Readonly<Record<string, string>>
}

const MALFORMED: Problem = {
  status: 400,
  code: "invalid_request",
  title: "The request line is malformed",
  next: "stop",
}
const AMBIGUOUS: Problem = {
  status: 400,
  code: "credential_ambiguous",
  title: "Send exactly one credential",
  next: "stop",
}
const EXPECTATION: Problem = {
  status: 417,
  code: "invalid_request",
  title: "Nothing but 100-continue can be expected",
  next: "stop",
}

export const malformed = (): Response => responseOf(MALFORMED)

export const ambiguous = (): Response => responseOf(AMBIGUOUS)

export const unavailable = (ending: boolean): Response =>
  responseOf({
    status: 503,
    code: "temporarily_unavailable",
    title: ending ? "The issuer is stopping" : "The issuer is not ready",
    next: "wait",
    headers: { "retry-after": "2", ...(ending && { connection: "close" }) },
  })

/** Of what Node's parser gives up on, by its error's code; anything else is not HTTP. */
const UNREAD: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: "invalid_request",
    title: "The headers are larger than this server takes",
    next: "stop",
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: "body_too_large",
    title: "The chunk extensions are larger than this server takes",
    next: "stop",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: "invalid_request",
    title: "The request was not sent in time",
    next: "wait",
  },
}
const NO_HTTP: Problem = { ...MALFORMED, title: "The request is malformed" }

/** Answers what never becomes a request of the listener's: what can't be parsed, and what expects more than 100-continue. */
export function refuseUnread(server: Server): void {
  const answers = new WeakMap<Duplex, ServerResponse>()
  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) =>
    answers.set(incoming.socket, outgoing),
  )
  server.on("checkExpectation", (_incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { text, headers } = contentOf(EXPECTATION)
    const length = { "content-length": Buffer.byteLength(text) }
    outgoing.writeHead(EXPECTATION.status, { ...headers, ...length }).end(text)
  })
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    const answer = answers.get(socket)
    const begun = answer?.headersSent === true && !answer.writableFinished
    // Nobody is there any more, or half of another answer is.
    if (error.code === "ECONNRESET" || !socket.writable || begun) return void socket.destroy(error)
    socket.end(rawOf(UNREAD[error.code ?? ""] ?? NO_HTTP), () => socket.destroy())
  })
}

function contentOf({ status, code, title, next, headers }: Problem) {
  const requestId = newUuid()
  const text = JSON.stringify({ type: "about:blank", title, status, code, next, request_id: requestId })
  const sent = {
    "content-type": PROBLEM_TYPE,
    ...INERT,
    "cache-control": "no-store",
    "x-request-id": requestId,
    ...headers,
  }
  return { text, headers: sent }
}

function responseOf(problem: Problem): Response {
  const { text, headers } = contentOf(problem)
  return new Response(text, { status: problem.status, headers })
}

/** An answer as it goes over the wire where there is nobody to write it: the connection ends with it. */
function rawOf(problem: Problem): string {
  const { text, headers } = contentOf(problem)
  const { status } = problem
  const fields = { ...headers, "content-length": Buffer.byteLength(text), connection: "close" }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, ...lines, "", text].join("\r\n")
}
