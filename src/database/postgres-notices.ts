// Hears what other issuers on the database have committed, over a connection that does nothing else. While that is lost
// it says so now and then, so that nobody relies on silence. What there is to see, those who are told look for.
import { setTimeout as pause } from "node:timers/promises"
import type { Client } from "pg"
import { listen } from "./postgres-others.ts"
import { cut, part } from "./postgres-session.ts"

/** How often listeners look for themselves while nothing can be heard. */
const DEAF_MILLISECONDS = 500

/** Opened with the first listener. */
export class PostgresNotices {
  readonly #connect: () => Promise<Client>
  readonly #listeners = new Set<() => void>()
  readonly #stop = new AbortController()
  #client: Client | undefined
  #listening: Promise<void> | undefined

  constructor(connect: () => Promise<Client>) {
    this.#connect = connect
  }

  /** `listener` must not throw. Answers how to stop. */
  hear(listener: () => void): () => void {
    this.#listeners.add(listener)
    this.#listening ??= this.#listen()
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    const client = this.#client
    if (client) await part(client)
    await this.#listening
  }

  async #listen(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#attend().catch(() => undefined)
      this.#tell()
      await pause(DEAF_MILLISECONDS, undefined, { signal: this.#stop.signal, ref: false }).catch(
        () => undefined,
      )
    }
  }

  /** Until the connection ends. */
  async #attend(): Promise<void> {
    const client = await this.#connect()
    if (this.#stop.signal.aborted) return cut(client)
    this.#client = client
    const ended = new Promise<void>((resolve) => client.once("end", () => resolve()))
    client.on("notification", () => this.#tell())
    try {
      await listen(client)
      // What was committed before it listened.
      this.#tell()
      await ended
    } finally {
      this.#client = undefined
      cut(client)
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
