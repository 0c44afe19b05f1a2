// What stands behind a proxy: a plain node server that answers every request alike.
import { createServer } from "node:http"
import { announce } from "./listen.ts"

const body = JSON.stringify({ id: "SUP-1042", subject: "Printer on fire", state: "open" })
const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) }

announce(
  createServer((_, response) => void response.writeHead(200, headers).end(body)),
  (origin) => ({ url: `${origin}/tickets/SUP-1042`, method: "GET", headers: {} }),
)
