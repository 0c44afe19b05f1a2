// A request as a session sends it, once or again, and the answer as it looks at it. It decides nothing: what is sent again,
// and with which token, is session-call.ts's.
import { send } from "./fetch.ts"

/** One request, however it is sent. */
export interface Sending<T> {
  readonly url: URL
  readonly method: string
  /** Whether `send` may be called again: a stream is gone once it was sent. */
  readonly repeatable: boolean
  readonly signal?: AbortSignal | null | undefined
  send(carried: Readonly<Record<string, string>>): Promise<Sent<T>>
}

export interface Sent<T> {
  readonly status: number
  readonly headers: Headers
  readonly answer: T
  /** The start of the body, which `answer` still has afterwards. */
  peek(): Promise<string>
  /** Nobody wants this answer. */
  discard(): Promise<void>
}

/** A request of fetch's as one that a session sends. */
export const fetching = (target: URL, init: RequestInit | undefined): Sending<Response> => ({
  url: target,
  method: init?.method?.toUpperCase() ?? "GET",
  repeatable: !(
    init?.body instanceof ReadableStream ||
    (init?.body && Symbol.asyncIterator in Object(init.body))
  ),
  signal: init?.signal,
  async send(carried) {
    const answer = await send(target, init, carried)
    const { status, headers } = answer
    const peek = () => readStart(answer.clone())
    return { status, headers, answer, peek, discard: async () => void (await answer.body?.cancel()) }
  },
})

const MAX_PEEK_BYTES = 64 * 1024

async function readStart({ body }: Response): Promise<string> {
  if (!body) return ""
  const parts: Uint8Array[] = []
  let size = 0
  const reader = body.getReader()
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.byteLength
    if (size > MAX_PEEK_BYTES) {
      // Not awaited: of a copy that is over when the answer itself is let go of, too.
      reader.cancel().catch(() => undefined)
      return ""
    }
    parts.push(part.value)
  }
  return Buffer.concat(parts).toString("utf8")
}
