// Entries without a task that tell of somebody: a refused start, a lock, a query that somebody asked for. It decides which
// ones those are, and that they lose their values; the entries of tasks are erased with the task.
import { setImmediate } from "node:timers/promises"
import type { Engine, Step } from "../database/database.ts"
import { eraseBytes, eraseRow, type LooseRow, looseEntries } from "./erase-statements.ts"
import { newestPlace } from "./statements.ts"

/** By what an entry is known to tell of what is erased. */
export interface Traces {
  /** The person: their row, and their name within any text. */
  readonly subject?: { readonly id: number; readonly text: string }
  /** References and resources of the tasks, as whole texts. */
  readonly values: ReadonlySet<string>
}

const WINDOW = 10_000
const AT_ONCE = 200

/**
 * Erases them, some hundred in each transaction, from one place on. Answers how many, and up to which place it looked.
 * Killed half-way, what it did stands, and looking again does the rest. Throws Unavailable.
 */
export async function eraseLoose(
  engine: Engine,
  traces: Traces,
  after = 0,
): Promise<{ readonly entries: number; readonly upTo: number }> {
  const newest = (await engine.query(newestPlace))[0]?.seq ?? 0
  let entries = 0
  for (let from = after; from < newest; from += WINDOW) {
    const rows = await engine.query(looseEntries, { from, to: Math.min(from + WINDOW, newest) })
    const found = rows.filter((row) => tells(row, traces))
    for (let at = 0; at < found.length; at += AT_ONCE)
      await engine.atomically(found.slice(at, at + AT_ONCE).flatMap(eraseSteps))
    entries += found.length
    await setImmediate() // others get their turn
  }
  return { entries, upTo: newest }
}

const eraseSteps = ({ seq }: LooseRow): Step[] => [
  { statement: eraseRow, values: { seq }, rows: 1 },
  // Archived, and all that it had beside its bytes was in the columns of its row: then there is none.
  { statement: eraseBytes, values: { seq } },
]

function tells({ subject, reference, personal }: LooseRow, traces: Traces): boolean {
  if (subject !== null && subject === traces.subject?.id) return true
  if (reference !== null && traces.values.has(reference)) return true
  return personal !== null && textsIn(JSON.parse(personal)).some((text) => isTrace(text, traces))
}

const isTrace = (text: string, { subject, values }: Traces): boolean =>
  values.has(text) || (subject !== undefined && text.includes(subject.text))

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value]
  if (typeof value !== "object" || value === null) return []
  return Object.values(value).flatMap(textsIn)
}
