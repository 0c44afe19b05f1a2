// The thread that writes: everything waiting shares one transaction and one fsync, and a refused request takes nothing with
// it: where one is, each gets a savepoint of its own. It decides what a failure means: this request's, this
// transaction's, or the end (after a failed fsync nobody knows what is on disk, so it never commits again).
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import type { Database, Statement } from "better-sqlite3"
import { codeOf, openFile } from "./file.ts"
import type { WriterOptions } from "./writer.ts"
import { type Answer, Arrived, type Failure, type Requests, type Step } from "./writer-message.ts"

/** Pages in the write-ahead log above which it is copied over, after the answers went out: about 4 MB. */
const CHECKPOINT_PAGES = 1000
/** A file above this is not rewritten while everybody waits: it takes a second for each 100 MB, and as much memory. */
const MOST_REWRITTEN_BYTES = 128 * 1024 * 1024
/** Requests in one transaction at most, so that no one waits for a whole backlog. */
const MOST_TOGETHER = 512

const STATEMENTS = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  save: "SAVEPOINT request",
  undo: "ROLLBACK TO request",
  release: "RELEASE request",
  measure: "PRAGMA wal_checkpoint(NOOP)",
  copy: "PRAGMA wal_checkpoint(PASSIVE)",
  empty: "PRAGMA wal_checkpoint(TRUNCATE)",
} as const

type Message = Requests | "close" | "scrub"

interface Prepared {
  readonly statement: Statement
  readonly reads: boolean
}

class Thread {
  readonly #port: MessagePort
  readonly #database: Database
  readonly #run: Readonly<Record<keyof typeof STATEMENTS, Statement>>
  readonly #sql: string[] = []
  readonly #prepared: Prepared[] = []
  readonly #waiting: Arrived[] = []
  #scrubs = 0
  #broken = false
  #closing = false

  constructor(port: MessagePort, { path, overwrites, ...options }: WriterOptions) {
    this.#port = port
    this.#database = openFile(path, options)
    // Copied over by hand: SQLite's own checkpoint swallows its errors, a failed fsync among them.
    this.#database.pragma("wal_autocheckpoint = 0")
    // Copies that moving rows about left behind stay: see #scrub.
    if (overwrites) this.#database.pragma("secure_delete = ON")
    this.#run = prepareAll(this.#database)
    this.#say({ tag: "open" })
    port.on("message", (message: Message) => this.#wake(message))
  }

  #say(answer: Answer): void {
    this.#port.postMessage(answer)
  }

  /** Takes in this message and all that came meanwhile, then writes until nothing waits. */
  #wake(first: Message): void {
    this.#accept(first)
    do {
      for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port))
        this.#accept(next.message)
      if (this.#waiting.length > 0) this.#write(this.#waiting.splice(0, MOST_TOGETHER))
    } while (this.#waiting.length > 0 && !this.#broken)
    for (; this.#scrubs > 0 && !this.#broken; this.#scrubs--) this.#scrub()
    if (this.#closing && !this.#broken) this.#close()
  }

  #accept(message: Message): void {
    if (message === "close") {
      this.#closing = true
      return
    }
    if (message === "scrub") {
      this.#scrubs += 1
      return
    }
    for (const text of message.sql) this.#sql.push(text)
    for (const request of Arrived.in(message)) this.#waiting.push(request)
  }

  #write(requests: readonly Arrived[]): void {
    let failures: Failure[]
    try {
      failures = this.#transact(requests)
    } catch (error) {
      this.#abandon(requests.length, error)
      return
    }
    this.#say({ tag: "decided", count: requests.length, failures })
    this.#checkpoint()
  }

  /** Hoping that no request fails, which is the rule; where one does, all of it is undone and done again, each apart. */
  #transact(requests: readonly Arrived[]): Failure[] {
    this.#run.begin.run()
    if (requests.every((request) => !request.visit(this.#perform))) {
      this.#run.commit.run()
      return []
    }
    this.#run.rollback.run()
    return this.#transactApart(requests)
  }

  #transactApart(requests: readonly Arrived[]): Failure[] {
    const failures: Failure[] = []
    this.#run.begin.run()
    requests.forEach((arrived, request) => {
      this.#run.save.run()
      const failure = arrived.visit(this.#perform)
      if (failure) {
        this.#run.undo.run()
        failures.push({ request, ...failure })
      }
      this.#run.release.run()
    })
    this.#run.commit.run()
    return failures
  }

  /** Runs one step of a request; answers what stops that request, throws what stops the whole transaction. */
  readonly #perform = (step: Step, at: number): Omit<Failure, "request"> | undefined => {
    const { number, values } = step
    try {
      const { statement, reads } = this.#prepare(number)
      // Spread: the driver takes values out of a list one call at a time.
      const rows = reads ? statement.all(...values).length : statement.run(...values).changes
      if (step.rows < 0 || rows === step.rows) return undefined
      return { step: at, statement: number, tag: "unexpected", message: "" }
    } catch (error) {
      const tag = ownFault(error)
      if (!tag) throw error
      const message = tag === "misuse" && error instanceof Error ? error.message : ""
      return { step: at, statement: number, tag, message }
    }
  }

  #prepare(number: number): Prepared {
    const known = this.#prepared[number]
    if (known) return known
    const statement = this.#database.prepare(this.#sql[number] ?? "")
    const prepared = { statement, reads: statement.reader }
    this.#prepared[number] = prepared
    return prepared
  }

  /** Copies the log over when it is long, after the answers went out. What fails here is tried again later. */
  #checkpoint(): void {
    try {
      const [, log = 0, copied = 0] = this.#run.measure.get() as [number, number?, number?]
      if (log - copied >= CHECKPOINT_PAGES) this.#run.copy.get()
    } catch (error) {
      if (endsEverything(codeOf(error))) this.#break(codeOf(error))
    }
  }

  /**
   * Rewrites the file from its rows, which alone leaves nothing else in it, and empties the log beside it. Neither can be
   * done while somebody reads what was there before.
   */
  #scrub(): void {
    let done = false
    try {
      const pages = Number(this.#database.pragma("page_count", { simple: true }))
      const small =
        pages * Number(this.#database.pragma("page_size", { simple: true })) <= MOST_REWRITTEN_BYTES
      if (small) this.#database.exec("VACUUM")
      const [busy] = this.#run.empty.get() as [number]
      done = small && busy === 0
    } catch (error) {
      if (endsEverything(codeOf(error))) this.#break(codeOf(error))
    }
    if (!this.#broken) this.#say({ tag: "scrubbed", done })
  }

  /** Nothing of this transaction took place. Whoever waited is told so; after a failed fsync, for ever. */
  #abandon(count: number, error: unknown): void {
    const code = codeOf(error)
    if (endsEverything(code) || !this.#rollBack()) {
      this.#break(code)
      return
    }
    const message = `the database can't commit at the moment (${code})`
    const unavailable = { step: 0, statement: -1, tag: "unavailable", message } as const
    const failures = Array.from({ length: count }, (_, request) => ({ request, ...unavailable }))
    this.#say({ tag: "decided", count, failures })
  }

  #rollBack(): boolean {
    try {
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK")
      return true
    } catch {
      return false
    }
  }

  #break(code: string): void {
    this.#broken = true
    this.#say({ tag: "broken", message: `the database can't be trusted after ${code}` })
  }

  #close(): void {
    this.#database.close()
    this.#say({ tag: "closed" })
    this.#port.close()
  }
}

function prepareAll(database: Database): Readonly<Record<keyof typeof STATEMENTS, Statement>> {
  const { begin, commit, rollback, save, undo, release, measure, copy, empty } = STATEMENTS
  return {
    begin: database.prepare(begin),
    commit: database.prepare(commit),
    rollback: database.prepare(rollback),
    save: database.prepare(save),
    undo: database.prepare(undo),
    release: database.prepare(release),
    measure: database.prepare(measure).raw(),
    copy: database.prepare(copy),
    empty: database.prepare(empty).raw(),
  }
}

/** After these nobody knows what is on disk; a second fsync would claim success for pages that were dropped. */
const endsEverything = (code: string): boolean =>
  /^SQLITE_(IOERR_FSYNC|IOERR_DIR_FSYNC|CORRUPT.*|NOTADB)$/.test(code)

/** What a failed step says about its own request; undefined when it says something about the database. */
function ownFault(error: unknown): Failure["tag"] | undefined {
  const code = codeOf(error)
  if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID|CHECK)$/.test(code)) return "duplicate"
  if (/^SQLITE_CONSTRAINT/.test(code)) return "unexpected"
  if (/^SQLITE_(ERROR|MISMATCH|RANGE|TOOBIG)$/.test(code)) return "misuse"
  return error instanceof TypeError || error instanceof RangeError ? "misuse" : undefined
}

/** Opens the file, or says why not and ends. */
function start(port: MessagePort, options: WriterOptions): void {
  try {
    new Thread(port, options)
  } catch (error) {
    const message = error instanceof Error ? error.message : "the writer can't start"
    port.postMessage({ tag: "broken", message } satisfies Answer)
    port.close()
  }
}

if (parentPort) start(parentPort, workerData)
