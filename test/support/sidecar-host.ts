// The sidecar as one more host of the adapters' contract: a plain server behind a proxy, which knows of a request only
// what the proxy tells it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createProxy, type ProxyOptions } from "../../src/sidecar/proxy.ts"
import type { RouteRule } from "../../src/sidecar/routes.ts"
import { isWebSocket } from "../../src/sidecar/tunnel.ts"
import type { TaskUse, Verifier } from "../../src/verifier/verifier.ts"
import { type Host, listen, type Seen } from "./hosts.ts"
import { API } from "./issuer-stub.ts"

const read = (path: string): RouteRule => ({
  method: "GET",
  path,
  operation: "tickets:read",
  resource: "tickets/{id}",
})
export const ROUTES: readonly RouteRule[] = [
  read("/tickets/{id}"),
  read("/reports/{id}"),
  { method: "POST", path: "/tickets/{id}/close", operation: "tickets:close", resource: "tickets/{id}" },
  read("/nested/{id}"),
]

export const sidecar: Host = {
  name: "sidecar",
  async start(verifier, seen) {
    const uses = new Map<string, TaskUse>()
    const upstream = await listen(createServer((req, res) => void behind(seen, uses, req, res)))
    const { server, proxy } = await startProxy(remembering(verifier, uses), upstream)
    server.once("close", () => {
      proxy.close()
      upstream.closeAllConnections()
      upstream.close()
    })
    return server
  },
}

/** A proxy on a real socket, before a server of the test's own. */
export async function startProxy(verifier: Verifier, upstream: Server, more: Partial<ProxyOptions> = {}) {
  const { port } = upstream.address() as AddressInfo
  const address = `http://127.0.0.1:${port}`
  const proxy = createProxy({ verifier, resource: API, routes: ROUTES, upstream: address, ...more })
  const server = createServer(
    { shouldUpgradeCallback: isWebSocket },
    (req, res) => void proxy.serve(req, res),
  )
  server.maxHeadersCount = 0 // as the guard's has
  server.on("checkContinue", (req, res) => void proxy.serve(req, res))
  server.on("upgrade", (...upgrade) => void proxy.upgrade(...upgrade))
  return { server: await listen(server), proxy }
}

/** The whole use of what was allowed last, for the upstream's handler to hold against the headers it got. */
const remembering = (verifier: Verifier, uses: Map<string, TaskUse>): Verifier => ({
  ...verifier,
  async check(...args) {
    const decision = await verifier.check(...args)
    if (decision.outcome === "allowed") uses.set(decision.use.task, decision.use)
    return decision
  },
})

async function behind(seen: Seen, uses: Map<string, TaskUse>, req: IncomingMessage, res: ServerResponse) {
  if (req.url === "/open") return void res.end(seen.open())
  const { "taskmint-task": task, "taskmint-agent": agent, "taskmint-resource": resource } = req.headers
  const told = [task, agent, resource].some((value) => value !== undefined)
  const use = uses.get(String(task))
  if (told && (!use || agent !== `${use.agent}/${use.instance}` || resource !== use.resource.join("/")))
    return void res.writeHead(418).end()
  const id = decodeURIComponent((req.url ?? "").split("?")[0]?.split("/")[2] ?? "")
  try {
    const { status, body } = await seen.handle(id, use, req)
    res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  } catch {
    res.writeHead(500).end()
  }
}
