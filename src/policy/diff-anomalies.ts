// What two policies say otherwise of unusual work: what is looked for, from when and from where on, and what becomes of the
// tasks behind it. What finds less or lets more go on is wider. Which work that is, the audit room's rules say.
import { ANOMALY_RULES, type AnomalyName } from "./anomaly-rules.ts"
import { type Direction, type Finding, sides } from "./finding.ts"
import type { AnomalyRule, Policy } from "./policy.ts"
import { actionOf, anomalyRuleOf } from "./resolve-anomaly.ts"

interface Measure {
  readonly words: string
  readonly of: (rule: AnomalyRule) => number
}

/** The larger, the later it is found, and the less. */
const MEASURES: readonly Measure[] = [
  { words: "waits for tasks that have ended:", of: ({ learn }) => learn.tasks },
  { words: "waits for days with work:", of: ({ learn }) => learn.days },
  { words: "finds nothing below", of: ({ atLeast }) => atLeast },
  { words: "finds nothing nearer to what is usual, in deviations, than", of: (rule) => rule.deviations },
]

/** What a task may still do behind it; a paused one can be resumed. */
const ACTIONS = ["revoke", "pause", undefined]
const ACTION_WORDS = { revoke: "revokes", pause: "pauses" }

/** A rule of which nothing is said is compared as what holds of it then. */
export function diffAnomalies(old: Policy, now: Policy): Finding[] {
  const types = [...now.tasks.keys()].filter((name) => old.tasks.has(name))
  return ANOMALY_RULES.flatMap((name) =>
    diffRule(name, anomalyRuleOf(old, name), anomalyRuleOf(now, name), types),
  )
}

function diffRule(name: AnomalyName, was: AnomalyRule, is: AnomalyRule, types: readonly string[]): Finding[] {
  const found = (direction: Direction, words: string): Finding => ({
    direction,
    subject: "anomalies",
    text: `the rule ${name} ${words}`,
    concerns: { name },
    ...sides(was.place, is.place),
  })
  if (!was.enabled && !is.enabled) return []
  if (was.enabled !== is.enabled)
    return [is.enabled ? found("narrowing", "is looked for now") : found("widening", "is looked for no more")]
  return [
    ...MEASURES.flatMap(({ words, of }) => {
      const [before, after] = [of(was), of(is)]
      if (before === after) return []
      return [found(after > before ? "widening" : "narrowing", `${words} ${after}; before: ${before}`)]
    }),
    ...diffActions(was, is, types).map(({ direction, words }) => found(direction, words)),
  ]
}

/** For the task types that both have; alike ones in one sentence. */
function diffActions(was: AnomalyRule, is: AnomalyRule, types: readonly string[]) {
  const groups = new Map<string, { direction: Direction; said: string; types: string[] }>()
  for (const type of types) {
    const [before, after] = [actionOf(was, type), actionOf(is, type)]
    if (before === after) continue
    const direction = ACTIONS.indexOf(after) > ACTIONS.indexOf(before) ? "widening" : "narrowing"
    const said = `${after ? `${ACTION_WORDS[after]} tasks` : "does nothing to tasks"} behind it; before: ${before ?? "nothing"}`
    const group = groups.get(said) ?? { direction, said, types: [] }
    groups.set(said, group)
    group.types.push(type)
  }
  return [...groups.values()].map(({ direction, said, types: some }) => ({
    direction,
    words: `${said} (${some.length === types.length ? "every task type" : some.join(", ")})`,
  }))
}
