// Everything that talks, on real sockets: an issuer, two guarded APIs, and callers with keys of their own. The clock is
// the machine's, for what is shown here happens between processes in use.
import { randomBytes } from "node:crypto"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { vi } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import { guard } from "../../src/guard/hono.ts"
import { createIssuer, type Issuer, type IssuerOptions } from "../../src/issuer/issuer.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import { type Clock, systemClock } from "../../src/time.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { createVerifier, type TaskUse, type Verifier } from "../../src/verifier/verifier.ts"
import { testPlace } from "./engine.ts"
import { replaceKeys } from "./policy-keys.ts"
import { ROOT } from "./source.ts"

type Fetch = (request: Request, env?: object) => Response | Promise<Response>

/** A server that listens before what it serves exists, so that names with ports in them can be given out. */
async function listenFirst() {
  let answer: Fetch = () => new Response(null, { status: 503 })
  const server = createServer(getRequestListener((request: Request, env: object) => answer(request, env)))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const serve = (fetch: Fetch) => {
    answer = fetch
  }
  let asked = 0
  server.on("request", ({ method, url }, outgoing) => {
    if (method === "GET" && url?.startsWith("/revocations")) return // a stream, which is never over
    asked++
    outgoing.once("close", () => asked--)
  })
  return { server, origin: `http://127.0.0.1:${port}`, serve, asked: () => asked }
}

export type Town = Awaited<ReturnType<typeof buildTown>>

export interface TownOptions {
  /** Of the issuer, of both verifiers and of the orchestrators. */
  readonly clock?: Clock
  readonly dev?: boolean
  /** Changes the policies before the issuer reads them. */
  readonly prepare?: (policies: string) => void
}

export async function buildTown({ clock = systemClock, dev = false, prepare }: TownOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-town-"))
  const policies = join(folder, "policies")
  cpSync(join(ROOT, "policies"), policies, { recursive: true })
  const [issuerPlace, tickets, deployments] = [await listenFirst(), await listenFirst(), await listenFirst()]
  const keys = replaceKeys(policies)
  replaceText(join(policies, "support.yaml"), "https://tickets.internal.example", tickets.origin)
  replaceText(join(policies, "deployments.yaml"), "https://deployments.internal.example", deployments.origin)
  prepare?.(policies)
  const at = await testPlace(folder)
  const keyEncryptionKey = randomBytes(32)
  let options: IssuerOptions = {
    clock,
    issuer: issuerPlace.origin,
    database: at.place,
    policies,
    keyEncryptionKey,
    dev,
  }
  let issuer: Issuer = await createIssuer(options)
  issuerPlace.serve(issuer.fetch)
  const served: TaskUse[] = []
  const credential = (clientId: string) => ({ clientId, privateJwk: keyOf(keys, clientId) })
  const verifiers = await Promise.all(
    [tickets, deployments].map((place, index) =>
      createVerifier({
        clock,
        issuer: issuerPlace.origin,
        resource: place.origin,
        credential: credential(index === 0 ? "tickets" : "deployments"),
        spool: join(folder, `uses-${index}.db`),
      }),
    ),
  )
  const [ticketGuard, deploymentGuard] = verifiers
  if (!ticketGuard || !deploymentGuard) throw new Error("no verifiers")
  tickets.serve(ticketApp(ticketGuard, served).fetch)
  deployments.serve(deploymentApp(deploymentGuard, served).fetch)
  await vi.waitFor(() => {
    if (!verifiers.every((one) => one.ready().ready)) throw new Error("not ready")
  }, 5000)
  const servers: Server[] = [issuerPlace.server, tickets.server, deployments.server]
  return {
    folder,
    policies,
    keyEncryptionKey,
    issuerUrl: issuerPlace.origin,
    tickets: tickets.origin,
    deployments: deployments.origin,
    served,
    flush: () => Promise.all(verifiers.map((one) => one.flush())),
    orchestrator: (name = "support-orchestrator") =>
      createOrchestrator({ issuer: issuerPlace.origin, credential: credential(name), clock }),
    /** Resolves when what the issuer was asked has been answered, and its askers have had a moment to go on. */
    async quiet() {
      for (let calm = 0; calm < 2; calm = issuerPlace.asked() === 0 ? calm + 1 : 0)
        await new Promise((resolve) => setTimeout(resolve, 6))
    },
    /** What keeps the guards from deciding, and what fails beside their work, in their own words. */
    doubts: () => verifiers.flatMap((one) => one.ready().reasons),
    /** What else the issuer does on timers, now. */
    sweep: () => issuer.sweep(),
    /** A call to the issuer as one of its callers; answers its JSON. */
    async ask(as: string, method: string, path: string, json?: object): Promise<Record<string, unknown>> {
      const tokens = createServiceTokens({
        issuer: issuerPlace.origin,
        credential: credential(as),
        clock,
      })
      const headers = { authorization: `Bearer ${await tokens.get()}`, "content-type": "application/json" }
      const init = { method, headers, ...(json && { body: JSON.stringify(json) }) }
      return (await fetch(`${issuerPlace.origin}${path}`, init)).json() as Promise<Record<string, unknown>>
    },
    privateJwkOf: (name: string) => keyOf(keys, name),
    /** Meanwhile the issuer has no answer at this path. */
    async without<T>(path: string, meanwhile: () => Promise<T>): Promise<T> {
      issuerPlace.serve((request) =>
        new URL(request.url).pathname === path ? new Response(null, { status: 503 }) : issuer.fetch(request),
      )
      try {
        return await meanwhile()
      } finally {
        issuerPlace.serve(issuer.fetch)
      }
    },
    /** Stops the issuer as a crash of its host would look to others, and starts another on the same files. */
    async restartIssuer(
      meanwhile: () => Promise<void> = async () => undefined,
      changes: Partial<IssuerOptions> = {},
    ) {
      issuerPlace.serve(() => new Response(null, { status: 503 }))
      await issuer.close()
      await meanwhile()
      options = { ...options, ...changes }
      issuer = await createIssuer(options)
      issuerPlace.serve(issuer.fetch)
    },
    async close() {
      await Promise.all(verifiers.map((one) => one.close()))
      await issuer.close()
      for (const server of servers) {
        server.closeAllConnections()
        server.close()
      }
      await at.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function ticketApp(verifier: Verifier, served: TaskUse[]) {
  return new Hono()
    .get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) => {
      served.push(c.get("task"))
      return c.json({ id: c.get("task").parameters.id })
    })
    .post("/tickets/:id/close", guard(verifier, "tickets:close", "tickets/{id}"), (c) => {
      served.push(c.get("task"))
      return c.json({ closed: true })
    })
}

function deploymentApp(verifier: Verifier, served: TaskUse[]) {
  return new Hono().get(
    "/environments/:env/services/:service",
    guard(verifier, "deployments:read", "environments/{env}/services/{service}"),
    (c) => {
      served.push(c.get("task"))
      return c.json({})
    },
  )
}

function keyOf(keys: ReadonlyMap<string, PrivateJwk>, name: string): PrivateJwk {
  const key = keys.get(name)
  if (!key) throw new Error(`no key for ${name}`)
  return key
}

const replaceText = (file: string, from: string, to: string) =>
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(from, to))
