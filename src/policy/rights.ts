// What a policy would let somebody do, before any input is known: the rights of one agent in a task of one type, started by
// one orchestrator, for one rule's users or for none. Inputs stay names, which stand for the same value in both of two
// policies. It decides which right covers which; what differs between two policies is diff-access.ts's.
import { coversResource, type Resource, type ResourceTemplate } from "../token/resource.ts"
import { operationsGranted } from "./granted.ts"
import type { ApprovalRule, Place, Policy, TaskType } from "./policy.ts"
import { userRuleIn } from "./vouching.ts"

/** Who asks, as far as policies tell people apart. */
export interface Cell {
  readonly type: string
  readonly orchestrator: string
  readonly agent: string
  /** The rule in users; null: no user. */
  readonly user: string | null
}

/** One operation on one resource of one API. */
export interface Right {
  /** The API's name, for people, and its resource URL, which decides. */
  readonly api: string
  readonly audience: string
  readonly operation: string
  /** Segments as token/resource.ts has them; an input is `{name}`, which is no literal. */
  readonly resource: Resource
  /** Texts that must hold, of the task and of the grant. */
  readonly conditions: readonly string[]
  readonly approval?: ApprovalRule
  readonly place: Place
}

/** What may bear a condition (`when`). */
interface Conditional {
  readonly place: Place
  readonly when?: { readonly source: string } | undefined
}

export const conditionOf = ({ when }: Conditional): readonly string[] =>
  when === undefined ? [] : [when.source]

/** Every right in the cell; empty where the policy lets nobody in there. */
export function rightsOf(policy: Policy, cell: Cell): readonly Right[] {
  const type = policy.tasks.get(cell.type)
  const agent = policy.agents.get(cell.agent)
  if (!type?.enabled || !agent?.enabled || !policy.orchestrators.get(cell.orchestrator)?.enabled) return []
  if (!type.orchestrators.has(cell.orchestrator) || !type.agents.has(cell.agent)) return []
  if (cell.user === null) return type.onBehalfOf?.required ? [] : grantedBy(policy, type, [agent.atMost])
  const rule = userRuleIn(policy, cell.user)
  if (!rule || !type.onBehalfOf?.users.includes(cell.user)) return []
  return grantedBy(policy, type, [agent.atMost, rule.atMost])
}

function grantedBy(
  policy: Policy,
  type: TaskType,
  limits: readonly (ReadonlySet<string> | undefined)[],
): readonly Right[] {
  return type.grants.flatMap((grant) => {
    const api = policy.apis.get(grant.api)
    if (!api) return []
    const { place, approval } = grant
    const conditions = [...conditionOf(type), ...conditionOf(grant)]
    const said = { api: api.name, audience: api.resource, conditions, place, ...(approval && { approval }) }
    return operationsGranted(policy, grant)
      .filter((operation) => limits.every((limit) => !limit || limit.has(operation)))
      .flatMap((operation) =>
        grant.resources.map((template): Right => ({ ...said, operation, resource: symbolsOf(template) })),
      )
  })
}

const symbolsOf = (template: ResourceTemplate): Resource =>
  template.map((segment) =>
    typeof segment === "string" ? segment : "literal" in segment ? segment.literal : `{${segment.input}}`,
  )

/** Whether `outer` is about everything that `inner` is about, whatever else each asks for. */
export const reaches = (outer: Right, inner: Right): boolean =>
  outer.audience === inner.audience &&
  outer.operation === inner.operation &&
  coversResource(outer.resource, inner.resource)

/** Whether `inner` asks for every condition of `outer`, by its text. */
export const asksAsMuch = (outer: Right, inner: Right): boolean =>
  outer.conditions.every((text) => inner.conditions.includes(text))

/** Whether `inner` is approved by nobody else, for no longer and no oftener. */
export function approvedAsStrictly(outer: ApprovalRule, inner: ApprovalRule): boolean {
  const by = new Set(outer.by)
  return (
    inner.by.every((name) => by.has(name)) &&
    inner.validSeconds <= outer.validSeconds &&
    (inner.once || !outer.once)
  )
}
