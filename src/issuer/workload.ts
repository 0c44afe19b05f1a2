// How a caller proves itself at /token without a secret of its own: with the JWT that its platform gives it, made for this
// issuer alone, and `client_id` for whose it wants to be. It decides whether the policy lets that workload be that caller;
// whether the JWT is genuine is remote/identity-providers.ts's, and its single use the database's.
import { type Refusal, refuse } from "../errors.ts"
import { type Caller, caller as callerOf } from "../policy/callers.ts"
import { providerOf } from "../policy/vouching.ts"
import { toEpochSeconds } from "../time.ts"
import { readForeignJwt } from "../token/foreign-jwt.ts"
import type { VerifiedIdentity } from "../token/identity.ts"
import { Unreadable } from "../token/jwt.ts"
import type { Rooms } from "./rooms.ts"

export interface Workload {
  readonly caller: Caller
  readonly provider: string
  readonly identity: VerifiedIdentity
  /** Whether its platform hands out the same JWT until it ends, so that it may come again. */
  readonly reusable: boolean
}

type Needed = Pick<Rooms, "issuer" | "clock" | "policies" | "identities">

/**
 * Judges a workload assertion: `invalid_client` whatever fails, `temporarily_unavailable` while the provider's keys are not
 * to be had. Life at most one hour, `aud` this issuer alone. Does NOT spend it.
 */
export async function judgeWorkload(
  { issuer, clock, policies, identities }: Needed,
  text: string,
  clientId: string | undefined,
): Promise<Workload | Refusal> {
  const jwt = readForeignJwt(text)
  if (jwt instanceof Unreadable) return refuse("invalid_client", `[${jwt.tag}] assertion`)
  const policy = policies.inForce()
  // The claimed name only chooses whose keys are tried.
  const provider = providerOf(policy, jwt.iss)
  if (!provider) return refuse("invalid_client", "[provider] disabled, or not in the policy in force")
  const caller = clientId === undefined ? undefined : callerOf(policy, clientId)
  const rules = caller?.workloads.filter((rule) => rule.provider === provider.name) ?? []
  const now = toEpochSeconds(clock.now())
  const identity = await identities.verify(provider, text, {
    audience: issuer,
    anyOf: rules,
    now,
    typ: ["at+jwt"],
  })
  if (identity === "unavailable")
    return refuse("temporarily_unavailable", "[provider] its keys are not to be had")
  // Only now: neither the time taken nor an outage of the provider tells which callers there are.
  if (!caller || rules.length === 0)
    return refuse("invalid_client", "[caller] no workload of this provider may be it")
  if (identity instanceof Unreadable)
    return refuse("invalid_client", `[${identity.tag}] ${identity.member ?? ""} workload assertion`)
  return { caller, provider: provider.name, identity, reusable: isReusable(identity) }
}

/** Kubernetes and SPIFFE keep one JWT in a file until it is near its end; the rule says which platform it is. */
const isReusable = ({ rule }: VerifiedIdentity): boolean =>
  /^(system:serviceaccount:|spiffe:\/\/)/.test(rule?.subject ?? "")
