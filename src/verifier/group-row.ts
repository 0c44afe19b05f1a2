// How uses that were written together stand in one row of the spool. It decides the row's form only.
import type { WriterStep } from "../database/writer.ts"
import { ADD_USES } from "./statements.ts"

/** One use, not yet in a batch. `text` is its JSON without the outcome. */
export interface StoredUse {
  readonly seq: number
  readonly task: string
  readonly text: string
}

/** Uses in a row, written together: what waits for one fsync is one row of the spool. At least one. */
export type UseGroup = readonly StoredUse[]

export interface GroupRow {
  readonly first: number
  readonly lines: string
}

/** One line for each use: its task, a space, its JSON, in neither of which a line ends. */
export function addGroup(group: UseGroup): WriterStep {
  const lines = group.map(({ task, text }) => `${task} ${text}`).join("\n")
  return { sql: ADD_USES, values: [group[0]?.seq ?? 0, group.length, lines], rows: 1 }
}

export const readGroup = ({ first, lines }: GroupRow): UseGroup =>
  lines.split("\n").map((line, at) => {
    const space = line.indexOf(" ")
    return { seq: first + at, task: line.slice(0, space), text: line.slice(space + 1) }
  })
