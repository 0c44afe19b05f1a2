// What agents had done in the hour before a moment, as the entries that were read so far tell it. It knows what it can't tell:
// where an entry of the hour was not read, and whether a decision already saw what was committed about when it was taken.
import type { Entry } from "../ledger/entry.ts"
import type { Usage } from "../policy/condition.ts"
import { countedAs, firstMinuteAt, minuteOf, NO_USAGE, sumOfUsage } from "../policy/usage.ts"

/** A decision may not have seen entries that are older by less than this: they were still on their way. */
const ON_THEIR_WAY_MILLISECONDS = 1000

/** The least that a decision has seen, and the most; alike where nothing was on its way. */
export type Seen = readonly [Usage, Usage]

type Told = Pick<Entry, "seq" | "at" | "kind" | "agent">

export interface UsageSeen {
  /** The next entry that was read, in the ledger's order. One that is missing between makes the hour before it unknown. */
  take(entry: Told): void
  /** By a decision at this time (epoch ms) about this agent, before the entry that was taken last; undefined where that can't be told. */
  at(agent: string, now: number): Seen | undefined
}

interface Doings {
  /** By minute since the epoch. */
  readonly minutes: Map<number, Usage>
  /** The last, oldest first. */
  readonly recent: { readonly at: number; readonly what: keyof Usage }[]
}

export function createUsageSeen(): UsageSeen {
  const agents = new Map<string, Doings>()
  /** Everything since then was read; the beginning of the ledger is reached where its first entry was. */
  let since = Number.POSITIVE_INFINITY
  let newest: Told | undefined
  return {
    take(entry) {
      if (newest) count(agents, newest)
      if (entry.seq === 1) since = Number.NEGATIVE_INFINITY
      else if (entry.seq - 1 !== newest?.seq) since = Date.parse(entry.at)
      newest = entry
    },
    at(agent, now) {
      const first = firstMinuteAt(now)
      if (since > first * 60_000) return undefined
      const doings = agents.get(agent)
      if (!doings) return [NO_USAGE, NO_USAGE]
      const most = sumOfUsage([...doings.minutes].flatMap(([minute, one]) => (minute < first ? [] : one)))
      const least = { ...most }
      for (const { at, what } of doings.recent)
        if (at > now - ON_THEIR_WAY_MILLISECONDS) Object.assign(least, { [what]: least[what] - 1 })
      return [least, most]
    },
  }
}

function count(agents: Map<string, Doings>, { at, kind, agent }: Told): void {
  const what = countedAs(kind)
  if (what === undefined || agent === undefined) return
  const { minutes, recent } = agents.get(agent) ?? { minutes: new Map<number, Usage>(), recent: [] }
  agents.set(agent, { minutes, recent })
  const time = Date.parse(at)
  const minute = minuteOf(time)
  const counted = minutes.get(minute)
  if (!counted) for (const one of minutes.keys()) if (one < firstMinuteAt(time)) minutes.delete(one)
  minutes.set(minute, { ...(counted ?? NO_USAGE), [what]: (counted?.[what] ?? 0) + 1 })
  while (recent[0] && recent[0].at <= time - ON_THEIR_WAY_MILLISECONDS) recent.shift()
  recent.push({ at: time, what })
}
