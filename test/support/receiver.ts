// Whoever is told by webhook, on loopback: it keeps what it got, and answers as the test says.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { decodeJwt, decodeProtectedHeader } from "jose"
import { EVENT_URI } from "../../src/token/security-event.ts"

export interface Got {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly token: string
}

export interface Receiver {
  readonly url: string
  readonly got: Got[]
  /** From now on; 202 at first. */
  answer(how: number | ((response: ServerResponse) => void)): void
  /** The kinds of what it was told, and their facts, in the order of their ids. */
  told(): { readonly kind: string; readonly jti: string; readonly facts: Record<string, unknown> }[]
  close(): Promise<void>
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const got: Got[] = []
  let how: Parameters<Receiver["answer"]>[0] = 202
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    got.push({
      path: request.url ?? "",
      headers: request.headers,
      token: Buffer.concat(parts).toString("utf8"),
    })
    if (typeof how === "function") how(response)
    else response.writeHead(how).end()
  })
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    got,
    answer: (next) => {
      how = next
    },
    told: () => got.map(({ token }) => factsIn(token)).sort((one, other) => one.jti.localeCompare(other.jti)),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function factsIn(token: string) {
  const { jti = "", events } = decodeJwt<{ events: Record<string, Record<string, unknown>> }>(token)
  const [[uri = "", facts = {}] = []] = Object.entries(events)
  if (decodeProtectedHeader(token).typ !== "secevent+jwt" || !uri.startsWith(EVENT_URI))
    throw new Error("not a security event")
  return { kind: uri.slice(EVENT_URI.length), jti, facts }
}
