// What auditors are told of unusual work: what stands, and of whom too little is known to tell. It decides nothing; what is
// unusual, anomaly.ts says.
import type { Engine } from "../../database/database.ts"
import { type AnomalyName, LEARNED_RULES, REMEMBERED_DAYS } from "../../policy/anomaly-rules.ts"
import type { Policy } from "../../policy/policy.ts"
import { anomalyRuleOf } from "../../policy/resolve-anomaly.ts"
import { type Standing, standingOf } from "../alarm.ts"
import { dayOf } from "../privilege-count.ts"
import { anomaliesPage, type LearningRow, learningPage } from "./statements.ts"

export interface AnomalyFilter {
  readonly rule?: AnomalyName | undefined
  /** Names of the policy. */
  readonly type?: string | undefined
  readonly agent?: string | undefined
  /** `next` of an earlier answer. */
  readonly after?: number | undefined
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined
}

export interface AnomalyPage {
  /** The oldest first. */
  readonly anomalies: readonly Standing[]
  /** Where the next page begins; undefined when there is none. */
  readonly next: number | undefined
}

/** Anomalies that stand now. NOT checked: that the names are names. Throws Unavailable. */
export async function standingAnomalies(engine: Engine, filter: AnomalyFilter = {}): Promise<AnomalyPage> {
  const { rule = "", type = "%", agent = "%", after = 0, limit = 100 } = filter
  const values = { rule, who: `${type}/${agent}/%`, after, limit: limit + 1 }
  const rows = await engine.query(anomaliesPage, values)
  const anomalies = rows.slice(0, limit).map(standingOf)
  return { anomalies, next: rows.length > limit ? anomalies.at(-1)?.id : undefined }
}

export interface Learning {
  /** What the rule that asks for most asks for. */
  readonly wanted: { readonly tasks: number; readonly days: number }
  /** Agents and types that worked lately and have less, by name. */
  readonly known: readonly LearningRow[]
}

const MOST_LEARNING = 200

/** Of whom not every rule can tell yet what is unusual, at most 200. Throws Unavailable. */
export async function stillLearning(
  engine: Engine,
  policy: Pick<Policy, "anomalies">,
  now: number,
): Promise<Learning> {
  const wanted = LEARNED_RULES.map((name) => anomalyRuleOf(policy, name))
    .filter(({ enabled }) => enabled)
    .reduce(
      (most, { learn }) => ({
        tasks: Math.max(most.tasks, learn.tasks),
        days: Math.max(most.days, learn.days),
      }),
      { tasks: 0, days: 0 } as { tasks: number; days: number },
    )
  const day = dayOf(now) - REMEMBERED_DAYS
  const known = await engine.query(learningPage, { ...wanted, day, hour: day * 24, limit: MOST_LEARNING })
  return { wanted, known }
}
