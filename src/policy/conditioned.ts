// What the conditions of a task type leave of it, as of one request: the task itself, or nothing, and those of its grants
// whose own conditions hold. A condition that can't be told refuses everything. It decides no right besides.
import { Refusal, refuse } from "../errors.ts"
import type { ConditionFacts, Usage } from "./condition.ts"
import type { Condition, Policy, TaskGrant, TaskType, UserRule } from "./policy.ts"

/** What conditions ask beside the request. What is absent makes a condition that names it fail. */
export interface Circumstances {
  /** Epoch milliseconds. */
  readonly now?: number | undefined
  readonly purpose?: string | undefined
  readonly reference?: string | undefined
  readonly instance?: string | undefined
  readonly usage?: Usage | undefined
}

/** Of a request for a task, what conditions ask. */
interface Requested {
  readonly type: string
  readonly orchestrator: string
  readonly agent: string
  readonly user?: { readonly sub: string } | undefined
  readonly circumstances?: Circumstances | undefined
}

export interface Holding {
  readonly grants: readonly TaskGrant[]
  /** Those whose condition does not hold. */
  readonly left: readonly TaskGrant[]
}

/** Whether a condition of the type asks what the agent has done lately. */
export const asksUsage = ({ when, grants }: TaskType): boolean =>
  when?.asksUsage === true || grants.some((grant) => grant.when?.asksUsage === true)

export function conditionFacts(
  policy: Policy,
  request: Requested,
  inputs: ReadonlyMap<string, string>,
  rule: UserRule | undefined,
): ConditionFacts {
  const { now, purpose, reference, instance, usage } = request.circumstances ?? {}
  const { agent, orchestrator } = request
  return {
    task: { type: request.type, purpose, reference },
    inputs,
    agent: { name: agent, instance, owner: policy.agents.get(agent)?.owner ?? "" },
    orchestrator: { name: orchestrator, owner: policy.orchestrators.get(orchestrator)?.owner ?? "" },
    subject: { name: rule && request.user?.sub, rule: rule?.name },
    now,
    usage,
  }
}

/** `facts` is called only where there is a condition. */
export function whatHolds(type: TaskType, facts: () => ConditionFacts): Holding | Refusal {
  if (!type.when && !type.grants.some((grant) => grant.when)) return { grants: type.grants, left: [] }
  const told = facts()
  if (type.when) {
    const task = judge(type.when, told)
    if (task instanceof Refusal) return task
    if (!task) return doesNotHold([type.when])
  }
  const grants: TaskGrant[] = []
  const left: TaskGrant[] = []
  for (const grant of type.grants) {
    const holds = grant.when ? judge(grant.when, told) : true
    if (holds instanceof Refusal) return holds
    if (holds) grants.push(grant)
    else left.push(grant)
  }
  return { grants, left }
}

function judge(when: Condition, facts: ConditionFacts): boolean | Refusal {
  const verdict = when.holds(facts)
  if (typeof verdict === "boolean") return verdict
  return refuse("condition_not_met", `[condition] ${placeOf(when)} can't be told: ${verdict.fault}`)
}

/** Of the conditions that leave nothing of what was asked for. */
export const doesNotHold = (conditions: readonly Condition[], errors: Refusal["errors"] = []): Refusal =>
  refuse("condition_not_met", `[condition] ${conditions.map(placeOf).join(", ")} does not hold`, { errors })

const placeOf = ({ place }: Condition): string => `${place.file}:${place.line}:${place.column}`

export const conditionsOf = (grants: readonly TaskGrant[]): readonly Condition[] =>
  grants.flatMap(({ when }) => when ?? [])
