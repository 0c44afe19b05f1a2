// The issuer's feed of revocations: asked for, or followed as it grows, and read. It decides what an answer says, and
// nothing about tokens.
import { createParser } from "eventsource-parser"
import { Unreachable } from "../remote/exchange.ts"
import type { IssuerCalls, IssuerStreams } from "../remote/issuer-calls.ts"
import type { Streamed } from "../remote/stream.ts"
import type { Clock } from "../time.ts"
import { REVOCATION_KINDS, type RevocationItem } from "../token/revocation.ts"
import { isKid } from "../token/signature.ts"

/** The feed's answer makes no sense: what was known stays, and grows old. */
export class FeedFault extends Error {
  override readonly name = "FeedFault"
}

/** The issuer, or what stands before it, answers no stream: the feed has to be asked for. */
export class NoStream extends Error {
  override readonly name = "NoStream"
}

const LIMITS = { maxBytes: 8 * 1024 * 1024, timeoutMilliseconds: 5000 }
/** The issuer says something every two seconds. */
const SILENCE_MILLISECONDS = 7000
const STREAM_LIMITS = {
  maxBytes: 64 * 1024,
  timeoutMilliseconds: 5000,
  silenceMilliseconds: SILENCE_MILLISECONDS,
}
/** A stream is counted from when it was asked for, with a service token fetched before: more would tell time too wrongly. */
const MOST_OPENING_MILLISECONDS = 20_000
/** Of one event, or one line of it, in characters: an item has a few hundred. */
const MAX_EVENT = 16 * 1024
/** What is read, applied and written to the disk at once, in characters. */
const MAX_PIECE = 64 * 1024

export interface FeedAnswer {
  readonly items: readonly RevocationItem[]
  readonly cursor: number
  /** Epoch milliseconds: what the issuer's clock read, where it told. */
  readonly now?: number
}

/** What the feed holds after a cursor. Throws Unreachable or FeedFault. */
export async function askFeed(calls: IssuerCalls, after: number): Promise<FeedAnswer> {
  const answer = await calls({ method: "GET", path: `/revocations?after=${after}` }, LIMITS)
  if (answer.status !== 200) throw new FeedFault(`the issuer answered ${answer.status} at /revocations`)
  return readFeed(answer.text, after)
}

export interface FeedNews extends Omit<FeedAnswer, "now"> {
  /** Up to when (monotonic) there was nothing after the cursor but these items; absent where that was not told. */
  readonly knownAt?: number
  /** What the issuer's clock read (epoch milliseconds), and when: on our monotonic clock, never later than it did. */
  readonly clock?: { readonly now: number; readonly at: number }
}

/**
 * What the feed holds after a cursor, and then what is added, as it comes. Ends when the issuer ends the stream. Throws
 * NoStream, FeedFault at the first thing that makes no sense, and Unreachable: also when there were no news for seven
 * seconds, whatever else came, and when its beginning came more than 20 seconds after it was asked for.
 */
export async function* followFeed(
  streams: IssuerStreams,
  clock: Clock,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<FeedNews, void> {
  const headers = { accept: "text/event-stream" }
  const openedAt = clock.monotonic()
  const call = { method: "GET", path: `/revocations?after=${after}`, headers } as const
  const answer = await streams(call, { ...STREAM_LIMITS, signal })
  const stream = streamIn(answer)
  if (clock.monotonic() - openedAt > MOST_OPENING_MILLISECONDS) {
    stream.leave()
    throw new Unreachable("the stream of revocations began too late")
  }
  const read = createReader(after, openedAt)
  let heardAt = clock.monotonic()
  for await (const part of stream.parts) {
    const cameAt = clock.monotonic()
    let told = false
    for (let at = 0; at < part.length; at += MAX_PIECE) {
      const news = read(part.slice(at, at + MAX_PIECE), cameAt)
      if (!news) continue
      yield news
      told ||= news.items.length > 0 || news.knownAt !== undefined
    }
    if (told) heardAt = clock.monotonic()
    else if (cameAt - heardAt > SILENCE_MILLISECONDS)
      throw new Unreachable("the stream of revocations told no news")
  }
}

function streamIn(answer: Awaited<ReturnType<IssuerStreams>>): Streamed {
  const type = answer.headers.get("content-type") ?? ""
  if (answer.parts !== undefined && /^text\/event-stream\s*(;|$)/i.test(type)) return answer
  if (answer.parts !== undefined) answer.leave()
  if ([200, 404, 406].includes(answer.status)) throw new NoStream("the issuer has no stream of revocations")
  throw new FeedFault(`the issuer answered ${answer.status} at /revocations`)
}

/** Text in, news out; undefined: nothing new yet. Throws FeedFault. */
function createReader(after: number, openedAt: number) {
  let cursor = after
  let items: RevocationItem[] = []
  let knownAt: number | undefined
  let clock: FeedNews["clock"]
  let now = openedAt
  // The stream was opened after it was asked for: counted from there, no delay on the way makes news look younger.
  const toldAt = (elapsed: string | undefined) => Math.min(now, openedAt + Number(elapsed))
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent({ id, event, data }) {
      const item = readItem(parse(data))
      if (id !== String(item.cursor) || (event !== undefined && event !== "message"))
        throw new FeedFault("an event of the feed can't be read")
      if (item.cursor <= cursor) throw new FeedFault("the feed is out of order")
      cursor = item.cursor
      items.push(item)
    },
    onComment(text) {
      const [, what, told, elapsed] = /^(head|clock) (\d{1,15}) at (\d{1,12})$/.exec(text) ?? []
      if (what === "clock") clock = { now: Number(told), at: toldAt(elapsed) }
      if (what !== "head") return
      const head = Number(told)
      if (head < cursor) throw new FeedFault("the feed went back: the issuer knows less than it told before")
      cursor = head
      knownAt = toldAt(elapsed)
    },
    onError(error) {
      throw new FeedFault(`the stream of revocations makes no sense (${error.type})`)
    },
  })
  return (text: string, at: number): FeedNews | undefined => {
    now = at
    parser.feed(text)
    if (items.length === 0 && knownAt === undefined && clock === undefined) return undefined
    const news = { items, cursor, ...(knownAt !== undefined && { knownAt }), ...(clock && { clock }) }
    items = []
    knownAt = undefined
    clock = undefined
    return news
  }
}

function readFeed(text: string, after: number): FeedAnswer {
  const { items, cursor, now } = parse(text)
  if (!isCursor(cursor) || !Array.isArray(items)) throw new FeedFault("the answer of /revocations is no feed")
  if (cursor < after) throw new FeedFault("the feed went back: the issuer knows less than it told before")
  const read = items.map(readItem)
  if (read.some((one) => one.cursor <= after || one.cursor > cursor))
    throw new FeedFault("the feed is out of order")
  return { items: read, cursor, ...(isCursor(now) && { now }) }
}

function readItem(value: unknown): RevocationItem {
  const item: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null ? { ...value } : {}
  const { cursor, value: name, before, until } = item
  const kind = REVOCATION_KINDS.find((one) => one === item.kind)
  if (!kind || typeof name !== "string" || !isCursor(cursor) || !isCursor(before) || !isCursor(until))
    throw new FeedFault("an item of the feed can't be read")
  const code = item.code === "task_paused" || item.code === "task_ended" ? item.code : "token_revoked"
  const read = { cursor, kind, value: name, before, until, code } as const
  return kind === "key" && isKid(item.successor) ? { ...read, successor: item.successor } : read
}

/** A whole number that is not negative: a cursor, epoch seconds. */
export const isCursor = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch (cause) {
    throw new FeedFault("the answer of /revocations is no JSON", { cause })
  }
}
