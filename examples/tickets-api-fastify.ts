import { readFileSync } from "node:fs"
import fastify from "fastify"
import { createVerifier } from "taskmint/verifier"
import { guard } from "taskmint/verifier/fastify"
import { guarded, metadata } from "taskmint/verifier/fastify/mount"

const verifier = await createVerifier({
  issuer: "http://127.0.0.1:8787",
  resource: "http://127.0.0.1:9001",
  credential: {
    clientId: "tickets",
    privateJwk: JSON.parse(readFileSync("acme/credentials/tickets.private.json", "utf8")),
  },
  spool: "acme/uses.db",
})

const app = fastify()
app.get(verifier.metadata.path, metadata(verifier))
app.register(async (api) => {
  guarded(verifier, api) // first: a route without a guard stops the start
  const read = { onRequest: guard(verifier, "tickets:read", "tickets/{id}") }
  api.get("/tickets/:id", read, async (request) => {
    const { task, agent, parameters } = request.task
    return { ticket: parameters.id, readBy: agent, task }
  })
  const close = { onRequest: guard(verifier, "tickets:close", "tickets/{id}") }
  api.post("/tickets/:id/close", close, async () => ({ closed: true }))
})

await app.listen({ host: "127.0.0.1", port: 9001 })

process.once("SIGTERM", async () => {
  await app.close()
  await verifier.flush()
  await verifier.close()
  process.exit(0)
})
