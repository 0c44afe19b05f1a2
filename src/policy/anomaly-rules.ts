// The rules by which work is called unusual, and what holds where a policy says nothing of them. It decides names and defaults;
// what each looks at is the audit room's (anomaly/judge.ts), what a policy may say of them anomaly-schema.ts's.

/** Held against what an agent usually does in tasks of a type: they know nothing until there was enough of that. */
export const LEARNED_RULES = [
  "new_operation",
  "unusual_spread",
  "unusual_uses",
  "unusual_rate",
  "unusual_starts",
  "unusual_refusals",
  "unusual_hour",
] as const
export type LearnedRule = (typeof LEARNED_RULES)[number]

/** Unusual whatever came before: each use of that kind is an alarm, and none of these can be turned off. */
export const ALWAYS_RULES = [
  "use_of_unknown_token",
  "use_of_other_task",
  "use_at_other_api",
  "use_before_issue",
  "use_after_expiry",
  "use_after_token_end",
  "use_after_task_end",
  "use_dated_ahead",
  "canary_used",
] as const
export type AlwaysRule = (typeof ALWAYS_RULES)[number]

export const ANOMALY_RULES = [...LEARNED_RULES, ...ALWAYS_RULES] as const
export type AnomalyName = (typeof ANOMALY_RULES)[number]

/** The least that may be called unusual, of rules that count: what is small harms little, and is often by chance. */
export const AT_LEAST = {
  unusual_spread: 10,
  unusual_uses: 50,
  unusual_rate: 100,
  unusual_starts: 20,
  unusual_refusals: 10,
} as const satisfies Partial<Record<LearnedRule, number>>

/** How much must have been seen first: tasks that ended, and days with work. */
export const LEARN = { tasks: 50, days: 7 } as const
/** How far above the middle is unusual, in robust deviations. */
export const DEVIATIONS = 5
/** Days that are remembered: what is older says nothing of what is usual. */
export const REMEMBERED_DAYS = 28
