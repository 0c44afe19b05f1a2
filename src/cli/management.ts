// The listener for those who watch a process: /livez, /readyz and /metrics, apart from what is served. It decides what it
// answers to nothing else; whether the process is ready is told by whoever opens it.
import { createServer, type RequestListener } from "node:http"
import type { Metrics } from "./metrics.ts"
import { bind, closeWithin, LIMITS, portOf } from "./server.ts"

export interface Management {
  readonly port: number
  close(): Promise<void>
}

export interface ManagementPlace {
  readonly host: string
  readonly port: number
}

/** `health` answers everything but /metrics. */
export async function openManagement(
  { host, port }: ManagementPlace,
  health: RequestListener,
  metrics: Metrics,
): Promise<Management> {
  const server = createServer(LIMITS, (incoming, outgoing) =>
    incoming.url === "/metrics" ? metrics.answer(incoming, outgoing) : health(incoming, outgoing),
  )
  server.maxConnections = 64
  await bind(server, host, port, "managementPort")
  return { port: portOf(server.address()), close: () => closeWithin(server, 0) }
}
