// Express with one route unguarded, one guarded, and one behind express-oauth2-jwt-bearer, which records nothing.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { setTimeout } from "node:timers/promises"
import express from "express"
import { auth } from "express-oauth2-jwt-bearer"
import { guard } from "../../src/guard/express.ts"
import { openGuard } from "./given.ts"
import { announce } from "./listen.ts"

const given = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const verifier = await openGuard(given)
const ticket = (id: unknown) => ({ id, subject: "Printer on fire", state: "open" })

const app = express()
const peer = auth({
  issuer: given.issuer,
  jwksUri: `${given.issuerAddress}/.well-known/jwks.json`,
  audience: given.resource,
  tokenSigningAlg: "ES256",
})
app.get("/open/:id", (request, response) => void response.json(ticket(request.params.id)))
app.get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (request, response) => {
  response.json(ticket(request.params.id))
})
app.get("/peer/:id", peer, (request, response) => void response.json(ticket(request.params.id)))

while (!verifier.ready().ready) await setTimeout(20)
announce(createServer(app), (origin) => ({
  url: `${origin}/tickets/SUP-1042`,
  method: "GET",
  headers: { authorization: `Bearer ${given.token}` },
}))
