// The one connection of this issuer that writes: everything waiting shares one transaction, and a refused request takes
// nothing with it. Transactions of several issuers follow each other, for each begins by counting itself in a row that
// all of them write: so places in the ledger have no gaps and follow the order of commits, and every guard sees what was
// committed before. It decides what a failure means: this request's, or the connection's, which is then made anew while callers are told
// that nothing can be committed. Unlike a file, a server that failed is trusted again once it answers and passes the checks.
import { setTimeout as pause } from "node:timers/promises"
import type { Client, QueryResult } from "pg"
import { Duplicate, Unavailable, Unexpected } from "./database.ts"
import { COUNT, History, type Told } from "./postgres-history.ts"
import type { Backend } from "./postgres-others.ts"
import { codeOf, commit, cut, ownFault, part, unreachable } from "./postgres-session.ts"

/** A statement with its values; `name` is what errors call it, `number` is its own. */
export interface WriterStep {
  readonly name: string
  readonly number: number
  readonly sql: string
  readonly values: readonly unknown[]
  readonly rows: number | "any"
}

export interface Opened {
  readonly client: Client
  readonly told: Told
  readonly backend: Backend
}

interface Waiting {
  readonly steps: readonly WriterStep[]
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

type Verdict = Error | undefined

/** Requests in one transaction at most, so that no one waits for a whole backlog. */
const MOST_TOGETHER = 256
/** Requests waiting at once; above it new ones are refused, so that a stalled server doesn't fill the memory. */
const MOST_WAITING = 20_000
/** A connection that answers nothing for so long is given up; the server ends statements sooner. */
const SILENCE_MILLISECONDS = 6000
const FIRST_PAUSE_MILLISECONDS = 50
const LONGEST_PAUSE_MILLISECONDS = 1000

export class PostgresWriter {
  readonly broken: Promise<Error>
  readonly #breaking = Promise.withResolvers<Error>()
  /** Makes the next connection; given the backend that the last one had. */
  readonly #open: (history: History, previous?: Backend) => Promise<Opened>
  /** What is known to be committed; a database that has less has gone back. */
  readonly #history = new History()
  #client: Client | undefined
  #previous: Backend | undefined
  #waiting: Waiting[] = []
  #working: Promise<void> | undefined
  #connecting: Promise<void> | undefined
  #trouble = "connection lost"
  #closed: Promise<void> | undefined
  readonly #stop = new AbortController()

  constructor(open: (history: History, previous?: Backend) => Promise<Opened>) {
    this.broken = this.#breaking.promise
    this.#open = open
  }

  /** The first connection. Throws what is in its way. */
  async start(): Promise<void> {
    this.#take(await this.#open(this.#history))
  }

  /** All steps or none, durable when it resolves. Throws as Engine.atomically. */
  commit(steps: readonly WriterStep[]): Promise<void> {
    const objection = this.#objection()
    if (objection !== undefined) return Promise.reject(new Unavailable(objection))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ steps, resolve, reject })
    this.#wake()
    return promise
  }

  /** Commits what was accepted, then lets go of the connection. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#working
    this.#stop.abort()
    await this.#connecting
    await this.#working
    this.#refuseWaiting(new Unavailable("the database is closed"))
    const client = this.#client
    this.#client = undefined
    if (client) await part(client)
  }

  #objection(): string | undefined {
    if (this.#closed || this.#stop.signal.aborted) return "the database is closed"
    if (!this.#client && !this.#connecting)
      return `the database can't commit at the moment (${this.#trouble})`
    if (this.#waiting.length >= MOST_WAITING) return "too many writes are waiting for the database"
    return undefined
  }

  #take({ client, told, backend }: Opened): void {
    if (!this.#history.takes(told)) {
      cut(client)
      throw new WentBack("the database has lost transactions that were acknowledged")
    }
    this.#client = client
    this.#previous = backend
    client.once("end", () => this.#lose(client, "connection lost"))
    this.#wake()
  }

  /** Gives a connection up, once, and begins to make another. */
  #lose(client: Client, trouble: string): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#trouble = trouble
    cut(client)
    if (!this.#stop.signal.aborted) void this.#reconnect()
  }

  /** Requests that come during an attempt wait for its end; between attempts they are refused at once. One that took long is followed at once. */
  async #reconnect(): Promise<void> {
    for (let next = FIRST_PAUSE_MILLISECONDS; ; next = Math.min(next * 2, LONGEST_PAUSE_MILLISECONDS)) {
      const soonest = pause(next, undefined, { signal: this.#stop.signal }).catch(() => undefined)
      this.#connecting = this.#attempt()
      await this.#connecting
      this.#connecting = undefined
      if (this.#client || this.#stop.signal.aborted) return
      this.#refuseWaiting(new Unavailable(`the database can't commit at the moment (${this.#trouble})`))
      await soonest
    }
  }

  async #attempt(): Promise<void> {
    try {
      this.#take(await this.#open(this.#history, this.#previous))
    } catch (error) {
      this.#trouble = unreachable(error).message
      if (error instanceof WentBack) this.#break(error)
    }
  }

  #break(cause: Error): void {
    this.#stop.abort()
    this.#breaking.resolve(cause)
    this.#refuseWaiting(new Unavailable("the database can't commit any more", { cause }))
  }

  #refuseWaiting(error: Error): void {
    for (const one of this.#waiting.splice(0)) one.reject(error)
  }

  #wake(): void {
    if (this.#waiting.length > 0 && this.#client) this.#working ??= this.#work()
  }

  async #work(): Promise<void> {
    while (this.#client && this.#waiting.length > 0) await this.#write(this.#client)
    this.#working = undefined
  }

  /** Whatever waits when the turn comes goes with it: while others had theirs, more has gathered. */
  async #write(client: Client): Promise<void> {
    const silence = setTimeout(() => this.#lose(client, "no answer"), SILENCE_MILLISECONDS)
    const transaction = new Transaction(client, this.#history, () => silence.refresh())
    let requests: readonly Waiting[] = []
    try {
      await transaction.begin()
      requests = this.#waiting.splice(0, MOST_TOGETHER)
      const verdicts = await transaction.run(requests)
      for (const [at, { resolve, reject }] of requests.entries()) {
        const verdict = verdicts[at]
        if (verdict) reject(verdict)
        else resolve()
      }
    } catch (error) {
      // Whether a COMMIT that failed took place is not known: nobody is told that it did.
      const failed = new Unavailable(`the database can't commit at the moment (${codeOf(error)})`)
      for (const { reject } of requests) reject(failed)
      if (requests.length === 0) this.#refuseWaiting(failed)
      this.#lose(client, codeOf(error))
    } finally {
      clearTimeout(silence)
    }
  }
}

/** It acknowledged what it no longer has: a backup was put back, or a standby took over that had not all of it. */
class WentBack extends Unavailable {}

/**
 * What only follows from an earlier request's failure: the transaction has failed, or a statement could not be prepared in
 * it and is not there for who came next. Those are done again, apart from it.
 */
const FOLLOWS_A_FAILURE = /^(25P02|26000)$/

/** One transaction of many requests. `heard` is called at every answer. */
class Transaction {
  readonly #client: Client
  readonly #history: History
  readonly #heard: () => void
  #commits = 0
  #marked = false

  constructor(client: Client, history: History, heard: () => void) {
    this.#client = client
    this.#history = history
    this.#heard = heard
  }

  /** Resolves when the turn has come. */
  async begin(): Promise<void> {
    const asked = [this.#say("BEGIN"), this.#ask(COUNT), this.#ask(this.#history.mark())] as const
    const [, counted, marked] = await all(asked)
    const commits: unknown = counted.rows[0]?.commits
    if (typeof commits !== "number") throw new Unavailable("the database counts no commits")
    this.#commits = commits
    this.#marked = marked.rowCount === 1
  }

  /** Hoping that no request fails, which is the rule; where one does, all of it is undone and done again, each apart. */
  async run(requests: readonly Waiting[]): Promise<readonly Verdict[]> {
    const together = await all(requests.map(({ steps }) => this.#perform(steps, FOLLOWS_A_FAILURE)))
    if (together.every((verdict) => verdict === undefined)) {
      await this.#commit()
      return together
    }
    await this.#say("ROLLBACK")
    await this.begin()
    const verdicts: Verdict[] = []
    for (const { steps } of requests) verdicts.push(await this.#performApart(steps))
    await this.#commit()
    return verdicts
  }

  async #commit(): Promise<void> {
    if (!(await commit(this.#client).finally(this.#heard)))
      throw new Unavailable("the database did not commit")
    this.#history.committed(this.#commits, this.#marked)
  }

  async #performApart(steps: readonly WriterStep[]): Promise<Verdict> {
    const [, verdict] = await all([this.#say("SAVEPOINT request"), this.#perform(steps)])
    if (verdict) await this.#say("ROLLBACK TO SAVEPOINT request")
    await this.#say("RELEASE SAVEPOINT request")
    return verdict
  }

  /** Sends all steps; answers what stopped the first that failed, throws what stops the whole transaction. */
  async #perform(steps: readonly WriterStep[], undone?: RegExp): Promise<Verdict> {
    const results = await Promise.allSettled(
      steps.map(({ number, sql, values }) =>
        this.#ask({ name: `s${number}`, text: sql, values: [...values] }),
      ),
    )
    for (const [at, result] of results.entries()) {
      const step = steps[at]
      if (!step) continue
      if (result.status === "rejected") return verdictOf(result.reason, step, at, undone)
      if (step.rows !== "any" && result.value.rowCount !== step.rows) return new Unexpected(step.name, at)
    }
    return undefined
  }

  #say(text: string): Promise<QueryResult> {
    return this.#ask({ text })
  }

  async #ask(query: { name?: string; text: string; values?: unknown[] }): Promise<QueryResult> {
    try {
      return await this.#client.query(query)
    } finally {
      this.#heard()
    }
  }
}

function verdictOf(error: unknown, step: WriterStep, at: number, undone?: RegExp): Error {
  if (undone?.test(codeOf(error))) return new Unavailable("the transaction had failed before")
  const fault = ownFault(error)
  if (fault === "duplicate") return new Duplicate(step.name, at)
  if (fault === "unexpected") return new Unexpected(step.name, at)
  if (fault === "misuse") return new TypeError(`${step.name}: the database refuses it (${codeOf(error)})`)
  throw error
}

/** As Promise.all, but ends when all have ended: what was sent together is answered together. */
async function all<const T extends readonly Promise<unknown>[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises)
  return Promise.all(promises) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>
}
