// Whom a task is to run for: the ID or access token of an identity provider that comes with a start. It decides whether
// the token is a person's, fresh and made for this issuer; whether policy lets the task run for them is policy/behalf.ts's,
// and the single use the database's. Nothing of the token is kept but the digest of what makes it that one.
import { type Refusal, refuse } from "../errors.ts"
import type { IdentityProvider, Policy } from "../policy/policy.ts"
import type { StartingUser } from "../task/start.ts"
import { toEpochSeconds } from "../time.ts"
import { readForeignJwt } from "../token/foreign-jwt.ts"
import { Unreadable } from "../token/jwt.ts"
import { nameOfPerson } from "./person.ts"
import { spendIdentity } from "./replay.ts"
import type { Rooms } from "./rooms.ts"

/** However long it lives: a person was there that long ago at most. */
const FRESH_SECONDS = 3600
/** Providers let ID tokens live for hours; none is taken that never ends. */
const MOST_LIFE_SECONDS = 86_400

type Needed = Pick<Rooms, "clock" | "policies" | "identities">

/**
 * `user_token_invalid` whatever is wrong with it, `access_denied` where the task type runs for no user,
 * `temporarily_unavailable` while the provider's keys are not to be had. Does NOT spend it.
 */
export async function judgeUser(
  { clock, policies, identities }: Needed,
  type: string,
  text: string,
): Promise<StartingUser | Refusal> {
  const providers = providersFor(policies.inForce(), type)
  if (providers.length === 0) return refuse("access_denied", "[user] the task type runs for no user")
  const jwt = readForeignJwt(text)
  if (jwt instanceof Unreadable) return invalid(jwt.tag)
  const provider = providers.find(({ issuer }) => issuer === jwt.iss)
  const { audience } = provider ?? {}
  if (!provider || audience === undefined) return invalid("iss")
  if (!provider.enabled) return invalid("provider_disabled")
  const now = toEpochSeconds(clock.now())
  const rules = { audience, anyOf: [], now, skewSeconds: 0, maxLifeSeconds: MOST_LIFE_SECONDS }
  const identity = await identities.verify(provider, text, { ...rules, typ: ["at+jwt"] })
  if (identity === "unavailable")
    return refuse("temporarily_unavailable", "[provider] its keys are not to be had")
  if (identity instanceof Unreadable) return invalid(`${identity.tag}${identity.member ?? ""}`)
  const { iat } = identity.claims
  if (typeof iat !== "number" || now - iat > FRESH_SECONDS) return invalid("stale")
  const sub = nameOfPerson(provider, identity)
  if (sub === undefined) return invalid("name")
  const { issuer, claims, once, exp } = identity
  return { sub, provider: provider.name, issuer, claims, once: spendIdentity(issuer, once, exp) }
}

const invalid = (tag: string): Refusal => refuse("user_token_invalid", `[${tag}] the user's token`)

/** Those whose people a task of this type may run for. */
function providersFor(policy: Policy, type: string): readonly IdentityProvider[] {
  const users = policy.tasks.get(type)?.onBehalfOf?.users ?? []
  const names = new Set(users.flatMap((name) => policy.users.get(name)?.provider ?? []))
  return [...names].flatMap((name) => policy.identityProviders.get(name) ?? [])
}
