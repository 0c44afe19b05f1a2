// What a reviewer would say about a policy that is valid: by rule id, with severity, place and fix. It decides nothing that
// the issuer does; what is refused at load is check.ts's and resolve*.ts's. The rules are the tables in review-*.ts.
import type { Evidence } from "./evidence.ts"
import { createPlaces } from "./places.ts"
import type { Policy, Risk } from "./policy.ts"
import { CALLER_RULES } from "./review-callers.ts"
import { CONDITION_RULES } from "./review-conditions.ts"
import { EVIDENCE_RULES } from "./review-evidence.ts"
import { GRANT_RULES } from "./review-grants.ts"
import type { Reviewed, ReviewRule, Severity, Spot } from "./review-rule.ts"
import { TASK_RULES } from "./review-tasks.ts"
import { UNUSED_RULES } from "./review-unused.ts"

export const REVIEW_RULES: readonly ReviewRule[] = [
  ...GRANT_RULES,
  ...TASK_RULES,
  ...CONDITION_RULES,
  ...CALLER_RULES,
  ...UNUSED_RULES,
  ...EVIDENCE_RULES,
]

export interface Remark extends Spot {
  /** The rule's id. */
  readonly rule: string
  readonly severity: Severity
  readonly fix: string
}

/**
 * Every remark, by default of every rule, in the order of files and lines. The same policy and evidence always get the same
 * remarks.
 */
export function review(
  policy: Policy,
  evidence?: Evidence,
  rules: readonly ReviewRule[] = REVIEW_RULES,
): readonly Remark[] {
  const reviewed = createReviewed(policy, evidence)
  const remarks = rules.flatMap(({ id, severity, fix, find }) =>
    [...find(reviewed)].map(({ place, message }) => ({ rule: id, severity, place, message, fix })),
  )
  return remarks.sort(byPlace)
}

function createReviewed(policy: Policy, evidence: Evidence | undefined): Reviewed {
  const placeOf = createPlaces(policy)
  const risks = new Map<string, Risk>()
  for (const api of policy.apis.values())
    for (const [operation, { risk }] of api.operations) risks.set(operation, risk)
  return {
    policy,
    tasks: [...policy.tasks.values()].filter(({ enabled }) => enabled),
    riskOf: (operation) => risks.get(operation) ?? "high",
    inTask: (task, ...path) => placeOf(task.place.file, ["tasks", task.name, ...path]),
    at: (section, file, ...path) => placeOf(file, [section, ...path]),
    evidence,
  }
}

const byPlace = (one: Remark, other: Remark): number =>
  compare(one.place.file, other.place.file) ||
  one.place.line - other.place.line ||
  one.place.column - other.place.column ||
  compare(one.rule, other.rule)

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other))
