// The rules for what is unusual: what each looks at, and in what words it is told. A rule sees numbers of one task, one hour or one
// operation and what is usual, and answers what it found; without enough to judge by it finds nothing.
import { type AlwaysRule, type LearnedRule, REMEMBERED_DAYS } from "../../policy/anomaly-rules.ts"
import type { AnomalyRule } from "../../policy/policy.ts"
import { toInstant } from "../../time.ts"
import {
  type Baseline,
  boundAt,
  boundOf,
  type HourOfWork,
  hoursWorked,
  isUnusualHour,
  isWeekend,
  type Usual,
} from "./baseline.ts"
import { HOUR_MILLISECONDS } from "./tally.ts"

/** In words: what was usual, what happened. No text of an agent is in them. */
export interface Words {
  readonly usual: string
  readonly happened: string
}

export interface Found extends Words {
  readonly rule: LearnedRule
}

export interface TaskOfWork {
  readonly resources: number
  readonly uses: number
}

type RuleOf = (name: LearnedRule) => AnomalyRule

/** Whether there is enough of an agent and task type for this rule. */
const knows = ({ tasks, days }: Baseline, { learn }: AnomalyRule): boolean =>
  tasks >= learn.tasks && days >= learn.days

const TASK_RULES = [
  {
    name: "unusual_spread",
    what: "resources",
    usual: "spread",
    count: ({ resources }: TaskOfWork) => resources,
  },
  { name: "unusual_uses", what: "uses", usual: "uses", count: ({ uses }: TaskOfWork) => uses },
] as const

const HOUR_RULES = [
  { name: "unusual_rate", what: "uses", usual: "rate", count: ({ uses }: HourOfWork) => uses },
  {
    name: "unusual_starts",
    what: "tasks started",
    usual: "starts",
    count: ({ starts }: HourOfWork) => starts,
  },
  {
    name: "unusual_refusals",
    what: "refusals",
    usual: "refusals",
    count: ({ refused }: HourOfWork) => refused,
  },
] as const

/** Of one task, of one holder. */
export function judgeTask(task: TaskOfWork, baseline: Baseline, ruleOf: RuleOf): Found[] {
  return TASK_RULES.flatMap(({ name, what, usual, count }) => {
    const rule = ruleOf(name)
    const [counted, known] = [count(task), baseline[usual]]
    const bound = boundOf(known, rule.deviations)
    if (!isFar(counted, bound, baseline, rule)) return []
    return [{ rule: name, usual: usually(known, what, "tasks"), happened: `${counted} ${what} in one task` }]
  })
}

/** Of one hour of an agent in tasks of a type, so far. */
export function judgeHour(hour: HourOfWork, baseline: Baseline, ruleOf: RuleOf): Found[] {
  const at = toInstant(hour.hour * HOUR_MILLISECONDS)
  const found = HOUR_RULES.flatMap(({ name, what, usual, count }): Found[] => {
    const rule = ruleOf(name)
    const [counted, known] = [count(hour), baseline[usual]]
    const bound = Math.max(boundOf(known, rule.deviations), boundAt(baseline.hours, hour.hour, count))
    if (!isFar(counted, bound, baseline, rule)) return []
    const happened = `${counted} ${what} in the hour from ${at}`
    return [{ rule: name, usual: usually(known, what, "hours with work"), happened }]
  })
  const rule = ruleOf("unusual_hour")
  if (!rule.enabled || !knows(baseline, rule) || !isUnusualHour(baseline, hour.hour)) return found
  const days = isWeekend(hour.hour) ? "weekends" : "working days"
  const worked = hoursWorked(baseline.hours, isWeekend(hour.hour))
  const usual = worked === "" ? `no work on ${days}` : `work on ${days} at ${worked} UTC`
  const basis = `(${baseline.hours.length} hours with work in ${REMEMBERED_DAYS} days)`
  return [
    ...found,
    { rule: "unusual_hour", usual: `${usual} ${basis}`, happened: `work in the hour from ${at}` },
  ]
}

/** Of an operation that was used for the first time, or after it was forgotten. */
export function judgeOperation(operation: string, baseline: Baseline, ruleOf: RuleOf): Found[] {
  const rule = ruleOf("new_operation")
  if (!rule.enabled || !knows(baseline, rule)) return []
  const usual = `other operations (${baseline.tasks} tasks in ${REMEMBERED_DAYS} days)`
  return [{ rule: "new_operation", usual, happened: `the first use of ${operation}` }]
}

const isFar = (counted: number, bound: number, baseline: Baseline, rule: AnomalyRule): boolean =>
  rule.enabled && counted >= rule.atLeast && counted > bound && knows(baseline, rule)

const usually = ({ of, median, high }: Usual, what: string, all: string): string =>
  `at most ${high} ${what} in 98 of 100, ${median} in the middle (of ${of} ${all} in ${REMEMBERED_DAYS} days)`

/** What is unusual whatever came before. */
export const ALWAYS: Readonly<Record<AlwaysRule, Words>> = {
  use_of_unknown_token: {
    usual: "every use names a token that was minted here",
    happened: "a use of a token that never was",
  },
  use_of_other_task: {
    usual: "a use names the task of its token",
    happened: "a use that names another task",
  },
  use_at_other_api: {
    usual: "a token is used at the API that it is for",
    happened: "a use at another API",
  },
  use_before_issue: {
    usual: "a token is used after it was minted",
    happened: "a use before that",
  },
  use_after_expiry: {
    usual: "a token is refused once it has run out",
    happened: "a use that was let through later",
  },
  use_after_token_end: {
    usual: "a token is refused once it was ended and verifiers could know",
    happened: "a use that was let through later",
  },
  use_after_task_end: {
    usual: "nothing is used in a task that has ended",
    happened: "a use that was let through later",
  },
  use_dated_ahead: {
    usual: "uses are reported after they happened",
    happened: "a use of a time that has not come yet",
  },
  canary_used: {
    usual: "nobody uses a canary: it grants nothing and is left where only a thief looks",
    happened: "somebody tried one",
  },
}
