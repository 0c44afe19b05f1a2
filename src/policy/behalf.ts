// Whom a task runs for: whether the policy lets a person stand behind a task of this type, and by which of its rules. It
// decides on what an identity provider said at the start, or on what was kept of that, by the rules as of now. Whether the
// provider's token was genuine is the issuer's.
import { type Refusal, refuse } from "../errors.ts"
import { type ClaimRules, claimsFit } from "../token/identity.ts"
import type { JsonObject } from "../token/json.ts"
import type { Policy, TaskType, UserRule } from "./policy.ts"
import { providerIn } from "./vouching.ts"

/** A person, as an identity provider named them. */
export interface User {
  /** `people/ana@example.com`: the `sub` of the task's tokens. */
  readonly sub: string
  /** The provider's name in the policy, and its `iss`. */
  readonly provider: string
  readonly issuer: string
  /** What it said of them at the start; later what the rule of then asked for. */
  readonly claims: JsonObject
  /** The rule that let them in. Absent at the start: the first that fits. */
  readonly rule?: string
}

/** However long the task type's deadline is: nobody stands behind a task for longer than a day's work. */
export const MOST_USER_SECONDS = 8 * 3600

/** What is kept of a user, so that later mints can be decided anew: the words of the rule, and nothing about the person. */
export interface KeptUser {
  readonly rule: string
  readonly provider: string
  readonly issuer: string
  readonly claims: ClaimRules
}

export const keepUser = ({ provider, issuer }: User, { name, claims }: UserRule): KeptUser => ({
  rule: name,
  provider,
  issuer,
  claims,
})

/** Somebody whom a rule lets in, whoever it is: for explanations. One that is unknown lets nobody in. */
export function fittingUser(policy: Policy, name: string): User {
  const { provider = "", claims = {} } = policy.users.get(name) ?? {}
  const { issuer = "" } = policy.identityProviders.get(provider) ?? {}
  return { sub: `${provider}/somebody`, provider, issuer, claims, rule: name }
}

/**
 * The rule by which this type may run for this person now; undefined for a task of the orchestrator's own. One public
 * answer for every "no", but for a token that has to be there and is not.
 */
export function userRuleOf(
  policy: Policy,
  { onBehalfOf }: TaskType,
  user: User | undefined,
): UserRule | undefined | Refusal {
  if (!user) return onBehalfOf?.required ? refuseWithout() : undefined
  if (!onBehalfOf) return refuse("access_denied", "[user] the task type runs for no user")
  const { issuer } = providerIn(policy, user.provider) ?? {}
  if (issuer !== user.issuer)
    return refuse("access_denied", "[user] the identity provider is disabled or left the policy")
  const fitting = onBehalfOf.users.find((name) => fits(policy.users.get(name), user))
  const rule = fitting === undefined ? undefined : policy.users.get(fitting)
  return rule ?? refuse("access_denied", "[user] no rule of the task type lets the user in")
}

function fits(rule: UserRule | undefined, user: User): boolean {
  if (!rule?.enabled || rule.provider !== user.provider) return false
  if (user.rule !== undefined && user.rule !== rule.name) return false
  return claimsFit(user.claims, rule.claims, true)
}

const refuseWithout = (): Refusal =>
  refuse("invalid_request", "[user] the task type runs for a user only", {
    errors: [{ pointer: "/subject_token", expected: "the token of a user: the task type runs for one" }],
  })
