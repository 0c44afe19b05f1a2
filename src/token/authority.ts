// What a holder may do: grants of one API, operations and resources. Containing and narrowing are decided here, on plain
// data, for every mint and every renewal; nothing else in taskmint compares rights.
import { coversResource, meetResources, type Resource } from "./resource.ts"

/** One API, operations of it, resources of it, and the policy rule that says so. Inputs are already bound. */
export interface Grant {
  /** The API's RFC 8707 resource URL: the `aud` of the token that carries this grant. */
  readonly api: string
  readonly operations: readonly string[]
  readonly resources: readonly Resource[]
  readonly rule: string
  /** Of an approved one: the digest of the only parameters that it is for. */
  readonly parameters?: string
  /** Of an approved one: for one use. */
  readonly once?: true
}

/** Granted is what any grant grants; the empty authority grants nothing. */
export type Authority = readonly Grant[]

/** What an authority is narrowed to. An axis that is absent stays as it is; an empty set leaves nothing. */
export interface Narrowing {
  readonly operations?: ReadonlySet<string>
  /** APIs by their resource URL. */
  readonly apis?: ReadonlySet<string>
  /** Operations on resources. */
  readonly grants?: Authority
}

/**
 * Whether `outer` allows everything that `inner` allows: for each operation on each resource, one grant of `outer`
 * does. Sound, not complete: patterns that only together cover another one are not put together. Rules don't count.
 */
export const contains = (outer: Authority, inner: Authority): boolean =>
  inner.every((grant) =>
    grant.operations.every((operation) =>
      grant.resources.every((resource) => outer.some((one) => allows(one, grant, operation, resource))),
    ),
  )

const allows = (grant: Grant, inner: Grant, operation: string, resource: Resource): boolean =>
  grant.api === inner.api &&
  (grant.parameters === undefined || grant.parameters === inner.parameters) &&
  (grant.once === undefined || inner.once === true) &&
  grant.operations.includes(operation) &&
  grant.resources.some((one) => coversResource(one, resource))

/**
 * Keeps what is named, never adds: idempotent, commutative and associative in what is allowed. Grants without an operation
 * or a resource are dropped.
 */
export function narrow<G extends Grant>(authority: readonly G[], to: Narrowing): readonly G[] {
  const { operations, apis, grants } = to
  const within = grants === undefined ? authority : intersect(grants, authority)
  return within
    .filter((grant) => apis === undefined || apis.has(grant.api))
    .map((grant) =>
      operations === undefined
        ? grant
        : { ...grant, operations: grant.operations.filter((one) => operations.has(one)) },
    )
    .filter((grant) => grant.operations.length > 0 && grant.resources.length > 0)
}

/** Every operation granted, once, in the order of the grants. */
export function operationsOf(authority: Authority): readonly string[] {
  const operations: string[] = []
  for (const grant of authority)
    for (const operation of grant.operations) if (!operations.includes(operation)) operations.push(operation)
  return operations
}

/** Every API of which something is granted, by its resource URL, once, in the order of the grants. */
export function apisOf(authority: Authority): readonly string[] {
  const apis: string[] = []
  for (const { api } of authority) if (!apis.includes(api)) apis.push(api)
  return apis
}

/** Exactly what both allow, in the words of `wanted` (its rules): contained in each, grant by grant. */
export function intersect<G extends Grant>(ceiling: Authority, wanted: readonly G[]): readonly G[] {
  const shared: G[] = []
  for (const grant of wanted)
    for (const limit of ceiling.filter((one) => one.api === grant.api)) {
      const operations = grant.operations.filter((one) => limit.operations.includes(one))
      const resources = sharedResources(limit.resources, grant.resources)
      const both = { ...grant, operations, resources, ...boundsOf(limit) }
      const apart =
        limit.parameters !== undefined && (grant.parameters ?? limit.parameters) !== limit.parameters
      const some = operations.length > 0 && resources.length > 0 && !apart
      if (some && !contains(shared, [both])) shared.push(both)
    }
  return shared
}

/** What an approval binds stays bound. */
const boundsOf = ({ parameters, once }: Grant): Pick<Grant, "parameters" | "once"> => ({
  ...(parameters !== undefined && { parameters }),
  ...(once && { once }),
})

/** What is met of each pair, without what another of them covers. */
function sharedResources(limits: readonly Resource[], wanted: readonly Resource[]): readonly Resource[] {
  const met = wanted.flatMap((one) => limits.flatMap((limit) => [meetResources(limit, one) ?? []]))
  const shared: Resource[] = []
  for (const one of met.filter(({ length }) => length > 0).sort(byOpenness))
    if (!shared.some((other) => coversResource(other, one))) shared.push(one)
  return shared
}

/** Patterns before what they may cover; else as they came. */
const byOpenness = (one: Resource, other: Resource): number => openness(other) - openness(one)
const openness = (resource: Resource): number =>
  resource.filter((segment) => segment === "*").length +
  (resource.at(-1) === "**" ? 100 - 2 * resource.length : 0)
