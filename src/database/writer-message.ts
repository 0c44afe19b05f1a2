// What travels between a writer and its thread: requests, flattened as they come so that one message carries a tick's worth,
// and what became of them. It decides which values can travel; what is done with them, the thread decides.
import { isValue, type Value } from "./database.ts"

/**
 * To the thread. `flat` is request after request: how many of the values that follow belong to it, how many `bytes`, then
 * for each step the number of its statement (statements are numbered in the order in which `sql` first brought them), its
 * rows (-1: any), the number of its values, the values. Bytes are `undefined` and a length; the bytes themselves follow
 * each other in `bytes`.
 */
export interface Requests {
  readonly sql: readonly string[]
  readonly flat: readonly Flat[]
  readonly bytes: Uint8Array | undefined
}

type Flat = Exclude<Value, Uint8Array> | undefined

/** From the thread: it is open, it can't go on, it is closed, or how many requests (the oldest ones) are decided. */
export type Answer =
  | { readonly tag: "open" | "closed" }
  | { readonly tag: "broken"; readonly message: string }
  /** Whether nothing but what the rows hold is left in the files. */
  | { readonly tag: "scrubbed"; readonly done: boolean }
  | { readonly tag: "decided"; readonly count: number; readonly failures: readonly Failure[] }

export interface Failure {
  /** Which of the requests decided with this answer, from 0. */
  readonly request: number
  readonly step: number
  /** The number of the step's statement; -1: none in particular. */
  readonly statement: number
  readonly tag: "unexpected" | "duplicate" | "unavailable" | "misuse"
  readonly message: string
}

/** A request as it is put into a message: a step, then as many values as it said. Throws TypeError on what can't travel. */
export interface Request {
  /** `rows`: how many it must change (a SELECT: answer). `name`: what errors call the statement. */
  step(sql: string, rows: number | "any", values: number, name?: string): void
  value(value: Value): void
}

/** The statements that a writer has met, numbered as its thread numbers them. */
export class Statements {
  readonly #numbers = new Map<string, number>()
  readonly #names: (string | undefined)[] = []

  find(sql: string): number | undefined {
    return this.#numbers.get(sql)
  }

  add(sql: string, name: string | undefined): number {
    this.#numbers.set(sql, this.#names.length)
    return this.#names.push(name) - 1
  }

  nameOf({ statement, step }: Failure): string {
    return this.#names[statement] ?? `step ${step}`
  }
}

const HEAD = 2

/** One message on its way. Nothing of a request is kept but its values: what stays alive, the collector copies. */
export class Outgoing implements Request {
  readonly #statements: Statements
  readonly #sql: string[] = []
  readonly #flat: Flat[] = []
  readonly #blobs: Uint8Array[] = []
  #bytes = 0
  #name: string | undefined

  constructor(statements: Statements) {
    this.#statements = statements
  }

  /** Adds what `put` puts, or nothing where it throws. */
  add(put: (request: Request) => void): void {
    const [at, blobs, bytes] = [this.#flat.length, this.#blobs.length, this.#bytes]
    this.#flat.push(0, 0)
    try {
      put(this)
    } catch (fault) {
      this.#flat.length = at
      this.#blobs.length = blobs
      this.#bytes = bytes
      throw fault
    }
    this.#flat[at] = this.#flat.length - at - HEAD
    this.#flat[at + 1] = this.#bytes - bytes
  }

  step(sql: string, rows: number | "any", values: number, name?: string): void {
    this.#name = name
    this.#flat.push(this.#statements.find(sql) ?? this.#meet(sql, name), rows === "any" ? -1 : rows, values)
  }

  value(value: Value): void {
    if (value instanceof Uint8Array) {
      this.#flat.push(undefined, value.length)
      this.#blobs.push(value)
      this.#bytes += value.length
    } else if (isValue(value)) this.#flat.push(value)
    else throw new TypeError(`${this.#name ?? "a step"} has a value of a wrong type`)
  }

  requests(): Requests & { readonly bytes: Uint8Array<ArrayBuffer> | undefined } {
    const bytes = this.#bytes > 0 ? joined(this.#blobs, this.#bytes) : undefined
    return { sql: this.#sql, flat: this.#flat, bytes }
  }

  #meet(sql: string, name: string | undefined): number {
    this.#sql.push(sql)
    return this.#statements.add(sql, name)
  }
}

/** What empty bytes are a part of; the driver takes those that are a part of nothing for NULL. */
const NO_BYTES = new Uint8Array(1)

/** One buffer of its own for all bytes of a message: it is handed over, not copied, and no pool travels with it. */
function joined(blobs: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length)
  let at = 0
  for (const blob of blobs) {
    all.set(blob, at)
    at += blob.length
  }
  return all
}

/** A step as the thread reads it. One object serves all steps: it holds until the next is read. */
export interface Step {
  number: number
  rows: number
  readonly values: Value[]
}

/** One request of a message that arrived. It can be read more than once. */
export class Arrived {
  readonly #flat: readonly Flat[]
  readonly #bytes: Uint8Array | undefined
  readonly #at: number
  readonly #end: number
  readonly #offset: number

  private constructor({ flat, bytes }: Requests, at: number, offset: number) {
    this.#flat = flat
    this.#bytes = bytes
    this.#at = at + HEAD
    this.#end = at + HEAD + Number(flat[at])
    this.#offset = offset
  }

  static *in(requests: Requests): Generator<Arrived> {
    const { flat } = requests
    for (
      let at = 0, offset = 0;
      at < flat.length;
      offset += Number(flat[at + 1]), at += HEAD + Number(flat[at])
    )
      yield new Arrived(requests, at, offset)
  }

  /** Calls `visit` with one step after the other, until it answers something. */
  visit<T>(visit: (step: Step, at: number) => T | undefined): T | undefined {
    const flat = this.#flat
    const step: Step = { number: 0, rows: 0, values: [] }
    let offset = this.#offset
    for (let at = this.#at, place = 0; at < this.#end; place++) {
      step.number = Number(flat[at++])
      step.rows = Number(flat[at++])
      step.values.length = 0
      for (let left = Number(flat[at++]); left > 0; left--) {
        const value = flat[at++]
        if (value !== undefined) {
          step.values.push(value)
          continue
        }
        const from = offset
        offset += Number(flat[at++])
        step.values.push((this.#bytes ?? NO_BYTES).subarray(from, offset))
      }
      const answer = visit(step, place)
      if (answer !== undefined) return answer
    }
    return undefined
  }
}
