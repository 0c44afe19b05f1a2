// Which staff a person is by the policy in force: every entry whose rules fit what their provider said of them. It decides
// whom a session makes somebody be; whether the session stands is sessions.ts's.
import { type Caller, caller as callerOf } from "../../policy/callers.ts"
import type { Policy } from "../../policy/policy.ts"
import { claimsFit } from "../../token/identity.ts"
import type { JsonObject } from "../../token/json.ts"

/** What is kept of who somebody is: a provider's word, or, in development, the name of staff that a link was for. */
export type StaffIdentity =
  | {
      /** Its name in the policy, and its `iss`: another issuer under that name is somebody else's word. */
      readonly provider: string
      readonly issuer: string
      readonly claims: JsonObject
    }
  | { readonly link: string }

/** The entries of staff that they are, in the policy's order; disabled ones are none, and none those of a disabled provider. */
export function entriesOf(policy: Policy, identity: StaffIdentity): readonly Caller[] {
  const staff = [...policy.staff.keys()].flatMap((name) => callerOf(policy, name) ?? [])
  if ("link" in identity) return staff.filter(({ name }) => name === identity.link)
  const { provider, issuer, claims } = identity
  if (policy.identityProviders.get(provider)?.issuer !== issuer) return []
  return staff.filter(({ people }) =>
    people.some((rule) => rule.provider === provider && claimsFit(claims, rule.claims, true)),
  )
}

/** The claims that rules for people of this provider ask for; of the others nothing is kept. */
export function claimsAskedFor(policy: Policy, provider: string, claims: JsonObject): JsonObject {
  const rules = [...policy.staff.values()].flatMap(({ openid }) => openid)
  const names = new Set(
    rules.filter((rule) => rule.provider === provider).flatMap((rule) => Object.keys(rule.claims)),
  )
  return Object.fromEntries(Object.entries(claims).filter(([name]) => names.has(name)))
}
