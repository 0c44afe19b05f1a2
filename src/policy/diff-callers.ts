// Who may call as what: keys, workloads and people by which callers and staff prove who they are, what staff may do, whose
// word is taken for it, and what APIs say about themselves. What callers may then do is diff-access.ts's.
import { canonicalJson } from "../token/canonical.ts"
import type { IdentityRule } from "../token/identity.ts"
import { asksFor } from "./diff-users.ts"
import { type Direction, type Finding, type Subject, sides } from "./finding.ts"
import type {
  Api,
  IdentityProvider,
  OpenIdRule,
  Place,
  Policy,
  PrivateKeyJwt,
  Staff,
  WorkloadRule,
} from "./policy.ts"
import { providerIn } from "./vouching.ts"

interface Named {
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  /** Of staff; an API's is about its tokens. */
  readonly openid?: readonly OpenIdRule[] | boolean
  readonly enabled: boolean
  readonly place: Place
}

export function diffCallers(old: Policy, now: Policy): Finding[] {
  return [
    ...both(callersOf(old), callersOf(now)).flatMap(([name, was, is]) =>
      diffWays(name, [old, was], [now, is]),
    ),
    ...both(old.staff, now.staff).flatMap(([name, was, is]) => diffRoles(name, was, is)),
    ...both(old.identityProviders, now.identityProviders).flatMap(([name, was, is]) =>
      diffProvider(name, was, is),
    ),
    ...both(old.apis, now.apis).flatMap(([name, was, is]) => diffApi(name, was, is)),
  ]
}

function both<T>(
  old: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
): [string, T | undefined, T | undefined][] {
  return [...new Set([...old.keys(), ...now.keys()])].map((name) => [name, old.get(name), now.get(name)])
}

/** Every name that may authenticate is in one of these sections only. */
const callersOf = ({ apis, agents, orchestrators, staff }: Policy): ReadonlyMap<string, Named> =>
  new Map<string, Named>([...apis, ...agents, ...orchestrators, ...staff])

interface Side {
  readonly was: { readonly place: Place } | undefined
  readonly is: { readonly place: Place } | undefined
}

const found = (
  name: string,
  { was, is }: Side,
  subject: Subject,
  direction: Direction,
  words: string,
): Finding => ({
  direction,
  subject,
  text: `${name} ${words}`,
  concerns: { name },
  ...sides(was?.place, is?.place),
})

type In = readonly [Policy, Named | undefined]

function diffWays(name: string, [old, was]: In, [now, is]: In): Finding[] {
  const [before, after] = [waysOf(old, was), waysOf(now, is)]
  const say = (direction: Direction, words: string) =>
    found(name, { was, is }, "authentication", direction, words)
  return [
    ...after
      .filter((way) => !before.some((one) => admits(one, way)))
      .map((way) => say("widening", `may now authenticate ${way.words}`)),
    ...before
      .filter((way) => !after.some((one) => admits(one, way)))
      .map((way) => say("narrowing", `may no longer authenticate ${way.words}`)),
  ]
}

/** One way to be a caller: a key, or a rule about workloads or people. */
interface Way {
  readonly words: string
  readonly key?: string
  readonly kind?: "workload" | "person"
  readonly provider?: string
  readonly rule?: IdentityRule
}

function waysOf(policy: Policy, named: Named | undefined): Way[] {
  if (!named?.enabled) return []
  const keys = named.authenticate.flatMap(({ jwks }) =>
    jwks.keys.map((jwk): Way => ({ key: canonicalJson({ ...jwk }), words: `with the key ${jwk.kid}` })),
  )
  const rules = (kind: "workload" | "person", some: readonly (WorkloadRule | OpenIdRule)[]) =>
    some
      .filter(({ provider }) => providerIn(policy, provider))
      .map(({ provider, ...rule }): Way => {
        const words = `as a ${kind} of ${provider} with ${JSON.stringify(rule)}`
        return { kind, provider, rule, words }
      })
  return [
    ...keys,
    ...rules("workload", named.workloads),
    ...rules("person", typeof named.openid === "object" ? named.openid : []),
  ]
}

/** Whether everybody who comes by the `inner` way could come by the `outer` one. */
function admits(outer: Way, inner: Way): boolean {
  if (outer.key !== undefined || inner.key !== undefined) return outer.key === inner.key
  const { rule: wide, provider, kind } = outer
  const { rule: narrow } = inner
  if (!wide || !narrow || provider !== inner.provider || kind !== inner.kind) return false
  return (
    (wide.subject === undefined || wide.subject === narrow.subject) &&
    asksFor(narrow.claims ?? {}, wide.claims ?? {})
  )
}

function diffRoles(name: string, was: Staff | undefined, is: Staff | undefined): Finding[] {
  const [before, after] = [rolesOf(was), rolesOf(is)]
  const more = after.filter((role) => !before.includes(role))
  const less = before.filter((role) => !after.includes(role))
  const side = { was, is }
  return [
    ...more.map((role) => found(name, side, "roles", "widening", `has the role ${role} now`)),
    ...less.map((role) => found(name, side, "roles", "narrowing", `has the role ${role} no more`)),
  ]
}

const rolesOf = (staff: Staff | undefined) => (staff?.enabled ? staff.roles : [])

function diffProvider(
  name: string,
  was: IdentityProvider | undefined,
  is: IdentityProvider | undefined,
): Finding[] {
  if (!was || !is || same(was, is) || !(was.enabled || is.enabled)) return []
  const say = (direction: Direction, words: string) => [
    found(`the identity provider ${name}`, { was, is }, "authentication", direction, words),
  ]
  if (was.enabled && !is.enabled) return say("narrowing", "vouches for nobody now")
  if (!was.enabled) return say("widening", "vouches for people and workloads now")
  return say("unknown", "says by other words or keys who somebody is: whom it names can't be told")
}

const same = (
  { place: _here, ...one }: IdentityProvider,
  { place: _there, ...other }: IdentityProvider,
): boolean => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))

const sorted = (members: object) => Object.entries(members).sort(([one], [other]) => (one < other ? -1 : 1))

const RISKS = ["high", "moderate", "low"]

/** A riskier operation needs fresher news of revocations at its verifier: less risk is wider. */
function diffApi(name: string, was: Api | undefined, is: Api | undefined): Finding[] {
  if (!was || !is) return []
  const side = { was, is }
  const risks = [...is.operations].flatMap(([operation, { risk }]) => {
    const before = was.operations.get(operation)?.risk
    if (before === undefined || before === risk) return []
    const direction = RISKS.indexOf(risk) > RISKS.indexOf(before) ? "widening" : "narrowing"
    return [
      found(name, side, "api", direction, `says that ${operation} is of ${risk} risk; before: ${before}`),
    ]
  })
  const verified = was.foreign === is.foreign && was.openid === is.openid
  const words = "has tokens of another form: what its verifier makes of them can't be told"
  return [...risks, ...(verified ? [] : [found(name, side, "api", "unknown", words)])]
}
