// Do the entries about verifier instances hang together? Each batch tells how many uses it brought, and they stand before
// it; numbers rise, and each batch follows the one before, unless a gap is told of: that is what a ledger that is whole says
// of reports that are not. It decides what is broken; numbers that nobody tells of may be heartbeats, which are no entries.
import type { Json } from "./event.ts"
import type { Hashed } from "./verify-entry.ts"

export interface Reports {
  /** What does not fit in this entry; undefined: nothing. Entries must come in order. */
  misfit(entry: Hashed): string | undefined
}

interface Seen {
  /** Uses by the number of their batch, until it is told of. */
  readonly uses: Map<number, number>
  last: { readonly sequence: number; readonly digest: Json | undefined } | undefined
  /** The gap that was told of last. */
  gap: { readonly from: number; readonly to: number; readonly why: Json | undefined } | undefined
  /** Numbers that were missing and have come. */
  readonly late: Set<number>
}

export function createReports(): Reports {
  const instances = new Map<string, Seen>()
  const seenOf = (verifier: string): Seen => {
    const known = instances.get(verifier)
    if (known) return known
    const seen: Seen = { uses: new Map(), last: undefined, gap: undefined, late: new Set() }
    instances.set(verifier, seen)
    return seen
  }
  return {
    misfit({ kind, body }) {
      const told = (body ?? {}) as Hashed
      const { verifier, sequence } = told
      if (typeof verifier !== "string" || typeof sequence !== "number" || typeof kind !== "string")
        return undefined
      const seen = seenOf(verifier)
      if (kind.startsWith("use.")) seen.uses.set(sequence, (seen.uses.get(sequence) ?? 0) + 1)
      if (kind === "verifier.gap") noteGap(seen, sequence, told)
      return kind === "verifier.reported" ? misfitOfReport(seen, sequence, told) : undefined
    },
  }
}

function noteGap(seen: Seen, sequence: number, { closed, from, to, why }: Hashed): void {
  if (closed === true) seen.late.add(sequence)
  else if (typeof from === "number" && typeof to === "number") seen.gap = { from, to, why }
}

function misfitOfReport(seen: Seen, sequence: number, told: Hashed): string | undefined {
  const { last, gap } = seen
  const found = seen.uses.get(sequence) ?? 0
  seen.uses.delete(sequence)
  if (found !== told.uses) return "uses_missing"
  if (last && sequence <= last.sequence) return seen.late.delete(sequence) ? undefined : "batch_repeated"
  seen.last = { sequence, digest: told.digest }
  if (typeof told.after === "number" && (gap?.from !== told.after + 1 || gap.to !== sequence - 1))
    return "gap_untold"
  if (last?.sequence !== sequence - 1 || told.previous === last.digest) return undefined
  return gap?.why === "chain_differs" && gap.to === last.sequence ? undefined : "batch_chain_differs"
}
