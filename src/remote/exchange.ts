// One bounded HTTP exchange with a server that we know: no redirects, a deadline, a limit on the answer. It decides
// nothing about what the answer means.

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Limits {
  readonly maxBytes: number
  readonly timeoutMilliseconds: number
}

/** The server did not answer in full: unreachable, too slow, too large, or it sent us elsewhere. Names no secret. */
export class Unreachable extends Error {
  override readonly name: string = "Unreachable"
  /** Of the problem that it answered instead (RFC 9457), where it names one. */
  readonly code: string | undefined

  constructor(
    message: string,
    { code, ...options }: ErrorOptions & { readonly code?: string | undefined } = {},
  ) {
    super(message, options)
    this.code = code
  }
}

/** Sends one request and reads the whole answer, whatever its status. Throws Unreachable. */
export async function exchange(address: string, init: RequestInit, limits: Limits): Promise<Answered> {
  try {
    const signal = AbortSignal.timeout(limits.timeoutMilliseconds)
    const response = await fetch(address, { ...handedOver(init), redirect: "error", signal })
    const text = await readBounded(response, limits.maxBytes)
    return { status: response.status, headers: response.headers, text }
  } catch (fault) {
    if (fault instanceof Unreachable) throw fault
    throw new Unreachable(`no answer from ${new URL(address).origin}`, { cause: fault })
  }
}

/**
 * Bytes as a stream of one part: a body of bytes is copied by fetch, and what lies outside the heap by the megabyte makes the
 * collector work. With their length said, they go out as before.
 */
function handedOver(init: RequestInit): RequestInit {
  const { body, headers } = init
  if (!(body instanceof Uint8Array)) return init
  const all = new Headers(headers)
  all.set("content-length", String(body.length))
  return { ...init, headers: all, body: ReadableStream.from([body]), duplex: "half" }
}

/** Whole seconds of Retry-After (RFC 9110 section 10.2.3); undefined where it is absent or a date. */
export function readRetryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after") ?? ""
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined
}

async function readBounded(response: Response, maxBytes: number): Promise<string> {
  if (!response.body) return ""
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body) {
    size += part.byteLength
    if (size > maxBytes) throw new Unreachable(`the answer is larger than ${maxBytes} bytes`)
    parts.push(part)
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts))
}
