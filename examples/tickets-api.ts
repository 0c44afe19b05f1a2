import { readFileSync } from "node:fs"
import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { createVerifier } from "taskmint/verifier"
import { guard } from "taskmint/verifier/hono"

const verifier = await createVerifier({
  issuer: "http://127.0.0.1:8787",
  resource: "http://127.0.0.1:9001",
  credential: {
    clientId: "tickets",
    privateJwk: JSON.parse(readFileSync("acme/credentials/tickets.private.json", "utf8")),
  },
  spool: "acme/uses.db",
})

const app = new Hono()
app.get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) => {
  const { task, agent, parameters } = c.get("task")
  return c.json({ ticket: parameters.id, readBy: agent, task })
})
app.post("/tickets/:id/close", guard(verifier, "tickets:close", "tickets/{id}"), (c) =>
  c.json({ closed: true }),
)

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 9001 })

process.once("SIGTERM", async () => {
  server.close()
  await verifier.flush()
  await verifier.close()
  process.exit(0)
})
