// Which tools an MCP server has, asked of it as a client would when the host starts, so that those without a guard can be
// named. It decides nothing; what a server shows later, or to some only, is refused all the same when it is called.
import { namesOf, readAnswer } from "./mcp-list.ts"

interface Asked {
  fetch(request: Request): Promise<Response>
}

const REVISION = "2026-07-28"
/** The envelope of that revision, for servers that have given up the ones before it. */
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": REVISION,
  "io.modelcontextprotocol/clientInfo": { name: "taskmint", version: "0" },
  "io.modelcontextprotocol/clientCapabilities": {},
}
const MAX_PAGES = 1000

/** Every tool's name. Throws TypeError where the server answers neither the old way of asking nor the new one. */
export async function listTools(server: Asked): Promise<readonly string[]> {
  const names = (await listAll(server, false)) ?? (await listAll(server, true))
  if (!names) throw new TypeError("guarded: the server does not list its tools")
  return names
}

async function listAll(server: Asked, enveloped: boolean): Promise<readonly string[] | undefined> {
  const names: string[] = []
  let cursor: unknown
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const answer = await readAnswer(await server.fetch(ask(cursor, enveloped)), 1)
    if (!answer) return undefined
    const list = namesOf(answer)
    if (!list) return undefined
    names.push(...list.names)
    cursor = list.nextCursor
    if (cursor === undefined) return names
  }
  throw new TypeError(`guarded: the server's list of tools has more than ${MAX_PAGES} pages`)
}

function ask(cursor: unknown, enveloped: boolean): Request {
  const params = { ...(cursor !== undefined && { cursor }), ...(enveloped && { _meta: ENVELOPE }) }
  return new Request("http://127.0.0.1/", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(enveloped && { "mcp-protocol-version": REVISION, "mcp-method": "tools/list" }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params }),
  })
}
