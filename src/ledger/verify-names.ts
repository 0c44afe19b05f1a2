// What the ids in the rows of entries stand for, while a ledger is verified. It decides what is kept in memory of them.
import type { Engine } from "../database/database.ts"
import { type Known, SAME } from "./verify-entry.ts"
import { namesFrom, type RestingEntry } from "./verify-statements.ts"

/** Ids that are read at once. */
const BLOCK = 256
/** Of blocks that are kept: some ten megabytes of names. */
const MOST_BLOCKS = 512

export interface NamesRead {
  /** Reads what these rows need. */
  learn(rows: readonly RestingEntry[]): Promise<void>
  readonly of: Known["nameOf"]
}

export function createNamesRead(engine: Pick<Engine, "query">): NamesRead {
  const known = new Map<number, string>()
  const blocks = new Set<number>()
  const load = async (block: number) => {
    blocks.add(block)
    const asked = { from: block * BLOCK, to: (block + 1) * BLOCK }
    for (const { id, text } of await engine.query(namesFrom, asked)) known.set(id, text)
  }
  return {
    of: (id) => known.get(id),
    async learn(rows) {
      if (blocks.size > MOST_BLOCKS) {
        blocks.clear()
        known.clear()
      }
      for (const row of rows)
        for (const member of SAME) {
          const block = Math.floor((row[member] ?? 0) / BLOCK)
          if (!blocks.has(block)) await load(block)
        }
    },
  }
}
