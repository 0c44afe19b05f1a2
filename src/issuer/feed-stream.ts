// The feed of revocations as Server-Sent Events (WHATWG HTML section 9.2): catches up page by page, then tells each item
// once it is committed, and every two seconds that there is nothing else and what time it is. It decides when a stream ends and how many
// there may be; what is in the feed is the task room's, who may read it the endpoint's.
import { type Refusal, refuse } from "../errors.ts"
import type { FeedWatch } from "../task/feed.ts"
import type { Revocations } from "../task/revocation.ts"
import type { Clock } from "../time.ts"
import type { RevocationItem } from "../token/revocation.ts"
import type { Caller } from "./caller.ts"
import { INERT } from "./inert.ts"

export interface FeedStreams {
  /**
   * A stream of what the caller's own API is told after a cursor, or why there is none now. It ends when the caller's
   * token expires, when the policy in force does not know the caller any more, when its reader is too slow, and with
   * the issuer; after any of them a reader comes back with the cursor it has.
   */
  open(caller: Caller, after: number): Response | Refusal
  /** How many are open. */
  count(): number
  /** Ends all streams at once; later ones are refused. */
  close(): void
}

export interface FeedStreamOptions {
  readonly revocations: Pick<Revocations, "feed">
  readonly feed: Pick<FeedWatch, "follow">
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
  readonly limits?: StreamLimits
}

export interface StreamLimits {
  readonly perCaller: number
  readonly inAll: number
  /** Of news that a reader has not taken. */
  readonly bufferedBytes: number
}

export const EVENT_STREAM = "text/event-stream"

const LIMITS: StreamLimits = { perCaller: 256, inAll: 2048, bufferedBytes: 256 * 1024 }
const RETRY_SECONDS = 5
const PAGE = 500

export function createFeedStreams(options: FeedStreamOptions): FeedStreams {
  const { limits = LIMITS } = options
  const streams = new Set<FeedStream>()
  const counts = new Map<string, number>()
  let closed = false
  const count = (name: string, by: number) => {
    const left = (counts.get(name) ?? 0) + by
    if (left > 0) counts.set(name, left)
    else counts.delete(name)
  }
  return {
    open(caller, after) {
      const { clientId } = caller
      const full = streams.size >= limits.inAll || (counts.get(clientId) ?? 0) >= limits.perCaller
      if (closed || full)
        return refuse(
          "temporarily_unavailable",
          closed ? "[draining]" : "[streams] as many as there may be",
          {
            retryAfterSeconds: RETRY_SECONDS,
          },
        )
      const stream = new FeedStream({ ...options, limits }, caller, after, () => {
        if (streams.delete(stream)) count(clientId, -1)
      })
      streams.add(stream)
      count(clientId, 1)
      return new Response(stream.body, { headers: HEADERS })
    },
    count: () => streams.size,
    close() {
      closed = true
      for (const stream of streams) stream.end()
    },
  }
}

/** Proxies are told to pass on every byte as it comes; a compressed stream would wait for more. */
const HEADERS = {
  "content-type": EVENT_STREAM,
  ...INERT,
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
}

/** News wait here and not in the body, so that those of a reader who is too slow can be dropped. */
class FeedStream {
  readonly body: ReadableStream<Uint8Array>
  readonly #options: FeedStreamOptions & { readonly limits: StreamLimits }
  readonly #caller: Caller
  readonly #left: () => void
  readonly #unfollow: () => void
  readonly #openedAt: number
  #position: number
  #head = 0
  #waiting: string[] = []
  #bytes = 0
  #wake: (() => void) | undefined
  /** Behind: pages are read as fast as they are taken. Live: told by the watch. */
  #state: "behind" | "live" | "ended" = "behind"
  #missed = false

  constructor(
    options: FeedStreamOptions & { readonly limits: StreamLimits },
    caller: Caller,
    after: number,
    left: () => void,
  ) {
    this.#options = options
    this.#caller = caller
    this.#left = left
    this.#position = after
    this.#openedAt = options.clock.monotonic()
    // Followed before the first page is read: what is committed meanwhile is in one or the other.
    this.#unfollow = options.feed.follow(caller.clientId, (items, lookedAt) => this.#told(items, lookedAt))
    const source = { pull: (controller: Controller) => this.#pull(controller), cancel: () => this.end() }
    this.body = new ReadableStream(source, { highWaterMark: 0 })
  }

  /** What waits already is still told to a reader who asks. */
  end(): void {
    if (this.#state === "ended") return
    this.#state = "ended"
    this.#unfollow()
    this.#left()
    this.#wake?.()
  }

  #told(items: readonly RevocationItem[], lookedAt: number): void {
    if (!this.#caller.stands()) this.end()
    else if (this.#state === "behind") this.#missed ||= items.length > 0
    else if (this.#state === "live") this.#tell(items, lookedAt)
  }

  #tell(items: readonly RevocationItem[], lookedAt: number | undefined): void {
    const news = items.filter((item) => item.cursor > this.#position)
    const last = news.at(-1)?.cursor ?? 0
    this.#position = Math.max(this.#position, last)
    this.#head = Math.max(this.#head, last)
    const text = news.map(toEvent).join("")
    this.#push(lookedAt === undefined ? text : `${text}${this.#freshness(lookedAt)}`)
  }

  /** Counted from the opening, which was after the reader asked: no delay on the way makes it look younger. */
  #freshness(lookedAt: number): string {
    const { clock } = this.#options
    const at = Math.max(0, Math.floor(lookedAt - this.#openedAt))
    const wall = Math.floor(clock.now() - (clock.monotonic() - lookedAt))
    return `: head ${this.#head} at ${at}\n\n: clock ${wall} at ${at}\n\n`
  }

  #push(text: string): void {
    if (this.#bytes > this.#options.limits.bufferedBytes) {
      this.#take()
      this.end()
      return
    }
    this.#waiting.push(text)
    this.#bytes += Buffer.byteLength(text)
    this.#wake?.()
  }

  #take(): string {
    const text = this.#waiting.join("")
    this.#waiting = []
    this.#bytes = 0
    return text
  }

  /** Called when the reader wants more, never twice at once. */
  async #pull(controller: Controller): Promise<void> {
    while (this.#bytes === 0 && this.#state !== "ended") {
      if (this.#state === "behind") await this.#catchUp()
      else await this.#news()
    }
    this.#wake = undefined
    if (this.#bytes > 0) controller.enqueue(new TextEncoder().encode(this.#take()))
    if (this.#state === "ended") controller.close()
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  async #catchUp(): Promise<void> {
    const { revocations, clock, onFault } = this.#options
    try {
      this.#missed = false
      const lookedAt = clock.monotonic()
      const { items, cursor } = await revocations.feed(this.#caller.clientId, this.#position, PAGE)
      if (this.#state === "ended") return
      const whole = items.length < PAGE && !this.#missed
      if (whole) this.#state = "live"
      this.#head = cursor
      this.#tell(items, whole ? lookedAt : undefined)
    } catch (error) {
      onFault(error)
      this.end()
    }
  }
}

type Controller = ReadableStreamDefaultController<Uint8Array>

const toEvent = ({ cursor, kind, value, before, until, code, successor }: RevocationItem): string =>
  `id: ${cursor}\ndata: ${JSON.stringify({ cursor, kind, value, before, until, code, successor })}\n\n`
