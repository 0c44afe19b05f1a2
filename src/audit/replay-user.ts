// Whether a person whom a ledger names by a rule only would still be let in, and by which rule: the ledger keeps no claims.
// It answers where rules are as they were, and says that it can't tell where they are not.
import { fittingUser, type User } from "../policy/behalf.ts"
import type { Policy } from "../policy/policy.ts"
import { userRuleIn } from "../policy/vouching.ts"

/**
 * Somebody whom the candidate would treat as the person that `was` let in by this rule; undefined where that can't be told.
 * The first rule that fits decides, so those asked before it count as well.
 */
export function userUnder(candidate: Policy, was: Policy, task: string, rule: string): User | undefined {
  const earlier = was.tasks.get(task)?.onBehalfOf?.users ?? []
  const before = new Set(earlier.slice(0, Math.max(0, earlier.indexOf(rule))))
  for (const name of candidate.tasks.get(task)?.onBehalfOf?.users ?? []) {
    if (!userRuleIn(candidate, name)) continue
    if (!isSameRule(candidate, was, name)) return undefined
    if (name === rule) return fittingUser(candidate, name)
    // It was asked then, and did not fit.
    if (!before.has(name) || !userRuleIn(was, name)) return undefined
  }
  return fittingUser(candidate, rule)
}

function isSameRule(candidate: Policy, was: Policy, name: string): boolean {
  const [one, other] = [candidate, was].map((policy) => {
    const rule = policy.users.get(name)
    const { issuer, audience } = policy.identityProviders.get(rule?.provider ?? "") ?? {}
    return rule && JSON.stringify([rule.provider, rule.claims, issuer, audience])
  })
  return one !== undefined && one === other
}
