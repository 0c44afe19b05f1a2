// Several verifiers in one process, each on a spool of its own. POST /allowed with a token answers once all let it pass,
// POST /revoked once all say that it was revoked, with the times (epoch milliseconds) at which each said so first. What
// is asked until then is an operation that the token does not grant: revocation is judged before it, and no answer
// waits for a disk that fifty spools share here and nowhere else.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { setTimeout } from "node:timers/promises"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { announce } from "./listen.ts"

const LOOK_MILLISECONDS = 10

const given = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const verifiers: Verifier[] = await Promise.all(
  given.spools.map((spool: string) =>
    createVerifier({
      issuer: given.issuer,
      issuerAddress: given.issuerAddress,
      resource: given.resource,
      credential: { clientId: "tickets", privateJwk: given.apiJwk },
      spool,
    }),
  ),
)

const ASKED = { allowed: "tickets:read", revoked: "tickets:close" } as const

async function waitFor(verifier: Verifier, token: string, wanted: keyof typeof ASKED): Promise<number> {
  const view = { method: "GET", target: "/", rawHeaders: ["Authorization", `Bearer ${token}`] }
  for (;;) {
    const decision = await verifier.check(view, ASKED[wanted], ["tickets", "SUP-1042"])
    if (decision.outcome === "allowed") decision.finished(200)
    const said =
      decision.outcome === "refused" && decision.answer.body.includes("token_revoked")
        ? "revoked"
        : decision.outcome
    if (said === wanted) return Date.now()
    await setTimeout(LOOK_MILLISECONDS)
  }
}

const app = new Hono()
for (const wanted of ["allowed", "revoked"] as const)
  app.post(`/${wanted}`, async (c) => {
    const token = await c.req.text()
    return c.json(await Promise.all(verifiers.map((one) => waitFor(one, token, wanted))))
  })

while (!verifiers.every((one) => one.ready().ready)) await setTimeout(20)
announce(createServer(getRequestListener(app.fetch)), (origin) => ({
  url: `${origin}/`,
  method: "POST",
  headers: {},
}))
