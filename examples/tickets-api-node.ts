import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { createVerifier } from "taskmint/verifier"
import { guard } from "taskmint/verifier/node"
import { guarded, metadata, type Route } from "taskmint/verifier/node/mount"

const verifier = await createVerifier({
  issuer: "http://127.0.0.1:8787",
  resource: "http://127.0.0.1:9001",
  credential: {
    clientId: "tickets",
    privateJwk: JSON.parse(readFileSync("acme/credentials/tickets.private.json", "utf8")),
  },
  spool: "acme/uses.db",
})

const read: Route = {
  method: "GET",
  path: "/tickets/:id",
  guard: guard(verifier, "tickets:read", "tickets/{id}"),
  handler(_request, response, { task, agent, parameters }) {
    response.end(JSON.stringify({ ticket: parameters.id, readBy: agent, task }))
  },
}
const serve = guarded(verifier, [read]) // a route without a guard would stop it here
const about = metadata(verifier)

const server = createServer((request, response) => {
  if (request.url === verifier.metadata.path) return about(request, response)
  // Your router: which route it is, and its parameters, decoded once. What it does not know is refused.
  const [, id] = /^\/tickets\/([\w-]+)$/.exec(request.url ?? "") ?? []
  serve(request, response, id !== undefined && request.method === "GET" ? read : undefined, { id }).catch(
    () => {
      response.destroy()
    },
  )
}).listen(9001, "127.0.0.1")

process.once("SIGTERM", async () => {
  server.close()
  await verifier.flush()
  await verifier.close()
  process.exit(0)
})
