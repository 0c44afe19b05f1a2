// What merged files say of unusual work into the policy's own: the task types they name exist, and what acts is whole. What a
// rule is where nothing is said of it stands here, too.
import { ANOMALY_RULES, type AnomalyName, AT_LEAST, DEVIATIONS, LEARN } from "./anomaly-rules.ts"
import type { AnomalyDeclaration } from "./anomaly-schema.ts"
import type { Declared, Sections } from "./merge.ts"
import type { AnomalyRule, Policy } from "./policy.ts"
import { checkKnown, type Resolving } from "./resolve.ts"

export function resolveAnomalies(sections: Sections, to: Resolving): ReadonlyMap<string, AnomalyRule> {
  return new Map(
    [...sections.anomalies].map(([name, declared]) => [name, resolveRule(declared, sections, to)]),
  )
}

function resolveRule(declared: Declared<AnomalyDeclaration>, sections: Sections, to: Resolving): AnomalyRule {
  const { rule } = declared
  for (const [index, type] of (rule.tasks ?? []).entries())
    checkKnown(type, sections.tasks, "task type", declared.at("tasks", index), to)
  if (rule.tasks && !rule.action) {
    const message = "expected action beside tasks, found tasks alone"
    to.faults.push({ place: declared.keyAt("tasks"), message, hint: "write action: pause" })
  }
  return {
    enabled: "enabled" in rule ? rule.enabled : true,
    learn: "learn" in rule ? rule.learn : LEARN,
    atLeast: "at_least" in rule ? rule.at_least : 1,
    deviations: "deviations" in rule ? rule.deviations : DEVIATIONS,
    action: rule.action,
    tasks: rule.tasks && new Set(rule.tasks),
    place: declared.place,
  }
}

const UNSAID: ReadonlyMap<AnomalyName, AnomalyRule> = new Map(
  ANOMALY_RULES.map((name) => {
    const atLeast = Object.entries(AT_LEAST).find(([one]) => one === name)?.[1] ?? 1
    const rule = { enabled: true, learn: LEARN, atLeast, deviations: DEVIATIONS }
    return [name, { ...rule, action: undefined, tasks: undefined }]
  }),
)

/** What holds of a rule under this policy. */
export function anomalyRuleOf(policy: Pick<Policy, "anomalies">, name: AnomalyName): AnomalyRule {
  const rule = policy.anomalies.get(name) ?? UNSAID.get(name)
  if (!rule) throw new TypeError(`there is no rule ${name}`)
  return rule
}

/** What becomes of tasks of a type behind such an anomaly; undefined: nothing. */
export function actionOf(rule: AnomalyRule, type: string): "pause" | "revoke" | undefined {
  return rule.tasks === undefined || rule.tasks.has(type) ? rule.action : undefined
}
