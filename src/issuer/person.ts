// How a person signs in at /token: with the ID token that the policy's provider gave them just now, and `client_id` for the
// entry of `staff` they want to be. It decides whether the policy lets that person be it, what they are called and how long
// the sign-in is good for; whether the token is genuine is remote/identity-providers.ts's, and its single use the database's.
import { Refusal, refuse } from "../errors.ts"
import { type Caller, caller as callerOf } from "../policy/callers.ts"
import type { IdentityProvider, OpenIdRule } from "../policy/policy.ts"
import { providerOf } from "../policy/vouching.ts"
import { SKEW_SECONDS, toEpochSeconds } from "../time.ts"
import { isEpoch, isText } from "../token/claims.ts"
import { type ForeignJwt, readForeignJwt } from "../token/foreign-jwt.ts"
import type { VerifiedIdentity } from "../token/identity.ts"
import { Unreadable } from "../token/jwt.ts"
import { isSubject } from "../token/token.ts"
import { FRESH_SECONDS } from "./fresh.ts"
import type { Rooms } from "./rooms.ts"

/** Providers let ID tokens live for hours; when the person was there is what counts. */
const MOST_LIFE_SECONDS = 86_400

export interface Person {
  readonly caller: Caller
  readonly provider: string
  readonly identity: VerifiedIdentity
  /** `people/ana@example.com`, as the tasks that run for them spell it. */
  readonly name: string
  /** Epoch seconds: nothing that they were given lives longer. */
  readonly until: number
}

type Needed = Pick<Rooms, "clock" | "policies" | "identities">

/**
 * Judges an ID token: undefined where no person of its provider may be this caller; `invalid_client` whatever is wrong with
 * it, `sign_in_again` where they were asked who they are too long ago or nobody says when, `temporarily_unavailable` while
 * the provider's keys are not to be had. Does NOT spend it.
 */
export async function judgePerson(
  rooms: Needed,
  text: string,
  clientId: string | undefined,
): Promise<Person | Refusal | undefined> {
  const jwt = readForeignJwt(text)
  if (jwt instanceof Unreadable || clientId === undefined) return undefined
  const policy = rooms.policies.inForce()
  const caller = callerOf(policy, clientId)
  const provider = providerOf(policy, jwt.iss)
  if (!caller || !provider) return undefined
  const { audience, name: from } = provider
  const rules = caller.people.filter((rule) => rule.provider === from)
  if (rules.length === 0 || audience === undefined || isWorkloads(caller, provider, jwt)) return undefined
  const wanted = { audience, rules, withinSeconds: FRESH_SECONDS }
  const signedIn = await judgeIdToken(rooms, provider, text, wanted)
  if (signedIn instanceof Refusal) return signedIn
  const { identity, name, at } = signedIn
  return { caller, provider: from, identity, name, until: at + FRESH_SECONDS }
}

/** Who an ID token is about. */
export interface SignedIn {
  readonly identity: VerifiedIdentity
  /** `people/ana@example.com` */
  readonly name: string
  /** Epoch seconds: when they showed their provider who they are. */
  readonly at: number
}

export interface WantedOfIdToken {
  /** `aud`, and `azp` where there is one. */
  readonly audience: string
  /** Whom it has to be about; none: whoever the provider names. */
  readonly rules: readonly OpenIdRule[]
  /** How long ago they may have shown who they are. */
  readonly withinSeconds: number
}

/** The rest of the judgement, with the refusals of `judgePerson`. Does NOT spend it, nor check a nonce. */
export async function judgeIdToken(
  { clock, identities }: Pick<Needed, "clock" | "identities">,
  provider: IdentityProvider,
  text: string,
  { audience, rules, withinSeconds }: WantedOfIdToken,
): Promise<SignedIn | Refusal> {
  const now = toEpochSeconds(clock.now())
  const asked = { audience, anyOf: rules, now, lists: true, maxLifeSeconds: MOST_LIFE_SECONDS }
  const identity = await identities.verify(provider, text, asked)
  if (identity === "unavailable")
    return refuse("temporarily_unavailable", "[provider] its keys are not to be had")
  if (identity instanceof Unreadable) return invalid(`${identity.tag} ${identity.member ?? ""}`)
  const { azp = audience, auth_time: at } = identity.claims
  if (azp !== audience) return invalid("azp")
  if (!isEpoch(at)) return refuse("sign_in_again", "[auth_time] the provider does not say when")
  if (at > now + SKEW_SECONDS) return invalid("auth_time")
  if (now - at >= withinSeconds) return refuse("sign_in_again", "[auth_time] too long ago")
  const name = nameOfPerson(provider, identity)
  return name === undefined ? invalid("name") : { identity, name, at }
}

const invalid = (tag: string): Refusal => refuse("invalid_client", `[${tag}] ID token`)

/** One provider may know people and workloads; what is not made for people is a workload's to show. */
function isWorkloads({ workloads }: Caller, { name, audience }: IdentityProvider, { payload }: ForeignJwt) {
  const { aud } = payload
  const isForPeople = aud === audience || (Array.isArray(aud) && aud.includes(audience ?? ""))
  return !isForPeople && workloads.some(({ provider }) => provider === name)
}

/** `people/ana@example.com`; undefined where the provider names nobody, or by an address it did not see to be theirs. */
export function nameOfPerson(
  { name: provider, nameClaim }: IdentityProvider,
  { subject, claims }: VerifiedIdentity,
): string | undefined {
  const name = nameClaim === undefined ? subject : claims[nameClaim]
  if (!isText(name, 256) || name.trim() !== name) return undefined
  if (nameClaim === "email" && (claims.email_verified ?? true) !== true) return undefined
  const sub = `${provider}/${name}`
  return isSubject(sub) ? sub : undefined
}
