// One HTTP answer that is read as it comes, from a server that we know: no redirects, a deadline for its beginning, and
// an end when nothing more arrives. It decides nothing about what the answer means.
import { type Answered, Unreachable } from "./exchange.ts"

/** Text as it arrives, in parts of any size. Throws Unreachable when it breaks off, or is silent for too long. */
export interface Streamed {
  readonly status: 200
  readonly headers: Headers
  readonly parts: AsyncIterable<string>
  /** Lets go of it unread. */
  leave(): void
}

export interface StreamLimits {
  /** For the beginning of the answer. */
  readonly timeoutMilliseconds: number
  /** Between two parts. */
  readonly silenceMilliseconds: number
  /** Of any other answer, which is read whole. */
  readonly maxBytes: number
  /** Ends it at any time, as Unreachable. */
  readonly signal: AbortSignal
}

/** Sends one request. A 200 is handed over as it comes, to be read or left; others are read whole. Throws Unreachable. */
export async function openStream(
  address: string,
  init: RequestInit,
  limits: StreamLimits,
): Promise<Streamed | (Answered & { readonly parts?: undefined })> {
  const { origin } = new URL(address)
  const watch = watchSilence(limits)
  try {
    const response = await fetch(address, { ...init, redirect: "error", signal: watch.signal })
    const parts = readParts(response, watch, origin)
    const { status, headers } = response
    if (status === 200) return { status, headers, parts, leave: watch.end }
    return { status, headers, text: await readWhole(parts, limits.maxBytes) }
  } catch (fault) {
    watch.end()
    throw toUnreachable(fault, origin)
  }
}

interface Watch {
  readonly signal: AbortSignal
  heard(): void
  end(): void
}

function watchSilence({ timeoutMilliseconds, silenceMilliseconds, signal }: StreamLimits): Watch {
  const controller = new AbortController()
  const end = () => {
    clearTimeout(timer)
    signal.removeEventListener("abort", end)
    controller.abort()
  }
  let timer = setTimeout(end, timeoutMilliseconds)
  signal.addEventListener("abort", end)
  if (signal.aborted) end()
  return {
    signal: controller.signal,
    heard() {
      clearTimeout(timer)
      timer = setTimeout(end, silenceMilliseconds)
    },
    end,
  }
}

async function* readParts({ body }: Response, watch: Watch, origin: string): AsyncGenerator<string, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  try {
    watch.heard()
    for await (const part of body ?? []) {
      watch.heard()
      yield decoder.decode(part, { stream: true })
    }
  } catch (fault) {
    throw toUnreachable(fault, origin)
  } finally {
    watch.end()
  }
}

async function readWhole(parts: AsyncIterable<string>, maxCharacters: number): Promise<string> {
  let text = ""
  for await (const part of parts) {
    text += part
    if (text.length > maxCharacters)
      throw new Unreachable(`the answer is larger than ${maxCharacters} characters`)
  }
  return text
}

const toUnreachable = (fault: unknown, origin: string): Unreachable =>
  fault instanceof Unreachable ? fault : new Unreachable(`no answer from ${origin}`, { cause: fault })
