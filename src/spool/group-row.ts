// How uses that were written together stand in one row of the spool. It decides the row's form only.
import type { WriterStep } from "../database/writer.ts"
import { ADD_USES } from "./statements.ts"

/** What the uses of one token on one route have in common. The same object for many uses, which is then written once. */
export interface UseHead {
  readonly task: string
  /** The beginning of their JSON; empty: they have nothing in common but the task. */
  readonly text: string
}

/** One use, not yet in a batch. Its JSON, without the outcome, is the text of its head and then its tail. */
export interface StoredUse {
  readonly seq: number
  readonly head: UseHead
  readonly tail: string
}

export const textOf = ({ head, tail }: StoredUse): string => head.text + tail

/** What a use holds of the spool, about; the same for whoever reads it back. */
export const bytesOf = (head: UseHead, tail: string): number =>
  head.text.length + tail.length + ROW_OVERHEAD_BYTES

/** What a use takes beside its text, about: its share of a row and of a batch's frame. */
const ROW_OVERHEAD_BYTES = 64

/**
 * Uses in a row, written together: what waits for one fsync is one row of the spool. In memory, too, for one long text costs
 * the garbage collector less than several for each use.
 */
export interface UseGroup {
  /** Of the first of them; the others' follow. */
  readonly first: number
  /** At least one. */
  readonly count: number
  /** One line for each head: its task, a space, its text. No line ends in JSON. */
  readonly heads: string
  /** One line for each use: which of the heads, from zero, a space, its tail. */
  readonly tails: string
}

/** Not all of a group was stored: these uses were not. What the others hold is given back as of all that is stored. */
export class PartlyStored extends Error {
  override readonly name = "PartlyStored"
  readonly left: readonly StoredUse[]
  constructor(left: readonly StoredUse[], cause: Error) {
    super(cause.message, { cause })
    this.left = left
  }
}

/** Of at least one use; their numbers follow each other. */
export function writeGroup(uses: readonly StoredUse[]): UseGroup {
  const places = new Map<UseHead, number>()
  const lines = uses.map(({ head, tail }) => {
    const place = places.get(head) ?? places.size
    if (place === places.size) places.set(head, place)
    return `${place} ${tail}`
  })
  const heads = Array.from(places.keys(), ({ task, text }) => `${task} ${text}`)
  return {
    first: uses[0]?.seq ?? 0,
    count: uses.length,
    heads: heads.join("\n"),
    tails: lines.join("\n"),
  }
}

export function readGroup({ first, heads, tails }: UseGroup): StoredUse[] {
  const known = heads.split("\n").map((line): UseHead => {
    const [task, text] = cut(line)
    return { task, text }
  })
  return tails.split("\n").map((line, at) => {
    const [place, tail] = cut(line)
    const head = known[Number(place)]
    if (!head)
      throw new Error(`use ${first + at} of the spool can't be read; move the spool aside and keep it`)
    return { seq: first + at, head, tail }
  })
}

function cut(line: string): readonly [string, string] {
  const space = line.indexOf(" ")
  return [line.slice(0, space), line.slice(space + 1)]
}

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

export const addGroup = ({ first, count, heads, tails }: UseGroup): WriterStep => ({
  sql: ADD_USES,
  values: [first, count, heads, tails],
  rows: 1,
})
