// How an installation stands beyond what is served: rights that nobody uses, names that nobody knows, keys whose turn is over,
// verifiers that refuse nobody. Pure; it changes nothing, and no mint or use asks it.
import type { Policy } from "../../policy/policy.ts"
import { REVIEW_RULES, type Remark, review } from "../../policy/review.ts"
import type { Severity } from "../../policy/review-rule.ts"
import type { LiveRow } from "../living-statements.ts"
import {
  counted,
  HEARD_DAYS,
  placeOf,
  type StandingFacts,
  type StandingSpot,
  times,
} from "./standing-facts.ts"
import { findKeys } from "./standing-keys.ts"
import { findPrivilege } from "./standing-privilege.ts"
import { STANDING_RULES, type StandingRule, type Topic } from "./standing-rules.ts"

export interface StandingFinding extends StandingSpot {
  readonly topic: Topic
  readonly severity: Severity
  readonly fix: string
}

/** In the order of topics' rules; the same facts always find the same. */
export function findStanding(policy: Policy, facts: StandingFacts): readonly StandingFinding[] {
  const spots = [
    ...findVerifiers(policy, facts),
    ...findPolicy(policy, facts),
    ...findKeys(facts),
    ...findPrivilege(policy, facts),
    ...findNames(policy, facts),
    ...findReviewed(policy),
    ...findTasks(facts),
  ]
  return spots.map((spot) => ({ ...STANDING_RULES[spot.rule], ...spot }))
}

function* findVerifiers(policy: Policy, { heard }: StandingFacts): Generator<StandingSpot> {
  for (const { api, allowed, observed, refused, introspected } of heard) {
    const place = placeOf(policy.apis.get(api))
    if (observed > 0)
      yield {
        rule: "api-observes",
        api,
        ...place,
        message: `verifiers of "${api}" only observed ${times(observed)} in ${HEARD_DAYS} days, and let through what they would have refused`,
      }
    if (introspected > 0 && allowed + observed + refused === 0)
      yield {
        rule: "api-unrecorded",
        api,
        ...place,
        message: `"${api}" asked about tokens ${times(introspected)} in ${HEARD_DAYS} days and reported no use`,
      }
  }
}

function* findPolicy(policy: Policy, { policyState, live }: StandingFacts): Generator<StandingSpot> {
  const { refused } = policyState
  const [fault] = refused?.faults ?? []
  if (refused?.reason === "faults")
    yield {
      rule: "policy-refused",
      ...placeOf(fault),
      message: "the files of the policy folder are refused, so what they say is not in force",
    }
  if (refused?.reason === "superseded")
    yield {
      rule: "policy-superseded",
      message: "the policy folder holds a policy that was in force before, and another one is in force now",
    }
  const older = sumOf(live.filter((row) => row.policy !== policy.digest))
  if (older > 0)
    yield {
      rule: "tasks-of-older-policy",
      message: `${counted(older, "live task was", "live tasks were")} started under another policy than the one in force`,
    }
}

const SECTIONS = { agent: "agents", type: "tasks", orchestrator: "orchestrators" } as const

function* findNames(policy: Policy, { live, locks }: StandingFacts): Generator<StandingSpot> {
  for (const [kind, section] of Object.entries(SECTIONS) as ["agent" | "type" | "orchestrator", "agents"][]) {
    const tasks = new Map<string, number>()
    for (const row of live) tasks.set(row[kind], (tasks.get(row[kind]) ?? 0) + row.tasks)
    for (const [name, count] of tasks)
      if (!policy[section].get(name)?.enabled)
        yield {
          rule: "name-gone",
          ...(kind !== "orchestrator" && { [kind]: name }),
          message: `${counted(count, "live task is", "live tasks are")} of the ${WORDS[kind]} "${name}", which the policy in force ${
            policy[section].has(name) ? "disables" : "does not name"
          }`,
        }
  }
  const known = { agent: policy.agents, orchestrator: policy.orchestrators, api: policy.apis }
  for (const { kind, value, revocation } of locks)
    if (!known[kind as keyof typeof known]?.has(value))
      yield {
        rule: "lock-on-nobody",
        ...(kind !== "orchestrator" && { [kind]: value }),
        message: `a lock (${revocation}) stands on the ${kind} "${value}", which the policy in force does not name`,
      }
}

const WORDS = { agent: "agent", type: "task type", orchestrator: "orchestrator" } as const

/** What a reviewer of the files says of names and owners. */
const REVIEWED: Readonly<Record<string, StandingRule>> = {
  "unused-agent": "name-unused",
  "unused-orchestrator": "name-unused",
  "unused-users": "name-unused",
  "owner-unreachable": "owner-unreachable",
}

const RULES = REVIEW_RULES.filter(({ id }) => id in REVIEWED)

/** A policy never changes, and what is said of it neither. */
const reviewed = new WeakMap<Policy, readonly Remark[]>()

function findReviewed(policy: Policy): StandingSpot[] {
  const remarks = reviewed.get(policy) ?? review(policy, undefined, RULES)
  reviewed.set(policy, remarks)
  return remarks.flatMap(({ rule, place, message }) => {
    const known = REVIEWED[rule]
    return known === undefined ? [] : [{ rule: known, place, message }]
  })
}

function* findTasks({ longLived }: StandingFacts): Generator<StandingSpot> {
  if (longLived > 0)
    yield {
      rule: "tasks-long-lived",
      message: `${counted(longLived, "task has", "tasks have")} been live for more than a day`,
    }
}

const sumOf = (rows: readonly LiveRow[]): number => rows.reduce((sum, { tasks }) => sum + tasks, 0)
