// What a verifier remembers of the feed: the latest order against each name. It decides which of two orders counts; whether
// a token is ended by one, the caller compares.
import type { RevocationItem, RevocationKind } from "../token/revocation.ts"
import { createIdTable, type IdTable, type Order, readIdKey } from "./id-table.ts"

export interface Ended {
  /** Two orders against one name: the later instant counts, and the word of the later order. */
  remember(item: RevocationItem): void
  /** Kinds of which something was remembered. */
  kinds(): Iterable<RevocationKind>
  find(kind: RevocationKind, value: string): Order | undefined
  /** Forgets what is over before that (epoch seconds). Answers the latest end of what was forgotten; zero: nothing. */
  forget(before: number): number
}

interface OfKind {
  readonly ids: IdTable
  /** Of names that are no ids. */
  readonly names: Map<string, Order>
}

export function createEnded(): Ended {
  const ended = new Map<RevocationKind, OfKind>()
  const find = (kind: RevocationKind, value: string) => {
    const known = ended.get(kind)
    if (!known) return undefined
    const id = known.ids.size() === 0 ? undefined : readIdKey(value)
    return id ? known.ids.find(id) : known.names.get(value)
  }
  return {
    remember({ kind, value, ...item }) {
      const known = ended.get(kind) ?? { ids: createIdTable(), names: new Map() }
      ended.set(kind, known)
      const earlier = find(kind, value)
      const order = earlier ? merge(earlier, item) : item
      const id = readIdKey(value)
      if (id) known.ids.set(id, order)
      else known.names.set(value, order)
    },
    kinds: () => ended.keys(),
    find,
    forget(before) {
      let latest = 0
      for (const { ids, names } of ended.values()) {
        latest = Math.max(latest, ids.forget(before))
        for (const [value, { until }] of names) {
          if (until >= before) continue
          names.delete(value)
          latest = Math.max(latest, until)
        }
      }
      return latest
    },
  }
}

function merge(known: Order, item: Order): Order {
  const last = item.cursor >= known.cursor ? item : known
  const [before, until] = [Math.max(known.before, item.before), Math.max(known.until, item.until)]
  return { ...last, before, until }
}
