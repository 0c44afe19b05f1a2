// The one gate, passed by every mint: start, renewal, resumption. It decides what the holder may get as of now, by the
// policy in force, never more than the task was started with, and names the guards that must still hold when the mint is
// written. It writes nothing and signs nothing.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { decide } from "../policy/decide.ts"
import type { Policy, TaskType } from "../policy/policy.ts"
import { toEpochSeconds } from "../time.ts"
import { type Authority, apisOf, intersect } from "../token/authority.ts"
import { apiOf, type Parts } from "./parts.ts"
import { noLock } from "./statements.ts"

export interface Holder {
  readonly type: string
  readonly orchestrator: string
  readonly agent: string
  readonly instance: string
  /** The principal: the orchestrator, or the user that the task runs for. */
  readonly sub: string
}

export interface MintRequest {
  readonly now: number
  readonly holder: Holder
  readonly inputs: Readonly<Record<string, unknown>>
  readonly operations?: readonly string[] | undefined
  /** RFC 8707 URLs of the APIs whose tokens are wanted; absent: all that the task grants. */
  readonly resources?: readonly string[] | undefined
  readonly jkt?: string | undefined
  /** What the task was started with: no later mint gets more. Absent at the start. */
  readonly ceiling?: Authority
  /** Of the task, epoch milliseconds. Absent at the start. */
  readonly deadline?: number
}

export interface Passed {
  readonly now: number
  readonly holder: Holder
  readonly jkt: string | undefined
  readonly policy: Policy
  readonly taskType: TaskType
  readonly inputs: ReadonlyMap<string, string>
  readonly authority: Authority
  /** The APIs of which tokens are minted now. */
  readonly wanted: readonly string[]
  readonly deadline: number
  /** Steps that go before the writing ones: what was decided on still holds. */
  readonly guards: readonly Step[]
}

/** Passed, or why not. The order is fixed: clock, policy, ceiling, key, deadline; locks are guards of the write. */
export function passGate(parts: Parts, request: MintRequest): Passed | Refusal {
  const unsteady = parts.steady()
  if (unsteady) return unsteady
  const policy = parts.policies.inForce()
  const { holder } = request
  const decision = decide(policy, {
    type: holder.type,
    orchestrator: holder.orchestrator,
    agent: holder.agent,
    inputs: request.inputs,
    operations: request.operations,
    resources: request.resources,
  })
  if (decision instanceof Refused) return decision
  const authority = request.ceiling ? intersect(request.ceiling, decision.authority) : decision.authority
  const wanted = decision.apis.filter((api) => authority.some((grant) => grant.api === api))
  if (wanted.length === 0) return refuse("access_denied", "[authority] nothing is left that the task may do")
  if (decision.taskType.proofOfPossession === "required" && request.jkt === undefined)
    return refuse("key_required", "[key] the task type requires proof of possession")
  const deadline = request.deadline ?? request.now + decision.taskType.deadlineSeconds * 1000
  if (deadline <= request.now) return refuse("task_ended", "[deadline] the task is past its deadline")
  return {
    now: request.now,
    holder,
    jkt: request.jkt,
    policy,
    taskType: decision.taskType,
    inputs: decision.inputs,
    authority,
    wanted,
    deadline,
    guards: guardsOf(parts, policy, request, authority),
  }
}

function guardsOf(parts: Parts, policy: Policy, request: MintRequest, authority: Authority): Step[] {
  const { now, holder } = request
  const apis = apisOf(authority).map((resource) => apiOf(policy, resource)?.name ?? "")
  const names = {
    now,
    agent: holder.agent,
    instance: `${holder.agent}/${holder.instance}`,
    orchestrator: holder.orchestrator,
    sub: holder.sub,
  }
  return [
    parts.policies.guard(policy),
    ...apis.map((api) => ({ statement: noLock, values: { ...names, api }, rows: 0 })),
  ]
}

/** Seconds a token minted now may live: the policy's lifetime, or what is left of the task. */
export const lifetimeOf = (passed: Passed, iat: number): number =>
  Math.min(passed.taskType.tokenLifetimeSeconds, toEpochSeconds(passed.deadline) - iat)
