// The fixed questions of an audit, and what an answer to any of them is. It decides what is asked of what, and that an answer
// ends where the ledger stood when it was begun; what each says is in the files beside it.
import type { Engine } from "../database/database.ts"
import type { Entry } from "../ledger/entry.ts"
import { type EntryFilter, findAll } from "../ledger/search.ts"
import { newestPlace } from "../ledger/statements.ts"
import { toInstant } from "../time.ts"
import { type AskedTaskRow, taskAsked, taskOfTokenAsked } from "./question-statements.ts"

export const QUESTIONS = ["who", "did", "could", "behalf", "rule", "approved"] as const
export type Question = (typeof QUESTIONS)[number]

/** One line of an answer, spelled as on the wire; a member that does not apply is left out. */
export type Row = Readonly<Record<string, string | number | readonly string[] | undefined>>

export interface AnswerTo {
  /** The task that was asked about. */
  readonly about?: Row
  readonly rows: readonly Row[]
  /** There are more than 1,000: ask for less. */
  readonly more: boolean
}

export const MOST_ROWS = 1000

/** The task itself, or of a token's. Throws Unavailable. */
export async function findTask(
  engine: Engine,
  { task, jti }: Pick<EntryFilter, "task" | "jti">,
): Promise<AskedTaskRow | undefined> {
  if (task !== undefined) return (await engine.query(taskAsked, { task }))[0]
  return jti === undefined ? undefined : (await engine.query(taskOfTokenAsked, { jti }))[0]
}

export const aboutTask = (row: AskedTaskRow): Row => ({
  task_id: row.task_id,
  type: row.type,
  agent: row.agent,
  instance: row.instance,
  orchestrator: row.orchestrator,
  sub: row.sub ?? undefined,
  purpose: row.purpose ?? undefined,
  state: row.state,
  started_at: toInstant(row.started_at),
  deadline: toInstant(row.deadline),
  ended_at: row.ended_at === null ? undefined : toInstant(row.ended_at),
  policy: row.policy,
})

/** Every entry that meets the filter as of now, one after the other. Throws Unavailable. */
export async function* entriesOf(engine: Engine, filter: EntryFilter): AsyncGenerator<Entry, void, void> {
  const upTo = (await engine.query(newestPlace))[0]?.seq ?? 0
  for await (const page of findAll(engine, filter, { after: 0, upTo })) yield* page
}

/** Lines by what makes them one, in the order in which they were first seen; at most 1,000 are kept. */
export class Lines<Line> {
  readonly #lines = new Map<string, Line>()
  more = false

  /** The line of this key, made where there is none; undefined where there are too many. */
  at(key: readonly unknown[], make: () => Line): Line | undefined {
    const text = JSON.stringify(key)
    const known = this.#lines.get(text)
    if (known) return known
    if (this.#lines.size >= MOST_ROWS) {
      this.more = true
      return undefined
    }
    const made = make()
    this.#lines.set(text, made)
    return made
  }

  all(): Line[] {
    return [...this.#lines.values()]
  }
}

/** A member that is personal is shown as its commitment once it was erased. */
export const shown = (value: Entry["sub"]): string | undefined =>
  typeof value === "object" ? JSON.stringify(value) : value

export interface Granted {
  readonly operations: readonly string[]
  readonly rule: string
}

/** The grants in an entry's body, as `task.started` and `token.*` have them. */
export function grantsIn(value: unknown): Granted[] {
  return Array.isArray(value)
    ? value.filter(
        (one): one is Granted =>
          typeof one === "object" &&
          one !== null &&
          typeof one.rule === "string" &&
          Array.isArray(one.operations),
      )
    : []
}
