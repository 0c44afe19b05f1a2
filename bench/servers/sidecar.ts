// `taskmint guard` before an API, without its command line. Its argument is a JSON file of what it needs.
import { readFileSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import { openGuardServer } from "../../src/cli/guard-server.ts"
import { openGuard } from "./given.ts"

const given = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const verifier = await openGuard(given)
while (!verifier.ready().ready) await setTimeout(20)

const { port } = await openGuardServer(verifier, {
  verifier: {
    issuer: given.issuer,
    resource: given.resource,
    credential: { clientId: "tickets", privateJwk: {} },
  },
  routes: [{ method: "GET", path: "/tickets/{id}", operation: "tickets:read", resource: "tickets/{id}" }],
  duty: { upstream: given.upstream },
  host: "127.0.0.1",
  port: 0,
  management: undefined,
})
process.on("SIGTERM", () => process.exit(0))
console.log(
  JSON.stringify({
    url: `http://127.0.0.1:${port}/tickets/SUP-1042`,
    method: "GET",
    headers: { authorization: `Bearer ${given.token}` },
  }),
)
