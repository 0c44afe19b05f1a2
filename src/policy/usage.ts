// Which entries of the ledger count as what an agent has done in the last hour, and which minutes that hour is: what `usage` of
// a condition is. It reads no entry and keeps none; whoever does counts by it.
import type { Usage } from "./condition.ts"

/** The minute under way, and those before it. */
export const USAGE_MINUTES = 60

const COUNTED: Readonly<Record<string, keyof Usage>> = {
  "task.started": "starts",
  "use.allowed": "uses",
  "use.refused": "refusals",
  "task.refused": "refusals",
  "token.refused": "refusals",
}

/** What an entry of this kind counts as; undefined: nothing. */
export const countedAs = (kind: string): keyof Usage | undefined => COUNTED[kind]

export const NO_USAGE: Usage = { starts: 0, uses: 0, refusals: 0 }

export const minuteOf = (milliseconds: number): number => Math.floor(milliseconds / 60_000)

/** Minutes since the epoch: the first of the hour that ends now (epoch milliseconds). */
export const firstMinuteAt = (now: number): number => minuteOf(now) - USAGE_MINUTES + 1

export const sumOfUsage = (counts: Iterable<Usage>): Usage => {
  let { starts, uses, refusals } = NO_USAGE
  for (const one of counts) {
    starts += one.starts
    uses += one.uses
    refusals += one.refusals
  }
  return { starts, uses, refusals }
}
