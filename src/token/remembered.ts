// What was worked out once and may be asked for again soon, in bounded memory. It decides only what is forgotten; that what is
// remembered can never change is for whoever remembers it.

export interface Remembered<T> {
  /** Undefined: it was never set, or is forgotten. */
  get(key: string): T | undefined
  set(key: string, value: T): void
}

/** Remembers the `most` that were set or asked for last, at least, and twice as many at most. */
export function createRemembered<T>(most: number): Remembered<T> {
  let older = new Map<string, T>()
  let newer = new Map<string, T>()
  const set = (key: string, value: T) => {
    if (newer.size >= most) {
      older = newer
      newer = new Map()
    }
    newer.set(key, value)
  }
  return {
    set,
    get(key) {
      const found = newer.get(key)
      if (found !== undefined) return found
      const before = older.get(key)
      if (before !== undefined) set(key, before)
      return before
    },
  }
}
