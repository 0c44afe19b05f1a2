// The floor: the same hono server answering an empty JSON POST.
import { createServer } from "node:http"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { announce } from "./listen.ts"

const app = new Hono().post("/tasks", async (c) => {
  await c.req.json()
  return c.json({})
})

announce(createServer(getRequestListener(app.fetch)), (origin) => ({
  url: `${origin}/tasks`,
  method: "POST",
  headers: { "content-type": "application/json" },
  body: "{}",
}))
