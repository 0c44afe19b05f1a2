// What a holder may do: grants of one API, operations and resources. Containing and narrowing are decided here, on plain
// data, for every mint and every renewal; nothing else in taskmint compares rights.
import { coversResource, type Resource } from "./resource.ts"

/** One API, operations of it, resources of it, and the policy rule that says so. Inputs are already bound. */
export interface Grant {
  /** The API's RFC 8707 resource URL: the `aud` of the token that carries this grant. */
  readonly api: string
  readonly operations: readonly string[]
  readonly resources: readonly Resource[]
  readonly rule: string
}

/** Granted is what any grant grants; the empty authority grants nothing. */
export type Authority = readonly Grant[]

/** What an authority is narrowed to. An axis that is absent stays as it is; an empty set leaves nothing. */
export interface Narrowing {
  readonly operations?: ReadonlySet<string>
  /** APIs by their resource URL. */
  readonly apis?: ReadonlySet<string>
}

/**
 * Whether `outer` allows everything that `inner` allows: for each operation on each resource, one grant of `outer`
 * does. Sound, not complete: patterns that only together cover another one are not put together. Rules don't count.
 */
export const contains = (outer: Authority, inner: Authority): boolean =>
  inner.every((grant) =>
    grant.operations.every((operation) =>
      grant.resources.every((resource) => outer.some((one) => allows(one, grant.api, operation, resource))),
    ),
  )

const allows = (grant: Grant, api: string, operation: string, resource: Resource): boolean =>
  grant.api === api &&
  grant.operations.includes(operation) &&
  grant.resources.some((one) => coversResource(one, resource))

/** Keeps what is named, never adds: idempotent, commutative. Grants without an operation or a resource are dropped. */
export function narrow(authority: Authority, to: Narrowing): Authority {
  const { operations, apis } = to
  return authority
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

/**
 * What both allow, in the words of `wanted` (its rules): contained in each, grant by grant. Sound, not complete: two
 * patterns that overlap without one covering the other share nothing here.
 */
export function intersect(ceiling: Authority, wanted: Authority): Authority {
  const shared: Grant[] = []
  for (const grant of wanted)
    for (const limit of ceiling.filter((one) => one.api === grant.api)) {
      const operations = grant.operations.filter((one) => limit.operations.includes(one))
      const resources = sharedResources(limit.resources, grant.resources)
      const both = { ...grant, operations, resources }
      if (operations.length > 0 && resources.length > 0 && !contains(shared, [both])) shared.push(both)
    }
  return shared
}

function sharedResources(limits: readonly Resource[], wanted: readonly Resource[]): readonly Resource[] {
  const within = wanted.filter((one) => limits.some((limit) => coversResource(limit, one)))
  const narrower = limits.filter(
    (limit) =>
      !within.includes(limit) && wanted.some((one) => !within.includes(one) && coversResource(one, limit)),
  )
  return [...within, ...narrower]
}
