// A guarded API on a real server: a verifier on a spool of its own, Hono in front, and a list of what handlers saw.
import { mkdtempSync, rmSync } from "node:fs"
import type { Server } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { vi } from "vitest"
import { guard } from "../../src/guard/hono.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { createVerifier, type TaskUse } from "../../src/verifier/verifier.ts"
import { createFakeClock } from "./fake-clock.ts"
import { API, API_PRIVATE_JWK, startIssuerStub } from "./issuer-stub.ts"

export interface Handled {
  readonly id: string
  readonly use: TaskUse
}

export const newFolder = () => mkdtempSync(join(tmpdir(), "taskmint-verifier-"))
export const removeFolder = (folder: string) => rmSync(folder, { recursive: true, force: true })

export const optionsOf = (
  issuer: string,
  spool: string,
  more: Partial<VerifierOptions> = {},
): VerifierOptions => ({
  issuer,
  resource: API,
  credential: { clientId: "tickets", privateJwk: API_PRIVATE_JWK },
  ...more,
  ...(more.recording !== "direct" && { spool: placed(spool, more.spool) }),
})

/** At this path, unless another is given. */
const placed = (path: string, given: VerifierOptions["spool"]) =>
  typeof given === "object" ? { path, ...given } : (given ?? path)

export type GuardedApi = Awaited<ReturnType<typeof startGuardedApi>>

/** An issuer stub, and a verifier that knows its keys, its feed and its catalogue. */
export async function startVerifier(more: Partial<VerifierOptions> = {}) {
  const clock = createFakeClock()
  const stub = await startIssuerStub(clock)
  const folder = newFolder()
  const verifier = await createVerifier(optionsOf(stub.issuer, join(folder, "uses.db"), { clock, ...more }))
  await vi.waitFor(() => {
    if (!verifier.ready().ready) throw new Error(verifier.ready().reasons.join())
    if (!stub.requests.includes("GET /catalogue")) throw new Error("no catalogue yet")
  }, 5000)
  return {
    clock,
    stub,
    folder,
    verifier,
    async close() {
      await verifier.close()
      await stub.close()
      removeFolder(folder)
    },
  }
}

/** The same, and an API behind it. */
export async function startGuardedApi(more: Partial<VerifierOptions> = {}) {
  const { close, ...started } = await startVerifier(more)
  const handled: Handled[] = []
  const { server, address } = await serveApp(createApp(started.verifier, handled))
  return {
    ...started,
    handled,
    address,
    get: (path: string, token: string, headers: Record<string, string> = {}) =>
      fetch(`${address}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } }),
    /** Bytes as given, whatever a client would make of them; answers the status and the whole answer. */
    raw: (text: string) => sendRaw(new URL(address).port, text),
    async close() {
      await closeServer(server)
      await close()
    },
  }
}

export function createApp(verifier: Awaited<ReturnType<typeof createVerifier>>, handled: Handled[]) {
  const app = new Hono()
  app.all("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) => {
    handled.push({ id: c.req.param("id"), use: c.get("task") })
    return c.json({ id: c.req.param("id") })
  })
  app.post("/tickets/:id/close", guard(verifier, "tickets:close", "tickets/{id}"), (c) => {
    handled.push({ id: c.req.param("id"), use: c.get("task") })
    return c.body(null, 204)
  })
  app.post("/tickets/:id/comments", guard(verifier, "tickets:comment", "tickets/{id}"), (c) =>
    c.body(null, 204),
  )
  return app
}

export async function serveApp(app: { readonly fetch: Parameters<typeof serve>[0]["fetch"] }) {
  const server = await new Promise<Server>((resolve) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () =>
      resolve(started as Server),
    )
  })
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

export function sendRaw(port: string, text: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(Buffer.from(text, "latin1")))
    let answer = ""
    socket.setTimeout(5000, () => socket.destroy(new Error("no answer")))
    socket.on("data", (part) => {
      answer += part.toString("latin1")
    })
    socket.on("error", reject)
    socket.on("close", () =>
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0), text: answer }),
    )
  })
}
