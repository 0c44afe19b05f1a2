// How often one caller may do one thing, and how often at once. It decides by counting; what is counted, and how often is too
// often, is said where it is done.
import { type Refusal, refuse } from "../errors.ts"
import { retryAfterSeconds } from "./admission.ts"

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

/** Does the work, or refuses with `temporarily_unavailable` where so much is under way that it would be more than the most. */
export type AtOnce = <T>(work: () => Promise<T>) => Promise<T | Refusal>

/** Nobody waits: who is refused comes back. */
export function limitAtOnce(most: number): AtOnce {
  let underWay = 0
  return async (work) => {
    if (underWay >= most)
      return refuse("temporarily_unavailable", "[at_once] too many", {
        retryAfterSeconds: retryAfterSeconds(),
      })
    underWay += 1
    try {
      return await work()
    } finally {
      underWay -= 1
    }
  }
}
