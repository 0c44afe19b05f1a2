// Whose word counts: an identity provider that is disabled vouches for nobody, as if the policy did not have it.
import type { IdentityProvider, Policy, UserRule } from "./policy.ts"

/** The provider of this name, where it is enabled. */
export function providerIn({ identityProviders }: Policy, name: string): IdentityProvider | undefined {
  const provider = identityProviders.get(name)
  return provider?.enabled ? provider : undefined
}

/** The provider of this `iss`, where it is enabled; issuers are compared byte for byte. */
export const providerOf = ({ identityProviders }: Policy, iss: unknown): IdentityProvider | undefined =>
  [...identityProviders.values()].find(({ issuer, enabled }) => enabled && issuer === iss)

/** The rule about users of this name, where it can let anybody in. */
export function userRuleIn(policy: Policy, name: string): UserRule | undefined {
  const rule = policy.users.get(name)
  return rule?.enabled && providerIn(policy, rule.provider) ? rule : undefined
}
