// An MCP server in front of which every HTTP request is decided, one message at a time, before the SDK sees it: calls by
// their tool's guard, greetings and lists by who asks, and nothing else passes. It decides nothing about tokens.
import type { IncomingMessage } from "node:http"
import type { AuthInfo } from "@modelcontextprotocol/server"
import { type Answer, NOT_SHARED } from "../verifier/challenge.ts"
import { hideCredential } from "../verifier/credential.ts"
import { isGuard } from "../verifier/target.ts"
import type { RequestView, Verifier } from "../verifier/verifier.ts"
import { describeCaller, type ToolGuard } from "./mcp.ts"
import { joinResponse, refuseMessage, withoutSession } from "./mcp-answer.ts"
import { cutList, readAnswer } from "./mcp-list.ts"
import { type McpMessage, readMessage, Unservable } from "./mcp-message.ts"
import { listTools } from "./mcp-start.ts"
import { type MountOptions, tellUnmapped } from "./mount.ts"

/** What `createMcpHandler(factory)` of the SDK gives: a server instance for each request. */
export interface McpHandler {
  fetch(request: Request, options?: { authInfo?: AuthInfo }): Promise<Response>
}

export interface McpMountOptions extends MountOptions {
  /** A larger body is refused with 413. Default 1 MiB. */
  readonly maxBodyBytes?: number
}

/** A web-standard handler; `incoming` is the node server's own request, whose headers and target are as they came. */
export type Serve = (
  request: Request,
  env?: { readonly incoming?: Pick<IncomingMessage, "rawHeaders" | "url"> },
) => Promise<Response>

/** What asks for no use of the API; the token must be a live one all the same. */
const GREETINGS = new Set(["initialize", "server/discover", "ping", "tools/list", "logging/setLevel"])
const NOTES = new Set([
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed",
])

/**
 * What to serve instead of `handler.fetch`, at the MCP endpoint and at `verifier.metadata.path`. Every `tools/call` is
 * decided and recorded by its tool's guard; a tool without one is refused, and named at the start. So is every other
 * method but greetings, `tools/list` (cut to what the token may call) and notifications of the client. There are no
 * sessions: their ids are taken off, in and out. Throws TypeError for misuse, and where the server's tools can't be listed.
 */
export async function guarded(
  verifier: Verifier,
  tools: Readonly<Record<string, ToolGuard>>,
  handler: McpHandler,
  options: McpMountOptions = {},
): Promise<Serve> {
  const guards = new Map(Object.entries(tools).filter(([, one]) => isGuard(one)))
  const { maxBodyBytes = 1024 * 1024 } = options
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1)
    throw new TypeError("guarded: maxBodyBytes is a whole number of bytes")
  const open = (await listTools(handler)).filter((name) => !guards.has(name))
  tellUnmapped(
    open.map((path) => ({ method: "tools/call", path })),
    options,
  )
  const server: Mounted = { verifier, guards, handler }
  return async (request, { incoming } = {}) => {
    const { pathname, search } = new URL(request.url)
    if (request.method === "GET" && pathname === verifier.metadata.path) return copy(verifier.metadata.answer)
    const message = await readMessage(request, maxBodyBytes)
    const view = {
      method: request.method,
      target: incoming?.url ?? `${pathname}${search}`,
      rawHeaders: incoming?.rawHeaders ?? [...request.headers].flat(),
    }
    if (!(message instanceof Unservable) && message.method === "tools/call") {
      const call = readCall(message)
      const guard = call && guards.get(call.tool)
      if (guard) return serveCall(server, request, view, message, { ...call, guard })
    }
    return serveOther(server, request, view, message)
  }
}

interface Mounted {
  readonly verifier: Verifier
  readonly guards: ReadonlyMap<string, ToolGuard>
  readonly handler: McpHandler
}

/** Undefined: a call without an id, whose answer nobody could read, or without a name. */
function readCall({ id, params }: McpMessage) {
  const { name, arguments: given = {} } = params ?? {}
  if (id === undefined || typeof name !== "string") return undefined
  return { tool: name, given: typeof given === "object" && given !== null ? given : {} }
}

async function serveCall(
  { verifier, handler }: Mounted,
  request: Request,
  view: RequestView,
  message: McpMessage,
  call: { readonly tool: string; readonly given: object; readonly guard: ToolGuard },
): Promise<Response> {
  const decision = await call.guard({ ...view, route: `tools/call ${call.tool}` }, { ...call.given })
  if (decision.outcome === "refused") return copy(decision.answer)
  if (decision.outcome === "not_ours" && !decision.observed) return copy(verifier.unmapped().answer)
  const caller = decision.outcome === "allowed" ? { authInfo: describeCaller(decision.use) } : {}
  return joinResponse(() => handler.fetch(handOn(request, message), caller), decision)
}

async function serveOther(
  { verifier, guards, handler }: Mounted,
  request: Request,
  view: RequestView,
  message: McpMessage | Unservable,
): Promise<Response> {
  const mapped = [...guards.values()].map(({ operation }) => operation)
  const caller = await verifier.recognize(view, mapped)
  if (caller.outcome === "refused") return copy(caller.answer)
  if (message instanceof Unservable) return refuseMessage(message)
  const { method, id } = message
  if (method === "tools/call" && !readCall(message))
    return refuseMessage(new Unservable(400, -32600, "A call has an id, and a tool's name"))
  if (!(id === undefined ? NOTES : GREETINGS).has(method)) return copy(verifier.unmapped().answer)
  const response = withoutSession(await handler.fetch(handOn(request, message)))
  if (method !== "tools/list" || id === undefined || caller.outcome === "observed") return response
  const answer = await readAnswer(response, id)
  const list = answer && cutList(answer, (name) => mayCall(guards.get(name), caller.operations))
  if (!list) return refuseMessage(new Unservable(503, -32603, "The server's list of tools can't be read"), id)
  return Response.json(list, { status: response.status, headers: NOT_SHARED })
}

const mayCall = (guard: ToolGuard | undefined, operations: readonly string[]) =>
  guard !== undefined && operations.includes(guard.operation)

const NOT_HANDED_ON = ["mcp-session-id", "last-event-id", "content-length", "transfer-encoding"]

/** The message that was decided on, spelled anew, and no credential. */
function handOn(request: Request, { method, id, params }: McpMessage): Request {
  const headers = new Headers(request.headers)
  hideCredential(headers)
  for (const name of NOT_HANDED_ON) headers.delete(name)
  headers.set("content-type", "application/json")
  const body = JSON.stringify({ jsonrpc: "2.0", id, method, params })
  return new Request(request.url, { method: "POST", headers, body, signal: request.signal })
}

const copy = (answer: Answer) => new Response(answer.body, answer)
