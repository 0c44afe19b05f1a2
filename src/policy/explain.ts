// Why a request is allowed or not, step by step with the place of each rule: for the policy's owner, on the files at hand.
// Unknown and forbidden differ here; on the wire they never do. The verdict is decide.ts's own, never a second one.
import { Refusal } from "../errors.ts"
import type { Authority } from "../token/authority.ts"
import type { Verdict } from "./condition.ts"
import { conditionFacts } from "./conditioned.ts"
import { type Decision, decide, type TaskRequest } from "./decide.ts"
import { operationsGranted } from "./granted.ts"
import { describeRule, readInputs } from "./inputs.ts"
import { suggest } from "./nearest.ts"
import type { Condition, Place, Policy, TaskType } from "./policy.ts"
import { quote } from "./quote.ts"

export interface ExplanationStep {
  /** False: refused, or left out of what is granted. */
  readonly ok: boolean
  readonly text: string
  /** The rule that says so. */
  readonly place?: Place
}

export interface Explanation {
  readonly allowed: boolean
  /** In the order in which they are decided. */
  readonly steps: readonly ExplanationStep[]
  /** What the task would get; absent where it is refused. */
  readonly authority?: Authority
}

interface Named {
  readonly enabled: boolean
  readonly place: Place
}

/** Explains one request. Limits, locks and proof of possession are NOT looked at: they are not in the files. */
export function explain(policy: Policy, request: TaskRequest): Explanation {
  const decision = decide(policy, request)
  const type = policy.tasks.get(request.type)
  const steps = [
    ...explainName("orchestrator", request.orchestrator, policy.orchestrators),
    ...explainName("task type", request.type, policy.tasks),
    ...explainName("agent", request.agent, policy.agents),
    ...(type ? explainType(policy, type, request) : []),
  ]
  if (decision instanceof Refusal) return { allowed: false, steps: [...steps, ...explainRefusal(decision)] }
  return {
    allowed: true,
    steps: [...steps, ...explainWanted(policy, decision)],
    authority: decision.authority,
  }
}

function explainName(what: string, name: string, known: ReadonlyMap<string, Named>): ExplanationStep[] {
  const found = known.get(name)
  if (!found) {
    const hint = suggest(name, known.keys())
    return [
      { ok: false, text: `the ${what} ${quote(name)} is unknown${hint === undefined ? "" : ` (${hint})`}` },
    ]
  }
  if (!found.enabled) return [{ ok: false, text: `the ${what} "${name}" is disabled`, place: found.place }]
  return [{ ok: true, text: `the ${what} "${name}" is known`, place: found.place }]
}

function explainType(policy: Policy, type: TaskType, request: TaskRequest): ExplanationStep[] {
  const { place } = type
  const listed = (what: string, name: string, names: ReadonlySet<string>): ExplanationStep => {
    const ok = names.has(name)
    return { ok, text: `"${type.name}" ${ok ? "lists" : "does not list"} the ${what} "${name}"`, place }
  }
  return [
    listed("orchestrator", request.orchestrator, type.orchestrators),
    listed("agent", request.agent, type.agents),
    ...explainUser(policy, type, request),
    ...explainInputs(type, request),
    ...(type.when ? [explainCondition(policy, type, request, type.when)] : []),
    ...explainGrants(policy, type, request),
  ]
}

function explainUser(policy: Policy, type: TaskType, { user }: TaskRequest): ExplanationStep[] {
  if (user?.rule === undefined) return []
  const ok = type.onBehalfOf?.users.includes(user.rule) ?? false
  const text = `"${type.name}" ${ok ? "runs" : "does not run"} for users of "${user.rule}"`
  const { provider } = policy.users.get(user.rule) ?? {}
  return [
    ...explainName("user rule", user.rule, policy.users),
    ...(provider === undefined
      ? []
      : explainName("identity provider", provider, policy.identityProviders).filter(({ ok }) => !ok)),
    { ok, text, place: type.place },
  ]
}

function explainInputs(type: TaskType, request: TaskRequest): ExplanationStep[] {
  const inputs = readInputs(type, request.inputs)
  if (inputs instanceof Refusal) {
    return inputs.errors.map(({ pointer, expected }) => ({
      ok: false,
      text: `${pointer}: expected ${expected}`,
      place: type.place,
    }))
  }
  return [...type.inputs].map(([name, rule]) => ({
    ok: true,
    text: `the input "${name}" is ${describeRule(rule)}`,
    place: type.place,
  }))
}

/** What a condition of the type says of a request. Of a user whom no rule lets in, and of inputs that do not fit, it is told nothing. */
export function verdictOn(policy: Policy, type: TaskType, request: TaskRequest, when: Condition): Verdict {
  const inputs = readInputs(type, request.inputs)
  const rule = policy.users.get(request.user?.rule ?? "")
  const given = inputs instanceof Refusal ? new Map<string, string>() : inputs
  return when.holds(conditionFacts(policy, request, given, rule))
}

/** For people: the beginning of the condition, and the verdict on it. */
export function describeVerdict({ source }: Condition, verdict: Verdict): string {
  const text = `the condition ${quote(source.trim())}`
  if (typeof verdict !== "boolean") return `${text} can't be told: ${verdict.fault}`
  return `${text} ${verdict ? "holds" : "does not hold"}`
}

function explainCondition(
  policy: Policy,
  type: TaskType,
  request: TaskRequest,
  when: Condition,
): ExplanationStep {
  const verdict = verdictOn(policy, type, request, when)
  return { ok: verdict === true, text: describeVerdict(when, verdict), place: when.place }
}

function explainGrants(policy: Policy, type: TaskType, request: TaskRequest): ExplanationStep[] {
  const limits = [policy.agents.get(request.agent), policy.users.get(request.user?.rule ?? "")]
  return type.grants.flatMap((grant): ExplanationStep[] => {
    const { place } = grant
    const condition = grant.when ? [explainCondition(policy, type, request, grant.when)] : []
    if (condition.some(({ ok }) => !ok)) return condition
    const api = policy.apis.get(grant.api)
    if (!api?.enabled)
      return [{ ok: false, text: `the API "${grant.api}" is disabled`, ...(api && { place: api.place }) }]
    const enabled = operationsGranted(policy, grant)
    const without = (limit: (typeof limits)[number]) =>
      enabled.filter((operation) => limit?.atMost && !limit.atMost.has(operation))
    const kept = enabled.filter((operation) => !limits.some((one) => without(one).includes(operation)))
    const steps: ExplanationStep[] = [
      ...condition,
      ...grant.operations
        .filter((one) => !enabled.includes(one))
        .map((one) => ({ ok: false, text: `the operation ${one} is disabled`, place: api.place })),
    ]
    const first = grant.approval ? ` once one of ${grant.approval.by.join(", ")} agrees` : ""
    if (kept.length > 0)
      steps.push({ ok: true, text: `${grant.api} grants ${kept.join(", ")}${first}`, place })
    for (const limit of limits) {
      const cut = without(limit)
      if (!limit || cut.length === 0) continue
      const text = `at_most of "${limit.name}" leaves out ${cut.join(", ")}`
      steps.push({ ok: false, text, place: limit.place })
    }
    return steps
  })
}

/** What decide() found besides the names: the fields that were asked for in vain. Inputs have their own steps. */
function explainRefusal(refusal: Refusal): ExplanationStep[] {
  if (refusal.code === "inputs_invalid") return []
  if (refusal.errors.length === 0) return [{ ok: false, text: `refused: ${refusal.reason}` }]
  return refusal.errors.map(({ pointer, expected }) => ({
    ok: false,
    text: `${pointer}: expected ${expected}`,
  }))
}

function explainWanted(policy: Policy, decision: Decision): ExplanationStep[] {
  const foreign = new Map(
    [...policy.apis.values()].flatMap((api) => (api.foreign ? [[api.resource, api.place]] : [])),
  )
  return decision.apis.map((resource) => {
    const place = foreign.get(resource)
    if (!place) return { ok: true, text: `a token for ${resource}` }
    return { ok: true, text: `a token for ${resource}, which names its place in a status list`, place }
  })
}
