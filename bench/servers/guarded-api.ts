// A Hono API with one route guarded and the same route unguarded. Its argument is a JSON file of what it needs.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { setTimeout } from "node:timers/promises"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { guard } from "../../src/guard/hono.ts"
import { openGuard } from "./given.ts"
import { announce } from "./listen.ts"

const given = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const verifier = await openGuard(given)

const ticket = (id: string) => ({ id, subject: "Printer on fire", state: "open" })
const app = new Hono()
  .get("/open/:id", (c) => c.json(ticket(c.req.param("id"))))
  .get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) =>
    c.json(ticket(c.req.param("id"))),
  )

while (!verifier.ready().ready) await setTimeout(20)
announce(createServer(getRequestListener(app.fetch)), (origin) => ({
  url: `${origin}/tickets/SUP-1042`,
  method: "GET",
  headers: { authorization: `Bearer ${given.token}` },
}))
