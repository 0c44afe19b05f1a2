// Where a batch stands in the chain of its instance: each has the number after the one before, and names its digest. It
// decides what is missing before a batch, and whether one that comes late is the one that was missed; nothing is read or
// written here.

/** Batches that were not taken in. */
export interface Gap {
  /** The first number that is missing, and the last. */
  readonly first: number
  readonly last: number
  /** `chain_differs`: the number was taken in, and the next batch follows another of that number. */
  readonly why: "missing" | "chain_differs"
  /** Digest of the batch before the first; of `chain_differs`, of the one that was taken in. Null: none was. */
  readonly known: string | null
  /** Digest of the last one, as the batch after it says; null: it says that there was none. */
  readonly previous: string | null
}

interface Numbered {
  readonly sequence: number
  readonly previous: string | null
}

/** The last batch that was taken in, where there is one. */
interface Known {
  readonly sequence: number
  readonly digest: string | null
}

const NOTHING: Known = { sequence: 0, digest: null }

/** What is missing before a batch with a higher number than any that was taken in; undefined: it follows the last one. */
export function gapBefore({ sequence, previous }: Numbered, last: Known | undefined): Gap | undefined {
  const known = last ?? NOTHING
  const rest = { known: known.digest, previous }
  if (sequence > known.sequence + 1)
    return { first: known.sequence + 1, last: sequence - 1, why: "missing", ...rest }
  if (previous === known.digest) return undefined
  return { first: known.sequence, last: known.sequence, why: "chain_differs", ...rest }
}

/** A batch that was missed and came after all. */
export interface Late {
  /** What of the gap it fills is still missing: none, one or two parts. */
  readonly rest: readonly Gap[]
  /** It follows another batch than the one that was taken in before the gap. */
  readonly differs: Gap | undefined
}

/** Undefined: not the one that was missed, for the batch after it follows another. `gap` holds its number. */
export function fillGap(gap: Gap, { sequence, previous }: Numbered, digest: string): Late | undefined {
  if (sequence === gap.last && digest !== gap.previous) return undefined
  const rest: Gap[] = []
  if (sequence > gap.first) rest.push({ ...gap, last: sequence - 1, previous })
  if (sequence < gap.last) rest.push({ ...gap, first: sequence + 1, known: digest })
  const follows = sequence > gap.first || previous === gap.known
  const number = sequence - 1
  return {
    rest,
    differs: follows
      ? undefined
      : { first: number, last: number, why: "chain_differs", known: gap.known, previous },
  }
}
