// A server that answers by a script and remembers what it was asked: the other side of a client under test.
import { createServer, type IncomingMessage } from "node:http"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

export interface Scripted {
  /** Cuts the connection instead of answering. */
  readonly cut?: boolean
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface ScriptedServer {
  readonly origin: string
  readonly asked: readonly Asked[]
  /** Requests that are not answered yet. */
  pending(): number
  close(): Promise<void>
}

export async function startScripted(answer: (asked: Asked) => Scripted): Promise<ScriptedServer> {
  const asked: Asked[] = []
  let pending = 0
  const server = createServer(async (incoming, outgoing) => {
    pending++
    outgoing.once("close", () => pending--)
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part)
    const one = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
      body: Buffer.concat(parts).toString("utf8"),
    }
    asked.push(one)
    const { status = 200, headers = {}, body, cut = false } = answer(one)
    if (cut) return void incoming.socket.destroy()
    outgoing.writeHead(status, { "content-type": "application/json", ...headers })
    outgoing.end(body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address ? address.port : 0
  return {
    origin: `http://127.0.0.1:${port}`,
    asked,
    pending: () => pending,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Resolves when nobody waits for these servers, and whoever did has had a moment to go on. */
export async function quiet(...servers: readonly Pick<ScriptedServer, "pending">[]): Promise<void> {
  const isCalm = () => servers.every((server) => server.pending() === 0)
  for (let calm = 0; calm < 2; calm = isCalm() ? calm + 1 : 0)
    await new Promise((resolve) => setTimeout(resolve, 4))
}
