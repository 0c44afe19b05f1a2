// The same thing said once a minute, by this process, however often it happens.

export interface Fold {
  /** Whether it was not said within this minute (epoch milliseconds). */
  isNew(key: string, now: number): boolean
  said(key: string, now: number): void
}

/** More than that many at once, and the oldest may be said twice. */
const MOST = 10_000
const MINUTE_MILLISECONDS = 60_000

export function createFold(): Fold {
  const minutes = new Map<string, number>()
  const minuteOf = (now: number) => Math.floor(now / MINUTE_MILLISECONDS)
  return {
    isNew: (key, now) => minutes.get(key) !== minuteOf(now),
    said(key, now) {
      minutes.delete(key)
      minutes.set(key, minuteOf(now))
      const [oldest] = minutes.keys()
      if (minutes.size > MOST && oldest !== undefined) minutes.delete(oldest)
    },
  }
}
