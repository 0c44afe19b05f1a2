// The one writer of a file, seen from the thread that asks: requests of one tick travel in one message, and each is
// answered when the transaction it shared with everything else that waited is on disk. What is written is for callers.
import { setImmediate } from "node:timers"
import { Worker } from "node:worker_threads"
import { Duplicate, Unavailable, Unexpected, type Value } from "./database.ts"
import { type Answer, type Failure, Outgoing, type Request, Statements } from "./writer-message.ts"

/** One statement with its values in the order of its `?`. `rows`: how many it must change (a SELECT: answer). */
export interface WriterStep {
  readonly sql: string
  readonly values: readonly Value[]
  readonly rows: number | "any"
  /** What errors call its statement; default: its place. */
  readonly name?: string
}

export interface Writer {
  /**
   * All steps or none, durable when it resolves. Throws Unexpected or Duplicate when a step met another state,
   * Unavailable when nothing can be committed (now, or ever again: see `broken`), TypeError on a statement that can't
   * be prepared or a value that SQLite has no type for (a NaN would become NULL).
   */
  commit(steps: readonly WriterStep[]): Promise<void>
  /** The same for steps that `put` puts one by one, now; what it throws is thrown. */
  write(put: (request: Request) => void): Promise<void>
  /** As the engine's; what was committed before is in it. Throws Unavailable. */
  scrub(): Promise<boolean>
  /** Commits what was accepted, then lets go of the file. Later commits throw Unavailable. */
  close(): Promise<void>
  /** Resolves with the cause when nothing can ever be committed again: a failed fsync, a damaged file, a dead thread. */
  readonly broken: Promise<Error>
}

/** Requests waiting at once; above it new ones are refused, so that a stalled disk doesn't fill the memory. */
const MOST_WAITING = 20_000

export interface WriterOptions {
  readonly path: string
  /** How long a commit waits for another process that writes; default 250. */
  readonly busyMilliseconds?: number
  /** What is deleted is overwritten where it was. It costs writes where much is deleted; default false. */
  readonly overwrites?: boolean
}

/** Opens the file in a thread of its own (settings as openFile). Throws Unavailable when it can't be opened. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const writer = new ThreadWriter(options)
  await writer.opened
  return writer
}

/** Nothing of the request itself: it would stay alive for as long as the disk takes, and be copied by the collector. */
interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class ThreadWriter implements Writer {
  readonly opened: Promise<void>
  readonly broken: Promise<Error>
  readonly #thread: Worker
  readonly #open = Promise.withResolvers<void>()
  readonly #breaking = Promise.withResolvers<Error>()
  readonly #closing = Promise.withResolvers<void>()
  readonly #statements = new Statements()
  #state: "open" | "closing" | "closed" | "broken" = "open"
  #outgoing: Waiting[] = []
  #message = new Outgoing(this.#statements)
  /** Sent and not yet decided, oldest first: the thread decides them in this order. */
  #sent: Waiting[] = []
  #scrubs: PromiseWithResolvers<boolean>[] = []

  constructor(workerData: WriterOptions) {
    this.opened = this.#open.promise
    this.broken = this.#breaking.promise
    const file = import.meta.url.endsWith(".ts") ? "./writer-thread.ts" : "./writer-thread.js"
    this.#thread = new Worker(new URL(file, import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    })
    this.#thread.on("message", (answer: Answer) => this.#take(answer))
    this.#thread.on("error", (error) =>
      this.#break(new Error("the writer's thread failed", { cause: error })),
    )
    this.#thread.on("exit", () => this.#ended())
  }

  commit(steps: readonly WriterStep[]): Promise<void> {
    return this.write((request) => {
      for (const { sql, values, rows, name } of steps) {
        request.step(sql, rows, values.length, name)
        for (const value of values) request.value(value)
      }
    })
  }

  write(put: (request: Request) => void): Promise<void> {
    if (this.#state !== "open") return Promise.reject(new Unavailable(`the database is ${this.#state}`))
    if (this.#sent.length + this.#outgoing.length >= MOST_WAITING)
      return Promise.reject(new Unavailable("too many writes are waiting for the disk"))
    try {
      this.#message.add(put)
    } catch (fault) {
      return Promise.reject(fault)
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#outgoing.push({ resolve, reject })
    if (this.#outgoing.length === 1 && this.#sent.length === 0) setImmediate(() => this.#send())
    return promise
  }

  scrub(): Promise<boolean> {
    if (this.#state !== "open") return Promise.reject(new Unavailable(`the database is ${this.#state}`))
    const scrub = Promise.withResolvers<boolean>()
    this.#scrubs.push(scrub)
    this.#thread.postMessage("scrub")
    return scrub.promise
  }

  close(): Promise<void> {
    if (this.#state === "open") {
      this.#send()
      this.#state = "closing"
      this.#thread.postMessage("close")
    } else if (this.#state === "broken") void this.#thread.terminate()
    return this.#closing.promise
  }

  #send(): void {
    if (this.#outgoing.length === 0 || this.#state !== "open") return
    const requests = this.#outgoing
    this.#outgoing = []
    const message = this.#message.requests()
    this.#message = new Outgoing(this.#statements)
    for (const request of requests) this.#sent.push(request)
    this.#thread.postMessage(message, message.bytes ? [message.bytes.buffer] : [])
  }

  #take(answer: Answer): void {
    if (answer.tag === "decided") this.#decide(answer.count, answer.failures)
    else if (answer.tag === "broken") this.#break(new Error(answer.message))
    else if (answer.tag === "scrubbed") this.#scrubs.shift()?.resolve(answer.done)
    else if (answer.tag === "open") this.#open.resolve()
    else this.#state = "closed"
  }

  #decide(count: number, failures: readonly Failure[]): void {
    const decided = this.#sent.splice(0, count)
    const failed = new Map(failures.map((failure) => [failure.request, failure]))
    for (const [at, request] of decided.entries()) {
      const failure = failed.get(at)
      if (failure) request.reject(toError(failure, this.#statements.nameOf(failure)))
      else request.resolve()
    }
    if (this.#sent.length === 0) setImmediate(() => this.#send())
  }

  #break(cause: Error): void {
    if (this.#state === "broken" || this.#state === "closed") return
    if (this.#state === "closing") void this.#thread.terminate()
    this.#state = "broken"
    this.#breaking.resolve(cause)
    this.#thread.unref()
    const failed = new Unavailable("the database can't commit any more", { cause })
    this.#open.reject(new Unavailable(cause.message))
    for (const request of [...this.#sent, ...this.#outgoing, ...this.#scrubs]) request.reject(failed)
    this.#scrubs = []
    this.#sent = []
    this.#outgoing = []
  }

  #ended(): void {
    this.#break(new Error("the writer's thread ended"))
    this.#closing.resolve()
  }
}

function toError(failure: Failure, name: string): Error {
  if (failure.tag === "unexpected") return new Unexpected(name, failure.step)
  if (failure.tag === "duplicate") return new Duplicate(name, failure.step)
  if (failure.tag === "misuse") return new TypeError(`${name}: ${failure.message}`)
  return new Unavailable(failure.message)
}
