// Who may authenticate at the issuer, and as what: a caller's client id is its name in the policy. It decides which keys
// and which scopes a name has; checking an assertion against those keys is token/assertion.ts's.
import type { JsonWebKeySet } from "../token/signature.ts"
import type { OpenIdRule, Policy, PrivateKeyJwt, StaffRole, WorkloadRule } from "./policy.ts"
import { providerIn } from "./vouching.ts"

export type CallerKind = "orchestrator" | "api" | "staff" | "agent"

/** What a service token may carry: the caller's kind, or for staff its roles. */
export type CallerScope = "orchestrator" | "api" | "agent" | StaffRole

/** One name that may authenticate. Disabled names are not callers; who a disabled provider vouches for is left out. */
export interface Caller {
  readonly kind: CallerKind
  readonly name: string
  /** Key sets of `private_key_jwt`, in the policy's order; empty: it can't authenticate with a key. */
  readonly keySets: readonly JsonWebKeySet[]
  /** The workloads that may be it, in the policy's order. */
  readonly workloads: readonly WorkloadRule[]
  /** The people who may be it, once they have signed in; of staff alone. */
  readonly people: readonly OpenIdRule[]
  readonly scopes: readonly CallerScope[]
  /** RFC 8707 resource of an API; absent for all others. */
  readonly resource?: string
}

interface Named {
  readonly name: string
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  readonly enabled: boolean
}

/**
 * The caller of a client id; undefined where the policy has none, or has it disabled. Names of APIs, agents,
 * orchestrators and staff never coincide: loading refuses that. An agent is one where the policy says how it authenticates.
 */
export function caller(policy: Policy, clientId: string): Caller | undefined {
  const orchestrator = policy.orchestrators.get(clientId)
  if (orchestrator) return toCaller(policy, "orchestrator", orchestrator, ["orchestrator"])
  const api = policy.apis.get(clientId)
  if (api) return toCaller(policy, "api", api, ["api"], api.resource)
  const agent = policy.agents.get(clientId)
  const acting = agent && toCaller(policy, "agent", agent, ["agent"])
  if (acting && canAuthenticate(acting)) return acting
  const staff = policy.staff.get(clientId)
  const known = staff && toCaller(policy, "staff", staff, staff.roles)
  return known && { ...known, people: vouchedFor(policy, staff.openid) }
}

/** Whether there is any way in which it could prove who it is. */
export const canAuthenticate = ({ keySets, workloads, people }: Caller): boolean =>
  keySets.length + workloads.length + people.length > 0

const vouchedFor = <Rule extends { readonly provider: string }>(policy: Policy, rules: readonly Rule[]) =>
  rules.filter(({ provider }) => providerIn(policy, provider))

function toCaller(
  policy: Policy,
  kind: CallerKind,
  named: Named,
  scopes: readonly CallerScope[],
  resource?: string,
): Caller | undefined {
  if (!named.enabled) return undefined
  const keySets = named.authenticate.map((one) => one.jwks)
  const { name } = named
  const workloads = vouchedFor(policy, named.workloads)
  return { kind, name, keySets, workloads, people: [], scopes, ...(resource !== undefined && { resource }) }
}
