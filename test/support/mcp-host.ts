// The same guarded API as an MCP server, with the official SDK, and ways to speak to it: in bytes, and with the official
// client. Its tools note what they saw, as the handlers of hosts.ts do.
import { once } from "node:events"
import { createServer, type IncomingMessage, request } from "node:http"
import { getRequestListener } from "@hono/node-server"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { createMcpHandler, McpServer, type McpServerFactory } from "@modelcontextprotocol/server"
import { z } from "zod"
import { guard, taskOf } from "../../src/guard/mcp.ts"
import { guarded, type McpMountOptions } from "../../src/guard/mcp-mount.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
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

export const mcp: Pick<Host, "start"> & { readonly name: "mcp" } = {
  name: "mcp",
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
    const answer = await send(api.port, target, [...kind, ...headers], textOf(body))
    return { ...answer, ...partsOf(answer.text) }
  }
  return { ...api, post, url: new URL(`http://127.0.0.1:${api.port}/mcp`) }
}

const textOf = (body: unknown) => (typeof body === "string" ? body : JSON.stringify(body))

/** Headers as given, twice where they are given twice. Streams of the SDK ask for keep-alive, so the answer's end counts. */
async function send(port: number, path: string, headers: readonly string[], body: string) {
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  const pairs = [...headers, length, "Host: x"].flatMap((line) => line.split(/: (.*)/s).slice(0, 2))
  const outgoing = request({ host: "127.0.0.1", port, path, method: "POST", headers: pairs, agent: false })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage]
  const head = incoming.rawHeaders.map((one, at) => (at % 2 === 0 ? `${one}: ` : `${one}\r\n`)).join("")
  let text = `HTTP/1.1\r\n${head}\r\n`
  for await (const part of incoming) text += part
  return { status: incoming.statusCode ?? 0, text }
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
