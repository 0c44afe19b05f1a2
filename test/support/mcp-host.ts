// The same guarded API as an MCP server, with the official SDK, and ways to speak to it: in bytes, and with the official
// client. Its tools note what they saw, as the handlers of hosts.ts do.
import { createServer } from "node:http"
import { getRequestListener } from "@hono/node-server"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { createMcpHandler, McpServer, type McpServerFactory } from "@modelcontextprotocol/server"
import { z } from "zod"
import { guard, taskOf } from "../../src/verifier/mcp.ts"
import { guarded, type McpMountOptions } from "../../src/verifier/mcp-mount.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
import { sendRaw } from "./guarded-api.ts"
import { type HostedApi, openHost, partsOf } from "./hosted-api.ts"
import type { Host, Seen } from "./hosts.ts"

const schemas = { id: z.object({ id: z.string() }), ids: z.object({ ids: z.array(z.string()) }) }
const said = (value: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(value) }] })

/** One instance for each request. `open` has no guard; `greeting` is a resource, `triage` a prompt. */
export const serverOf =
  (seen: Seen): McpServerFactory =>
  () => {
    const server = new McpServer({ name: "tickets", version: "1.0.0" })
    for (const name of ["read_ticket", "close_ticket"])
      server.registerTool(name, { inputSchema: schemas.id }, async ({ id }, ctx) => {
        const headers = JSON.stringify([[...(ctx.http?.req?.headers ?? [])], ctx.http?.authInfo, ctx.mcpReq])
        seen.handled.push({ id, use: taskOf(ctx), headers })
        await seen.act()
        return said({ id })
      })
    server.registerTool("read_many", { inputSchema: schemas.ids }, (_, ctx) => said(taskOf(ctx).resource))
    server.registerTool("open", {}, () => said(seen.open()))
    server.registerResource("greeting", "tickets://greeting", {}, () => {
      seen.open()
      return { contents: [] }
    })
    return server
  }

const toolsOf = (verifier: Verifier) => ({
  read_ticket: guard(verifier, "tickets:read", "tickets/{id}"),
  close_ticket: guard(verifier, "tickets:close", "tickets/{id}"),
  read_many: guard(verifier, "tickets:read", "tickets/{ids}"),
})

export const mcp: Pick<Host, "start"> = {
  async start(verifier, seen, options: McpMountOptions) {
    const serve = await guarded(verifier, toolsOf(verifier), createMcpHandler(serverOf(seen)), options)
    const server = createServer(getRequestListener(serve))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return server
  },
}

export const callOf = (tool: string, given: unknown, id: unknown = 1) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name: tool, arguments: given },
})

const JSON_HEADERS = ["Content-Type: application/json", "Accept: application/json, text/event-stream"]

export async function openMcp(more: Partial<VerifierOptions> = {}) {
  const api = await openHost(mcp, more)
  const post = async (body: unknown, headers: readonly string[], target = "/mcp", kind = JSON_HEADERS) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const bytes = Buffer.from(text).toString("latin1")
    const lines = [`POST ${target} HTTP/1.1`, "Host: x", "Connection: close", ...kind, ...headers]
    const answer = await sendRaw(
      String(api.port),
      [...lines, `Content-Length: ${bytes.length}`, "", bytes].join("\r\n"),
    )
    return { ...answer, ...partsOf(answer.text) }
  }
  return { ...api, post, url: new URL(`http://127.0.0.1:${api.port}/mcp`) }
}

export type McpApi = Awaited<ReturnType<typeof openMcp>>

/** Spoken to as the contract suites do: a GET of a ticket is a call of the tool that reads it, at the MCP endpoint. */
export function asHosted(api: McpApi): HostedApi {
  return {
    ...api,
    send(line, ...headers) {
      const [, method = "", path = "", query = ""] = /^(\w+) \/tickets\/([^?]*)(.*)$/.exec(line) ?? []
      if (method !== "GET") return api.send(`${method} /mcp`, ...headers)
      return api.post(callOf("read_ticket", { id: decodeURIComponent(path) }), headers, `/mcp${query}`)
    },
  }
}

/** The official client, connected; `mode` as it names the protocol's eras. */
export async function connectClient(
  url: URL,
  headers: () => Record<string, string>,
  mode: "legacy" | "auto" = "legacy",
) {
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } })
  const withCredential = (input: string | URL, init?: RequestInit) => {
    const all = new Headers(init?.headers)
    for (const [name, value] of Object.entries(headers())) all.set(name, value)
    return fetch(input, { ...init, headers: all })
  }
  await client.connect(new StreamableHTTPClientTransport(url, { fetch: withCredential }))
  return client
}
