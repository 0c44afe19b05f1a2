// Fastify with one route unguarded, one guarded, and one behind @fastify/jwt with its cache on, which records nothing.
import { createPublicKey } from "node:crypto"
import { readFileSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import jwt from "@fastify/jwt"
import Fastify from "fastify"
import { guard } from "../../src/guard/fastify.ts"
import { openGuard } from "./given.ts"

const given = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const verifier = await openGuard(given)
const ticket = (id: string) => ({ id, subject: "Printer on fire", state: "open" })
type Route = { Params: { id: string } }

const app = Fastify()
const key = createPublicKey({ key: given.jwks.keys[0], format: "jwk" })
await app.register(jwt, {
  secret: { public: String(key.export({ type: "spki", format: "pem" })) },
  verify: {
    algorithms: ["ES256"],
    allowedIss: given.issuer,
    allowedAud: given.resource,
    cache: true,
  },
})
app.get<Route>("/open/:id", async (request) => ticket(request.params.id))
app.get<Route>(
  "/tickets/:id",
  { onRequest: guard(verifier, "tickets:read", "tickets/{id}") },
  async (request) => ticket(request.params.id),
)
app.get<Route>("/peer/:id", { onRequest: async (request) => request.jwtVerify() }, async (request) =>
  ticket(request.params.id),
)

while (!verifier.ready().ready) await setTimeout(20)
const origin = await app.listen({ host: "127.0.0.1", port: 0 })
console.log(
  JSON.stringify({
    url: `${origin}/tickets/SUP-1042`,
    method: "GET",
    headers: { authorization: `Bearer ${given.token}` },
  }),
)
process.on("SIGTERM", () => process.exit(0))
