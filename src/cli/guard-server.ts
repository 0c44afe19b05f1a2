// The listeners of the sidecar: one for what it guards, one for those who watch it. It decides limits and the end;
// everything that is asked is the proxy's, the forward-auth's and the verifier's.
import { createServer, type RequestListener, type Server } from "node:http"
import { createForwardAuth } from "../sidecar/forward-auth.ts"
import { createProxy } from "../sidecar/proxy.ts"
import { isWebSocket } from "../sidecar/tunnel.ts"
import type { Verifier } from "../verifier/verifier.ts"
import type { GuardSettings } from "./guard-settings.ts"
import { openManagement } from "./management.ts"
import type { Metrics } from "./metrics.ts"
import { bind, closeWithin, LIMITS, MAX_CONNECTIONS, portOf } from "./server.ts"

export interface GuardServer {
  readonly port: number
  readonly managementPort: number | undefined
  /** What is under way is finished, and ended by force after the grace; WebSockets end at once. */
  drain(graceMilliseconds: number): Promise<void>
}

/** A body may take as long as it likes, once it is allowed; headers may not. */
const GUARD_LIMITS = {
  ...LIMITS,
  requestTimeout: 0,
  insecureHTTPParser: false,
  shouldUpgradeCallback: isWebSocket,
}

/** `metrics` are there where there is a management port. */
export async function openGuardServer(
  verifier: Verifier,
  settings: GuardSettings,
  metrics?: Metrics,
): Promise<GuardServer> {
  const { server, endTunnels, close } = createGuard(verifier, settings)
  server.maxConnections = MAX_CONNECTIONS
  server.maxHeadersCount = 0 // their bytes are limited; some versions of Node drop what is beyond a count without a word
  await bind(server, settings.host, settings.port, "guardPort")
  const place = settings.management
  const opening = place && metrics && openManagement(place, watchers(verifier), metrics)
  const management = await opening?.catch((error: unknown) => {
    server.close()
    throw error
  })
  return {
    port: portOf(server.address()),
    managementPort: management?.port,
    async drain(graceMilliseconds) {
      endTunnels()
      await closeWithin(server, graceMilliseconds)
      close()
      await management?.close()
    },
  }
}

interface Guard {
  readonly server: Server
  endTunnels(): void
  close(): void
}

function createGuard(verifier: Verifier, { duty, routes, verifier: { resource } }: GuardSettings): Guard {
  if ("front" in duty) {
    const check = createForwardAuth({ verifier, resource, routes, front: duty.front })
    const health = watchers(verifier)
    const listener: RequestListener = (incoming, outgoing) =>
      isHealth(incoming.url) ? health(incoming, outgoing) : void check(incoming, outgoing)
    const limits = {
      ...GUARD_LIMITS,
      requestTimeout: LIMITS.requestTimeout, // no body goes on from here
      shouldUpgradeCallback: () => false,
    }
    return { server: createServer(limits, listener), endTunnels: () => undefined, close: () => undefined }
  }
  const proxy = createProxy({ verifier, resource, routes, upstream: duty.upstream })
  const serve: RequestListener = (incoming, outgoing) => void proxy.serve(incoming, outgoing)
  const server = createServer(GUARD_LIMITS, serve).on("checkContinue", serve)
  server.on("upgrade", (...upgrade) => void proxy.upgrade(...upgrade))
  return { server, endTunnels: proxy.endTunnels, close: proxy.close }
}

const isHealth = (url: string | undefined) => url === "/livez" || url === "/readyz"

/** For infrastructure: no path of the API's, no secret. */
const watchers =
  (verifier: Verifier): RequestListener =>
  ({ url }, outgoing) => {
    const readiness = verifier.ready()
    const status = !isHealth(url) ? 404 : url === "/readyz" && !readiness.ready ? 503 : 200
    const body = url === "/readyz" ? JSON.stringify(readiness) : "{}"
    outgoing.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" }).end(body)
  }
