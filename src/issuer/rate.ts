// How often one caller may do one thing. It decides by counting; what is counted, and how often is too often, is said where
// it is done.

/** Counts in whole minutes; only authenticated names are counted, so it holds as many as the policy has. */
export function limitPerMinute(most: number): (name: string, now: number) => boolean {
  const counts = new Map<string, { minute: number; count: number }>()
  return (name, now) => {
    const minute = Math.floor(now / 60_000)
    const before = counts.get(name)
    const count = before?.minute === minute ? before.count + 1 : 1
    counts.set(name, { minute, count })
    return count > most
  }
}
