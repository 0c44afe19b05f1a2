// A sample API, as its owner would write it: tickets, with one guard on each route.
import { Hono } from "hono"
import { guard } from "../../guard/hono.ts"
import type { Verifier } from "../../verifier/verifier.ts"

export function createTicketsApi(verifier: Verifier) {
  const comments = new Map<string, number>()
  return new Hono()
    .get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) => {
      const id = c.get("task").resource.at(-1) ?? ""
      return c.json({ id, subject: "Printer on fire", comments: comments.get(id) ?? 0 })
    })
    .post("/tickets/:id/comments", guard(verifier, "tickets:comment", "tickets/{id}/comments"), (c) => {
      const id = c.get("task").resource[1] ?? ""
      comments.set(id, (comments.get(id) ?? 0) + 1)
      return c.json({ id, comments: comments.get(id) }, 201)
    })
    .post("/tickets/:id/close", guard(verifier, "tickets:close", "tickets/{id}"), (c) =>
      c.json({ closed: true }),
    )
}
