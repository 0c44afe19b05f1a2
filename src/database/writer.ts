// The one writer of a file, seen from the thread that asks: requests of one tick travel in one message, and each is
// answered when the transaction it shared with everything else that waited is on disk. What is written is for callers.
import { setImmediate } from "node:timers"
import { Worker } from "node:worker_threads"
import { Duplicate, Unavailable, Unexpected, type Value } from "./database.ts"

/** One statement with its values in the order of its `?`. `rows`: how many it must change (a SELECT: answer). */
export interface WriterStep {
  readonly sql: string
  readonly values: readonly Value[]
  readonly rows: number | "any"
  /** What errors call it; default: its place. */
  readonly name?: string
}

export interface Writer {
  /**
   * All steps or none, durable when it resolves. Throws Unexpected or Duplicate when a step met another state,
   * Unavailable when nothing can be committed (now, or ever again: see `broken`), TypeError on a statement that can't
   * be prepared or a value that SQLite has no type for (a NaN would become NULL).
   */
  commit(steps: readonly WriterStep[]): Promise<void>
  /** Commits what was accepted, then lets go of the file. Later commits throw Unavailable. */
  close(): Promise<void>
  /** Resolves with the cause when nothing can ever be committed again: a failed fsync, a damaged file, a dead thread. */
  readonly broken: Promise<Error>
}

/** Requests waiting at once; above it new ones are refused, so that a stalled disk doesn't fill the memory. */
const MOST_WAITING = 20_000

/**
 * To the thread. `flat` is request after request: the number of steps, then for each step the number of its statement
 * (statements are numbered in the order in which `sql` first brought them), its rows (-1: any), the number of its
 * values, the values. Bytes are `undefined` and a length; the bytes themselves follow each other in `bytes`.
 */
export interface Requests {
  readonly sql: readonly string[]
  readonly flat: readonly (Exclude<Value, Uint8Array> | undefined)[]
  readonly bytes: Uint8Array | undefined
}

/** From the thread: it is open, it can't go on, it is closed, or how many requests (the oldest ones) are decided. */
export type Answer =
  | { readonly tag: "open" | "closed" }
  | { readonly tag: "broken"; readonly message: string }
  | { readonly tag: "decided"; readonly count: number; readonly failures: readonly Failure[] }

export interface Failure {
  /** Which of the requests decided with this answer, from 0. */
  readonly request: number
  readonly step: number
  readonly tag: "unexpected" | "duplicate" | "unavailable" | "misuse"
  readonly message: string
}

export interface WriterOptions {
  readonly path: string
  /** How long a commit waits for another process that writes; default 250. */
  readonly busyMilliseconds?: number
}

/** Opens the file in a thread of its own (settings as openFile). Throws Unavailable when it can't be opened. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const writer = new ThreadWriter(options)
  await writer.opened
  return writer
}

interface Waiting {
  readonly steps: readonly WriterStep[]
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
  readonly #statements = new Map<string, number>()
  #state: "open" | "closing" | "closed" | "broken" = "open"
  #outgoing: Waiting[] = []
  #message = new Outgoing()
  /** Sent and not yet decided, oldest first: the thread decides them in this order. */
  #sent: Waiting[] = []

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
    if (this.#state !== "open") return Promise.reject(new Unavailable(`the database is ${this.#state}`))
    if (this.#sent.length + this.#outgoing.length >= MOST_WAITING)
      return Promise.reject(new Unavailable("too many writes are waiting for the disk"))
    const wrong = this.#message.add(steps, this.#statements)
    if (wrong !== undefined)
      return Promise.reject(new TypeError(`${nameOf(steps, wrong)} has a value of a wrong type`))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#outgoing.push({ steps, resolve, reject })
    if (this.#outgoing.length === 1 && this.#sent.length === 0) setImmediate(() => this.#send())
    return promise
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
    const { sql, flat, blobs } = this.#message
    this.#message = new Outgoing()
    for (const request of requests) this.#sent.push(request)
    const bytes = blobs.length > 0 ? join(blobs) : undefined
    const message: Requests = { sql, flat, bytes }
    this.#thread.postMessage(message, bytes ? [bytes.buffer] : [])
  }

  #take(answer: Answer): void {
    if (answer.tag === "decided") this.#decide(answer.count, answer.failures)
    else if (answer.tag === "broken") this.#break(new Error(answer.message))
    else if (answer.tag === "open") this.#open.resolve()
    else this.#state = "closed"
  }

  #decide(count: number, failures: readonly Failure[]): void {
    const decided = this.#sent.splice(0, count)
    const failed = new Map(failures.map((failure) => [failure.request, failure]))
    for (const [at, request] of decided.entries()) {
      const failure = failed.get(at)
      if (failure) request.reject(toError(failure, request.steps))
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
    for (const request of [...this.#sent, ...this.#outgoing]) request.reject(failed)
    this.#sent = []
    this.#outgoing = []
  }

  #ended(): void {
    this.#break(new Error("the writer's thread ended"))
    this.#closing.resolve()
  }
}

const nameOf = (steps: readonly WriterStep[], step: number): string => steps[step]?.name ?? `step ${step}`

/** One message on its way: requests are flattened as they come, statements met for the first time sent along. */
class Outgoing {
  readonly sql: string[] = []
  readonly flat: (Exclude<Value, Uint8Array> | undefined)[] = []
  readonly blobs: Uint8Array[] = []

  /** Undefined, or which of the steps has a value of a wrong type: then nothing was added. */
  add(steps: readonly WriterStep[], statements: Map<string, number>): number | undefined {
    const [values, blobs] = [this.flat.length, this.blobs.length]
    this.flat.push(steps.length)
    let at = -1
    for (const step of steps) {
      at++
      this.flat.push(this.#numberOf(step.sql, statements), step.rows === "any" ? -1 : step.rows)
      if (this.#push(step.values)) continue
      this.flat.length = values
      this.blobs.length = blobs
      return at
    }
    return undefined
  }

  #numberOf(sql: string, statements: Map<string, number>): number {
    const known = statements.get(sql)
    if (known !== undefined) return known
    this.sql.push(sql)
    statements.set(sql, statements.size)
    return statements.size - 1
  }

  /** False at a value that is of none of the types. */
  #push(values: readonly Value[]): boolean {
    this.flat.push(values.length)
    for (const value of values) {
      if (value instanceof Uint8Array) {
        this.flat.push(undefined, value.length)
        this.blobs.push(value)
      } else if (isPlain(value)) this.flat.push(value)
      else return false
    }
    return true
  }
}

const isPlain = (value: unknown): value is Exclude<Value, Uint8Array> =>
  typeof value === "string" || value === null || Number.isFinite(value) || typeof value === "bigint"

/** One buffer of its own for all bytes of a message: it is handed over, not copied, and no pool travels with it. */
function join(blobs: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(blobs.reduce((length, blob) => length + blob.length, 0))
  let at = 0
  for (const blob of blobs) {
    joined.set(blob, at)
    at += blob.length
  }
  return joined
}

function toError(failure: Failure, steps: readonly WriterStep[]): Error {
  const name = nameOf(steps, failure.step)
  if (failure.tag === "unexpected") return new Unexpected(name, failure.step)
  if (failure.tag === "duplicate") return new Duplicate(name, failure.step)
  if (failure.tag === "misuse") return new TypeError(`${name}: ${failure.message}`)
  return new Unavailable(failure.message)
}
