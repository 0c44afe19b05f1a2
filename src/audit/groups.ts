// Counting what is alike: how often, when first and when last. It decides how many groups are told apart; what exceeds them
// is counted as one, so that no task can make an account of itself that nobody can carry.

export interface Span {
  /** RFC 3339. */
  readonly first: string
  readonly last: string
}

/** Told apart in one account; a reader sees the rest as a sum. */
export const MOST_GROUPS = 1000

export interface Groups<Key extends object> {
  /** `at` in RFC 3339, as all of them are spelled. */
  add(key: Key, count: number, span: Span): void
  /** In the order in which they came. */
  all(): readonly (Key & { readonly count: number } & Span)[]
  /** How many came that had no place any more. */
  further(): number
}

export function createGroups<Key extends object>(): Groups<Key> {
  const groups = new Map<string, { key: Key; count: number; span: Span }>()
  let further = 0
  return {
    add(key, count, span) {
      const id = JSON.stringify(key)
      const known = groups.get(id)
      if (known) {
        known.count += count
        known.span = widest(known.span, span)
      } else if (groups.size < MOST_GROUPS) groups.set(id, { key, count, span })
      else further += count
    },
    all: () => [...groups.values()].map(({ key, count, span }) => ({ ...key, count, ...span })),
    further: () => further,
  }
}

export const widest = (one: Span | undefined, other: Span): Span =>
  one
    ? {
        first: one.first < other.first ? one.first : other.first,
        last: one.last > other.last ? one.last : other.last,
      }
    : other

export const spanAt = (at: string): Span => ({ first: at, last: at })
