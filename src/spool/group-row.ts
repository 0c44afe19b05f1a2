// How uses that were written together stand in one row of the spool. It decides the row's form only.
import type { WriterStep } from "../database/writer.ts"
import { ADD_USES } from "./statements.ts"

/** One use, not yet in a batch. `text` is its JSON without the outcome. */
export interface StoredUse {
  readonly seq: number
  readonly task: string
  readonly text: string
}

/**
 * Uses in a row, written together: what waits for one fsync is one row of the spool. In memory, too, for one long text costs
 * the garbage collector less than several for each use.
 */
export interface UseGroup {
  /** Of the first of them; the others' follow. */
  readonly first: number
  /** At least one. */
  readonly count: number
  /** One line for each use: its task, a space, its JSON, in neither of which a line ends. */
  readonly lines: string
}

/** Of at least one use; their numbers follow each other. */
export function writeGroup(uses: readonly StoredUse[]): UseGroup {
  const lines = uses.map(({ task, text }) => `${task} ${text}`).join("\n")
  return { first: uses[0]?.seq ?? 0, count: uses.length, lines }
}

export const readGroup = ({ first, lines }: UseGroup): StoredUse[] =>
  lines.split("\n").map((line, at) => {
    const space = line.indexOf(" ")
    return { seq: first + at, task: line.slice(0, space), text: line.slice(space + 1) }
  })

/** The same uses in as few rows as there are turns between those that `is` tells apart; each row with what it told. */
export function splitUses(uses: readonly StoredUse[], is: (use: StoredUse) => boolean) {
  const runs: { readonly is: boolean; readonly uses: StoredUse[] }[] = []
  for (const use of uses) {
    const last = runs.at(-1)
    if (last?.is === is(use)) last.uses.push(use)
    else runs.push({ is: is(use), uses: [use] })
  }
  return runs.map((run) => ({ is: run.is, group: writeGroup(run.uses) }))
}

export const addGroup = ({ first, count, lines }: UseGroup): WriterStep => ({
  sql: ADD_USES,
  values: [first, count, lines],
  rows: 1,
})
