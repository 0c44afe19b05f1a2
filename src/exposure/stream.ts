// Looks for our tokens in a stream of bytes of any length, in little memory. It decides where one is; a hit is judged by the
// bytes from it on alone, so that how a stream was cut into chunks changes nothing.
import { type JwtForm, nextJwt } from "../token/form.ts"
import { MOST_BYTES, NEEDLES, type Needle } from "./needle.ts"

export interface Hit {
  /** From 1. */
  readonly line: number
  /** In bytes from the stream's beginning. */
  readonly offset: number
  readonly form: JwtForm
}

export interface StreamScan {
  take(chunk: Buffer): void
  /** What was held back for what might have followed. */
  end(): void
}

/** Small chunks are looked at together. */
const AT_ONCE = 256 * 1024
const LINE_FEED = 10

export function createStreamScan(found: (hit: Hit) => void): StreamScan {
  let waiting: Buffer[] = []
  let held = 0
  /** Of the first byte that waits, in the stream; and the line that it is on. */
  let [base, line] = [0, 1]

  const look = (keep: number) => {
    const bytes = waiting.length === 1 && waiting[0] ? waiting[0] : Buffer.concat(waiting, held)
    const limit = Math.max(0, bytes.length - keep)
    const hits = NEEDLES.flatMap((needle) => hitsOf(bytes, limit, needle))
    let counted = 0
    for (const { at, form } of hits.sort((a, b) => a.at - b.at)) {
      line += linesIn(bytes, counted, at)
      counted = at
      found({ line, offset: base + at, form })
    }
    line += linesIn(bytes, counted, limit)
    waiting = limit < bytes.length ? [Buffer.from(bytes.subarray(limit))] : []
    held = bytes.length - limit
    base += limit
  }

  return {
    take(chunk) {
      if (chunk.length === 0) return
      waiting.push(chunk)
      held += chunk.length
      if (held >= AT_ONCE) look(MOST_BYTES)
    },
    end: () => look(0),
  }
}

/** Those that begin before the limit, each judged by itself. */
function hitsOf(bytes: Buffer, limit: number, needle: Needle) {
  const hits: { readonly at: number; readonly form: JwtForm }[] = []
  for (
    let at = bytes.indexOf(needle.bytes);
    at >= 0 && at < limit;
    at = bytes.indexOf(needle.bytes, at + 1)
  ) {
    const form = nextJwt(needle.read(bytes.subarray(at, at + MOST_BYTES)))
    if (form?.from === 0) hits.push({ at, form })
  }
  return hits
}

function linesIn(bytes: Buffer, from: number, to: number): number {
  let lines = 0
  for (let at = from; at < to; at += 1) if (bytes[at] === LINE_FEED) lines += 1
  return lines
}
