import { readFileSync } from "node:fs"
import express, { Router } from "express"
import { createVerifier } from "taskmint/verifier"
import { guard } from "taskmint/verifier/express"
import { guarded, metadata } from "taskmint/verifier/express/mount"

const verifier = await createVerifier({
  issuer: "http://127.0.0.1:8787",
  resource: "http://127.0.0.1:9001",
  credential: {
    clientId: "tickets",
    privateJwk: JSON.parse(readFileSync("acme/credentials/tickets.private.json", "utf8")),
  },
  spool: "acme/uses.db",
})

const tickets = Router()
tickets.get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (req, res) => {
  const { task, agent, parameters } = req.task
  res.json({ ticket: parameters.id, readBy: agent, task })
})
tickets.post("/tickets/:id/close", guard(verifier, "tickets:close", "tickets/{id}"), (_req, res) => {
  res.json({ closed: true })
})

const app = express()
app.get(verifier.metadata.path, metadata(verifier))
app.use(guarded(verifier, tickets)) // a route without a guard would stop it here

const server = app.listen(9001, "127.0.0.1")

process.once("SIGTERM", async () => {
  server.close()
  await verifier.flush()
  await verifier.close()
  process.exit(0)
})
