// The one JSON-RPC message of an MCP request, read once and strictly: what is decided on is what is handed on. It decides
// shape only, nothing about tokens or tools.
import { isJsonObject, JsonFault, type JsonObject, parseJson } from "../token/json.ts"

export interface McpMessage {
  readonly method: string
  /** Absent: a notification, which nobody answers. */
  readonly id: string | number | undefined
  readonly params: JsonObject | undefined
}

/** Why a request holds no message that could be served, or its answer can't be, as HTTP and JSON-RPC say it. */
export class Unservable {
  readonly status: 400 | 405 | 413 | 415 | 503
  readonly code: -32700 | -32603 | -32600 | -32000
  readonly text: string

  constructor(status: Unservable["status"], code: Unservable["code"], text: string) {
    this.status = status
    this.code = code
    this.text = text
  }
}

const MEMBERS = new Set(["jsonrpc", "id", "method", "params"])
const JSON_TYPE = /^application\/json[\t ]*(;|$)/i
const MAX_DEPTH = 64
const notJson = () => new Unservable(400, -32700, "The body is not JSON that every reader reads alike")
const notOne = (text: string) => new Unservable(400, -32600, text)

/**
 * Reads a POST of at most `maxBytes`. Batches are refused (no revision since 2025-06-18 has them), so are members twice,
 * names that reach a prototype, answers, and ids that are neither text nor whole numbers.
 */
export async function readMessage(request: Request, maxBytes: number): Promise<McpMessage | Unservable> {
  const { method, headers } = request
  if (method !== "POST") return new Unservable(405, -32000, "Only POST is served here: there are no sessions")
  if (!JSON_TYPE.test(headers.get("content-type") ?? "") || headers.has("content-encoding"))
    return new Unservable(415, -32000, "Send application/json, not encoded")
  const bytes = await readBytes(request, maxBytes)
  if (bytes instanceof Unservable) return bytes
  const text = decode(bytes)
  const value = text === undefined ? undefined : parseJson(text, { ...LIMITS, maxLength: maxBytes })
  if (value === undefined || value instanceof JsonFault) return notJson()
  return asMessage(value)
}

const LIMITS = { maxDepth: MAX_DEPTH, allowFractions: true }

function asMessage(value: unknown): McpMessage | Unservable {
  if (Array.isArray(value)) return notOne("Send one message in each request: batches are not served")
  if (!isJsonObject(value) || !Object.keys(value).every((member) => MEMBERS.has(member)))
    return notOne("The body is no JSON-RPC request or notification")
  const { jsonrpc, id, method, params } = value
  if (jsonrpc !== "2.0" || typeof method !== "string")
    return notOne("The body is no JSON-RPC request or notification")
  if (id !== undefined && typeof id !== "string" && !Number.isSafeInteger(id))
    return notOne("An id is text or a whole number")
  if (params !== undefined && !isJsonObject(params)) return notOne("params is an object")
  return { method, id: typeof id === "string" || typeof id === "number" ? id : undefined, params }
}

async function readBytes({ body }: Request, maxBytes: number): Promise<Uint8Array | Unservable> {
  const parts: Uint8Array[] = []
  let length = 0
  // Leaving the loop cancels the body.
  for await (const part of body ?? []) {
    length += part.byteLength
    if (length > maxBytes) return new Unservable(413, -32000, `The body is larger than ${maxBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function decode(bytes: Uint8Array): string | undefined {
  try {
    return UTF_8.decode(bytes)
  } catch (fault) {
    if (fault instanceof TypeError) return undefined
    throw fault
  }
}
