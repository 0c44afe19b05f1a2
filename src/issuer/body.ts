// How a request's body is read: once, never past its limit, only in the one content type that the endpoint documents.
// It decides nothing about what the body says.
import { type Refusal, refuse } from "../errors.ts"
import { JsonFault, parseJson } from "../token/json.ts"

export const BODY_LIMIT = 64 * 1024
export const BATCH_LIMIT = 1024 * 1024

/** Member depth of a request: `inputs` and `agent` are one below the top. */
const MAX_DEPTH = 8

/**
 * The body as text. Refusals: `unsupported_media_type` (another type, a charset that is not UTF-8, any content coding),
 * `body_too_large` before more than `limit` bytes are held, `invalid_request` for bytes that are not UTF-8.
 */
export async function readBody(request: Request, type: string, limit: number): Promise<string | Refusal> {
  if (!isType(request.headers.get("content-type"), type))
    return refuse("unsupported_media_type", `[content_type] not ${type}`)
  const coding = request.headers.get("content-encoding")
  if (coding !== null && coding.toLowerCase() !== "identity")
    return refuse("unsupported_media_type", "[content_encoding] a coded body")
  const bytes = await readBytes(request, limit)
  if (!(bytes instanceof Uint8Array)) return bytes
  try {
    return UTF8.decode(bytes)
  } catch {
    return refuse("invalid_request", "[utf8] the body is not UTF-8")
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function isType(header: string | null, type: string): boolean {
  if (header === type) return true
  if (header === null) return false
  const [essence, ...parameters] = header.split(";").map((part) => part.trim().toLowerCase())
  return essence === type && parameters.every((one) => one === "charset=utf-8" || one === 'charset="utf-8"')
}

/** A declared length is kept to by node's parser; a body without one is counted as it comes. */
async function readBytes(request: Request, limit: number): Promise<Uint8Array | Refusal> {
  const declared = request.headers.get("content-length")
  if (declared !== null) {
    if (!/^\d{1,15}$/.test(declared)) return refuse("invalid_request", "[content_length]")
    if (Number(declared) > limit) return tooLarge(limit)
    const bytes = new Uint8Array(await request.arrayBuffer())
    return bytes.length > limit ? tooLarge(limit) : bytes
  }
  return request.body === null ? new Uint8Array() : readStream(request.body, limit)
}

async function readStream(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array | Refusal> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body.getReader()
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    size += chunk.value.length
    if (size > limit) {
      // Not awaited: a sender that never ends would hold the answer back.
      reader.cancel().catch(() => undefined)
      return tooLarge(limit)
    }
    chunks.push(chunk.value)
  }
  return Buffer.concat(chunks)
}

const tooLarge = (limit: number): Refusal => refuse("body_too_large", `[size] more than ${limit} bytes`)

/** JSON without duplicate members or anything else that two parsers could read differently. */
export function readJson(text: string): unknown | Refusal {
  const value = parseJson(text, { maxDepth: MAX_DEPTH, maxLength: BODY_LIMIT })
  if (!(value instanceof JsonFault)) return value
  const expected =
    "one JSON value with whole numbers only, without duplicate members, unpaired surrogates, or more than 8 levels"
  return refuse("invalid_request", `[${value.tag}]`, { errors: [{ pointer: "", expected }] })
}

/** The members of a form; each may stand once (RFC 6749 section 3.1). */
export function readForm(text: string): ReadonlyMap<string, string> | Refusal {
  return once(new URLSearchParams(text))
}

/** Parameters of a form or a query, each at most once. */
export function once(parameters: URLSearchParams): ReadonlyMap<string, string> | Refusal {
  const members = new Map<string, string>()
  for (const [name, value] of parameters) {
    if (members.has(name)) return refuse("invalid_request", "[duplicate] a parameter stands more than once")
    members.set(name, value)
  }
  return members
}
