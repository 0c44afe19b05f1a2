// What the issuer ought to say of batches that come in any order, some never, some of them forged by the instance's own key:
// told from the numbers that it was given alone, and written without the code that it judges.
import type { Made } from "./chain-reporter.ts"

export interface Expected {
  /** Of each `verifier.gap`, in order: what it is, and the numbers. */
  readonly entries: readonly string[]
  /** Numbers that conflict, each once. */
  readonly conflicts: readonly number[]
  readonly uses: number
  /** Numbers that never came. */
  readonly missing: readonly number[]
  readonly answers: readonly ("taken" | "batch_conflict")[]
}

export function expectedOf(brought: readonly Made[]): Expected {
  const taken = new Map<number, { digest: string | null; empty: boolean }>([
    [0, { digest: null, empty: false }],
  ])
  /** What the batch of a number says that the one before it is. */
  const said = new Map<number, string | null>()
  const entries: string[] = []
  const conflicts = new Set<number>()
  const answers: ("taken" | "batch_conflict")[] = []
  let uses = 0
  let top = 0
  for (const batch of brought) {
    const { sequence, digest, previous } = batch
    const before = taken.get(sequence)
    const refused = before
      ? before.digest !== digest && !(batch.uses === 0 && before.empty && sequence < top)
      : said.has(sequence) && said.get(sequence) !== digest
    answers.push(refused ? "batch_conflict" : "taken")
    if (refused) conflicts.add(sequence)
    if (refused || before) continue
    if (sequence < top) entries.push(`closed ${sequence}-${sequence}`)
    if (sequence > top + 1) entries.push(`missing ${top + 1}-${sequence - 1}`)
    const parent = taken.get(sequence - 1)
    if (parent && parent.digest !== previous) entries.push(`chain_differs ${sequence - 1}-${sequence - 1}`)
    taken.set(sequence, { digest, empty: batch.uses === 0 })
    said.set(sequence - 1, previous)
    uses += batch.uses
    top = Math.max(top, sequence)
  }
  const missing = Array.from({ length: top }, (_each, index) => index + 1).filter((one) => !taken.has(one))
  return { entries, conflicts: [...conflicts], uses, missing, answers }
}
