// Who may get what: one request against one policy, by plain data alone. It decides the task type, the inputs and the
// authority of a task; limits, locks, proof of possession and the task's state are the gate's (task/gate.ts).
import { type FieldError, Refusal, refuse } from "../errors.ts"
import { type Authority, apisOf, type Grant, narrow, operationsOf } from "../token/authority.ts"
import { bindTemplate } from "../token/resource.ts"
import { type User, userRuleOf } from "./behalf.ts"
import {
  type Circumstances,
  conditionFacts,
  conditionsOf,
  doesNotHold,
  type Holding,
  whatHolds,
} from "./conditioned.ts"
import { operationsGranted } from "./granted.ts"
import { readInputs } from "./inputs.ts"
import type { ApprovalRule, Policy, TaskGrant, TaskType, UserRule } from "./policy.ts"

export interface TaskRequest {
  readonly type: string
  /** The orchestrator's name: who is authenticated, never what a body says. */
  readonly orchestrator: string
  /** The agent's name, without its instance. */
  readonly agent: string
  /** Whom the task runs for; absent: the orchestrator itself. */
  readonly user?: User | undefined
  readonly inputs: Readonly<Record<string, unknown>>
  /** The subset wanted; absent: everything. A request for more than is granted is refused whole. */
  readonly operations?: readonly string[] | undefined
  /** Resource URLs of the APIs whose tokens are wanted now; absent: all. Narrows no authority. */
  readonly resources?: readonly string[] | undefined
  /** What may stand among the resources and is no API's: the issuer, of the agent's own token. */
  readonly own?: string | undefined
  /** What conditions ask besides. */
  readonly circumstances?: Circumstances | undefined
}

/** What a person must agree to first. */
export interface ApprovableGrant extends Grant {
  readonly approval: ApprovalRule
}

export interface Decision {
  readonly taskType: TaskType
  readonly inputs: ReadonlyMap<string, string>
  /** By which the user was let in. */
  readonly userRule: UserRule | undefined
  /** Bound, within the agent's and the user's `at_most`, narrowed to `operations`. Empty only where something is approvable. */
  readonly authority: Authority
  /** The same, of what is granted after an approval only. */
  readonly approvable: readonly ApprovableGrant[]
  /** RFC 8707 resources of which tokens are wanted now. */
  readonly apis: readonly string[]
}

/**
 * Decides a start, or a renewal with the task's own request, on the policy given. Unknown, disabled and forbidden names
 * answer alike: `access_denied`, with the reason for the ledger only. NOT checked: purpose, instance, limits, locks.
 */
export function decide(policy: Policy, request: TaskRequest): Decision | Refusal {
  const taskType = permittedType(policy, request)
  if (taskType instanceof Refusal) return taskType
  const userRule = userRuleOf(policy, taskType, request.user)
  if (userRule instanceof Refusal) return userRule
  const inputs = readInputs(taskType, request.inputs)
  if (inputs instanceof Refusal) return inputs
  const holding = whatHolds(taskType, () => conditionFacts(policy, request, inputs, userRule))
  if (holding instanceof Refusal) return holding
  const full = within(authorityOf(policy, holding.grants, request.agent, inputs), userRule?.atMost)
  if (full.length === 0) return nothingLeft(holding)
  const kept = narrowed(full, request.operations, holding)
  if (kept instanceof Refusal) return kept
  const wanted = wantedApis(policy, kept, request, holding)
  if (wanted instanceof Refusal) return wanted
  const authority = kept.filter((grant) => !isApprovable(grant))
  const granted = new Set(apisOf(authority))
  const apis = wanted.filter((api) => granted.has(api))
  return { taskType, inputs, userRule, authority, approvable: kept.filter(isApprovable), apis }
}

export const isApprovable = (grant: Grant): grant is ApprovableGrant => "approval" in grant

/** Whether this orchestrator may start this type for this agent. One public answer for every "no". */
function permittedType(policy: Policy, request: TaskRequest): TaskType | Refusal {
  const denied = (reason: string) => refuse("access_denied", reason)
  const orchestrator = policy.orchestrators.get(request.orchestrator)
  if (!orchestrator?.enabled) return denied("the orchestrator is unknown or disabled")
  const type = policy.tasks.get(request.type)
  if (!type?.enabled) return denied("the task type is unknown or disabled")
  if (!type.orchestrators.has(request.orchestrator))
    return denied("the task type does not list the orchestrator")
  const agent = policy.agents.get(request.agent)
  if (!agent?.enabled) return denied("the agent is unknown or disabled")
  if (!type.agents.has(request.agent)) return denied("the task type does not list the agent")
  return type
}

const nothingLeft = ({ left }: Holding): Refusal =>
  left.length > 0
    ? doesNotHold(conditionsOf(left))
    : refuse("access_denied", "at_most, disabled APIs and operations leave nothing of the grants")

/** Everything of these grants that the agent may have, with the inputs bound. */
function authorityOf(
  policy: Policy,
  grants: readonly TaskGrant[],
  agent: string,
  inputs: ReadonlyMap<string, string>,
): Authority {
  const atMost = policy.agents.get(agent)?.atMost
  const full = grants.flatMap((grant) => boundGrant(policy, grant, inputs))
  return within(full, atMost)
}

const within = (full: Authority, atMost: ReadonlySet<string> | undefined): Authority =>
  atMost ? narrow(full, { operations: atMost }) : full

function boundGrant(
  policy: Policy,
  grant: TaskGrant,
  inputs: ReadonlyMap<string, string>,
): readonly (Grant | ApprovableGrant)[] {
  const api = policy.apis.get(grant.api)
  const operations = operationsGranted(policy, grant)
  if (!api || operations.length === 0) return []
  const resources = grant.resources.map((template) => bindTemplate(template, inputs))
  const bound: Grant = { api: api.resource, operations, resources, rule: grant.rule }
  return [grant.approval ? { ...bound, approval: grant.approval } : bound]
}

function narrowed(
  full: Authority,
  operations: readonly string[] | undefined,
  { left }: Holding,
): Authority | Refusal {
  if (operations === undefined) return full
  const granted = new Set(operationsOf(full))
  const errors = operations.flatMap((operation, index): FieldError[] =>
    granted.has(operation)
      ? []
      : [{ pointer: `/operations/${index}`, expected: "an operation that the task grants" }],
  )
  if (operations.length === 0) errors.push({ pointer: "/operations", expected: "at least one operation" })
  const named = new Set(operations)
  const held = left.filter((grant) => grant.operations.some((one) => named.has(one) && !granted.has(one)))
  if (errors.length > 0 && held.length > 0) return doesNotHold(conditionsOf(held), errors)
  if (errors.length > 0)
    return refuse("operation_not_allowed", "operations beyond the grant were asked for", { errors })
  return narrow(full, { operations: new Set(operations) })
}

function wantedApis(
  policy: Policy,
  authority: Authority,
  { resources, own }: Pick<TaskRequest, "resources" | "own">,
  { left }: Holding,
): readonly string[] | Refusal {
  const named = resources?.filter((resource) => resource !== own) ?? []
  if (resources === undefined || (named.length === 0 && resources.length > 0)) return apisOf(authority)
  const granted = new Set(apisOf(authority))
  const errors = resources.flatMap((resource, index): FieldError[] =>
    granted.has(resource) || resource === own
      ? []
      : [{ pointer: `/resources/${index}`, expected: "the resource of an API that the task grants" }],
  )
  const missing = new Set(named.filter((resource) => !granted.has(resource)))
  const held = left.filter(({ api }) => missing.has(policy.apis.get(api)?.resource ?? ""))
  if (errors.length > 0 && held.length > 0) return doesNotHold(conditionsOf(held), errors)
  if (errors.length > 0) return refuse("api_not_allowed", "APIs beyond the grant were asked for", { errors })
  return [...new Set(named)]
}
