// Listens on a free loopback port with @hono/node-server, or a plain node server, and prints the request to repeat.
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Target } from "../machine.ts"

export function announce(server: Server, target: (origin: string) => Target | Promise<Target>): void {
  server.listen(0, "127.0.0.1", async () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify(await target(`http://127.0.0.1:${port}`)))
  })
  process.on("SIGTERM", () => process.exit(0))
}
