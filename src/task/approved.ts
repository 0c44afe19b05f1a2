// What becomes of a granted approval at the gate: the one grant that it is for, where policy as of now still says that a
// person may open it, and that person is still one of them. It reads nothing and writes nothing.
import { type Refusal, refuse } from "../errors.ts"
import { type ApprovableGrant, isApprovable } from "../policy/decide.ts"
import type { Policy } from "../policy/policy.ts"
import type { Grant } from "../token/authority.ts"
import { formatResource, matchesResource } from "../token/resource.ts"

/** What a person said yes to, as it rests. */
export interface Approved {
  readonly operation: string
  /** Segments, all of them data. */
  readonly resource: readonly string[]
  /** The digest of the canonical parameters. */
  readonly parameters: string
  /** The name of staff under which it was decided. */
  readonly decidedAs: string
  /** The person, `provider/subject`; with a key the name again. */
  readonly decidedBy: string
  /** Epoch milliseconds. */
  readonly until: number
}

/** The approvable grant of an operation on a resource. */
export const approvableFor = (
  approvable: readonly ApprovableGrant[],
  operation: string,
  resource: readonly string[],
): ApprovableGrant | undefined =>
  approvable.find(
    (grant) =>
      grant.operations.includes(operation) && grant.resources.some((one) => matchesResource(one, resource)),
  )

/** Who may decide on a grant now: staff that it names, enabled, with the role. */
export const mayDecide = (policy: Policy, grant: ApprovableGrant, name: string): boolean => {
  const staff = policy.staff.get(name)
  return grant.approval.by.includes(name) && staff?.enabled === true && staff.roles.includes("approver")
}

/** Whether it is a person of a provider that is disabled: who somebody is, it says no more. */
const isByDisabled = ({ identityProviders }: Policy, person: string): boolean =>
  person.includes("/") && identityProviders.get(person.split("/", 1)[0] ?? "")?.enabled === false

/** That operation, that resource, those parameters, and nothing else. */
export function approvedGrant(
  policy: Policy,
  approvable: readonly ApprovableGrant[],
  approved: Approved,
): Grant | Refusal {
  const { operation, resource, parameters, decidedAs, decidedBy } = approved
  const grant = approvableFor(approvable, operation, resource)
  if (!grant) return refuse("access_denied", "[approval] the task may not do it any more")
  if (!mayDecide(policy, grant, decidedAs) || isByDisabled(policy, decidedBy))
    return refuse("approval_invalid", "[approval] who decided it may not any more")
  const { api, rule, approval } = grant
  const bound = { api, operations: [operation], resources: [resource], rule, parameters }
  return approval.once ? { ...bound, once: true } : bound
}

/** As an orchestrator is told of it: what may be asked for, and who decides. */
export interface Approvable {
  readonly operations: readonly string[]
  readonly resources: readonly string[]
  readonly by: readonly string[]
}

/** The approvable among grants. */
export const approvablesOf = (grants: readonly Grant[]): readonly Approvable[] =>
  grants.filter(isApprovable).map(({ operations, resources, approval }) => ({
    operations,
    resources: resources.map(formatResource),
    by: approval.by,
  }))
