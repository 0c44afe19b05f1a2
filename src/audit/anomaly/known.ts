// What is usual, as it was known before an hour: read once for each agent, task type and hour. It decides nothing; what the
// numbers mean is baseline.ts's.
import type { Engine } from "../../database/database.ts"
import { REMEMBERED_DAYS } from "../../policy/anomaly-rules.ts"
import { type Baseline, baselineOf } from "./baseline.ts"
import { hoursOf, sizesOf } from "./statements.ts"

export interface Baselines {
  /** From the days before that hour. Throws Unavailable. */
  of(who: { readonly type: number; readonly agent: number }, hour: number): Promise<Baseline>
}

/** Each holds the hours of a month. */
const MOST_KEPT = 500

export function createBaselines(engine: Engine): Baselines {
  const known = new Map<string, Baseline>()
  let newest = 0
  return {
    async of({ type, agent }, hour) {
      const key = `${type} ${agent} ${hour}`
      const found = known.get(key)
      if (found) return found
      const day = Math.floor(hour / 24)
      const from = day - REMEMBERED_DAYS
      const hours = await engine.query(hoursOf, { type, agent, from: from * 24, to: hour })
      const sizes = await engine.query(sizesOf, { type, agent, from, to: day })
      const baseline = baselineOf(hours, sizes)
      if (known.size >= MOST_KEPT || hour > newest) known.clear()
      newest = Math.max(newest, hour)
      known.set(key, baseline)
      return baseline
    },
  }
}
