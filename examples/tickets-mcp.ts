import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { getRequestListener } from "@hono/node-server"
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server"
import { createVerifier } from "taskmint/verifier"
import { guard, taskOf } from "taskmint/verifier/mcp"
import { guarded } from "taskmint/verifier/mcp/mount"
import { z } from "zod"

const verifier = await createVerifier({
  issuer: "http://127.0.0.1:8787",
  resource: "http://127.0.0.1:9001",
  credential: {
    clientId: "tickets",
    privateJwk: JSON.parse(readFileSync("acme/credentials/tickets.private.json", "utf8")),
  },
  spool: "acme/uses.db",
})

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: "tickets", version: "1.0.0" })
  mcp.registerTool("read_ticket", { inputSchema: z.object({ ticket: z.string() }) }, (_, context) => {
    const { task, agent, parameters } = taskOf(context) // what was checked, instead of the arguments
    const text = JSON.stringify({ ticket: parameters.ticket, readBy: agent, task })
    return { content: [{ type: "text", text }] }
  })
  return mcp
})

// A tool without a guard would stop it here.
const tools = { read_ticket: guard(verifier, "tickets:read", "tickets/{ticket}") }
const serve = await guarded(verifier, tools, handler)

const server = createServer(getRequestListener(serve)).listen(9001, "127.0.0.1")

process.once("SIGTERM", async () => {
  server.close()
  server.closeIdleConnections()
  await verifier.flush()
  await verifier.close()
  process.exit(0)
})
