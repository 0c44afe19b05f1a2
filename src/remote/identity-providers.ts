// The other issuers whose word is taken for who a workload, a user or a person is: their keys, found, pinned and kept fresh,
// and the verdict on one of their JWTs. It decides whether a JWT is genuine and names whom a rule names; which rules there
// are is the policy's, and single use the database's. What can't be told is "unavailable", never a no.
import type { Clock } from "../time.ts"
import { readForeignJwt } from "../token/foreign-jwt.ts"
import { type ForeignKey, readForeignKeySet, readForeignKeys } from "../token/foreign-key.ts"
import { type IdentityRules, judgeIdentity, type VerifiedIdentity } from "../token/identity.ts"
import { Unreadable } from "../token/jwt.ts"
import { KeyFault } from "../token/signature.ts"
import { discoverKeys } from "./discovery.ts"
import { Unreachable } from "./exchange.ts"
import { type FollowedKeys, followKeys, type KeySet, PoisonedKeySet } from "./key-set.ts"
import { fetchDocument, type Lookup, NotAllowed, type Outward } from "./outward.ts"

/** One issuer as a policy names it. Its keys stand in the policy, at an address that the policy names, or are discovered. */
export interface ProviderSettings {
  readonly name: string
  /** `iss`, compared byte for byte. */
  readonly issuer: string
  /** A key set (RFC 7517): then nobody is asked. */
  readonly jwks?: object
  readonly jwksUri?: string
  /** It is on a private network or on this host. */
  readonly privateAddresses: boolean
}

/** What was discovered of an issuer first; it stays, over restarts and for all replicas. */
export interface Pins {
  /** Keeps the address when there is none yet, and answers the one that stands. */
  keep(issuer: string, jwksUri: string): Promise<string>
  read(issuer: string): Promise<string | undefined>
}

export interface IdentityProvidersOptions {
  readonly clock: Clock
  readonly pins: Pins
  /** Told when an issuer says that its keys have moved: they are not followed. Once for each place. */
  readonly moved: (issuer: string) => void
  /** Told of faults of our own in work that nobody waits for. */
  readonly onFault: (fault: unknown) => void
  readonly plainHttp?: boolean
  readonly lookup?: Lookup
}

export interface IdentityProviders {
  /**
   * A JWT of this provider, judged: genuine and one of those that the rules name; why not; or "unavailable" when its keys
   * are not to be had. Does NOT spend it: `once` tells it from others, and the database decides.
   */
  verify(
    provider: ProviderSettings,
    text: string,
    rules: IdentityRules,
  ): Promise<VerifiedIdentity | Unreadable | "unavailable">
  /**
   * Finds the keys of a provider that a policy names anew: what is wrong with it, in words that name no secret; undefined
   * where all is well, and where it can't be asked now.
   */
  admit(provider: ProviderSettings): Promise<string | undefined>
  /** Whether its keys were asked for, and nobody can be judged by them now. */
  isAway(provider: ProviderSettings): boolean
}

/** Behind this, keys are asked for again while the known ones go on being believed. */
const FRESH_MILLISECONDS = 300_000
const REDISCOVER_MILLISECONDS = 3_600_000
/** Somebody who names another place each time is told of so often. */
const MOST_TOLD = 16
/** Far more issuers than a policy names: what earlier policies named is forgotten. */
const MOST_SOURCES = 256

type Keys = Pick<KeySet<ForeignKey>, "keyOf" | "seek">

export function createIdentityProviders(options: IdentityProvidersOptions): IdentityProviders {
  const fixed = new WeakMap<object, Keys>()
  const remote = new Map<string, FollowedKeys<ForeignKey>>()
  const remoteOf = (provider: ProviderSettings): FollowedKeys<ForeignKey> => {
    const id = sourceOf(provider)
    const known = remote.get(id) ?? followProvider(provider, options)
    remote.delete(id)
    remote.set(id, known)
    for (const oldest of remote.keys()) if (remote.size > MOST_SOURCES) remote.delete(oldest)
    return known
  }
  const keysOf = (provider: ProviderSettings): Keys => {
    const { jwks } = provider
    if (!jwks) {
      const source = remoteOf(provider)
      source.freshen(FRESH_MILLISECONDS)?.catch(unlessAway(options))
      return source
    }
    const keys = fixed.get(jwks) ?? fixedKeys(jwks)
    fixed.set(jwks, keys)
    return keys
  }
  return {
    async verify(provider, text, rules) {
      const jwt = readForeignJwt(text)
      if (jwt instanceof Unreadable) return jwt
      if (jwt.iss !== provider.issuer) return new Unreadable("iss")
      const keys = keysOf(provider)
      const key = keys.keyOf(jwt.kid) ?? (await keys.seek(jwt.kid))
      if (key === "unavailable") return key
      if (key === "unknown") return new Unreadable("kid")
      if (key.alg !== jwt.alg) return new Unreadable("alg")
      if (!key.verifies(jwt.signingInput, jwt.signature)) return new Unreadable("signature")
      return judgeIdentity(jwt, rules)
    },
    async admit(provider) {
      if (provider.jwks) return undefined
      try {
        await remoteOf(provider).refresh()
        return undefined
      } catch (fault) {
        if (fault instanceof NotAllowed || fault instanceof PoisonedKeySet) return fault.message
        if (fault instanceof Unreachable) return undefined
        throw fault
      }
    },
    isAway: (provider) => remote.get(sourceOf(provider))?.usable() === false,
  }
}

/** Providers of two policies with the same keys share them. */
const sourceOf = ({ issuer, jwksUri = "", privateAddresses }: ProviderSettings): string =>
  JSON.stringify([issuer, jwksUri, privateAddresses])

/** Keys that stand in the policy, which found them good. */
function fixedKeys(jwks: object): Keys {
  const set = readForeignKeySet(jwks)
  if (set instanceof KeyFault) throw new TypeError("a key set of the policy in force can't be read")
  return { keyOf: (kid) => set.get(kid), seek: async (kid) => set.get(kid) ?? "unknown" }
}

function followProvider(
  provider: ProviderSettings,
  options: IdentityProvidersOptions,
): FollowedKeys<ForeignKey> {
  const { privateAddresses } = provider
  const { clock, plainHttp = false, lookup } = options
  const outward: Outward = { privateAddresses, plainHttp, ...(lookup && { lookup }) }
  const place = placeOfKeys(provider, outward, options)
  const read = (text: string) => {
    const keys = readForeignKeys(text)
    return keys instanceof KeyFault ? undefined : keys
  }
  const fetchText = async () => {
    const at = await place.find()
    const text = await fetchDocument(at, outward)
    if (!read(text)) return text
    const standing = await place.pin(at)
    return standing === at ? text : fetchDocument(standing, outward)
  }
  return followKeys({ fetchText, read }, { clock })
}

const unlessAway =
  ({ onFault }: IdentityProvidersOptions) =>
  (fault: unknown): void => {
    if (!(fault instanceof Unreachable || fault instanceof PoisonedKeySet)) onFault(fault)
  }

interface PlaceOfKeys {
  /** Where keys are, as is known now. */
  find(): Promise<string>
  /** Keys that can be used were there: it stays. Answers the place that stands, which another replica may have found first. */
  pin(at: string): Promise<string>
}

/**
 * Where a provider's keys are: as the policy says, or as was found out and pinned. The provider is asked again once an
 * hour; when it names another place, that is told and not followed.
 */
function placeOfKeys(
  { issuer, jwksUri }: ProviderSettings,
  outward: Outward,
  { clock, pins, moved }: IdentityProvidersOptions,
): PlaceOfKeys {
  if (jwksUri !== undefined) return { find: async () => jwksUri, pin: async () => jwksUri }
  const told = new Set<string>()
  let pinned: string | undefined
  let askedAt: number | undefined
  const discover = () => {
    askedAt = clock.monotonic()
    return discoverKeys(issuer, outward)
  }
  const lookAgain = async (standing: string) => {
    const found = await discover().catch((fault: unknown) => {
      // Away, it says nothing; what may not be taken is a move as well.
      if (fault instanceof NotAllowed) return fault.message
      if (fault instanceof Unreachable) return standing
      throw fault
    })
    if (found === standing || told.has(found) || told.size >= MOST_TOLD) return
    told.add(found)
    moved(issuer)
  }
  return {
    async find() {
      pinned ??= await pins.read(issuer)
      if (pinned === undefined) return discover()
      if (askedAt === undefined || clock.monotonic() - askedAt >= REDISCOVER_MILLISECONDS)
        await lookAgain(pinned)
      return pinned
    },
    async pin(at) {
      pinned ??= await pins.keep(issuer, at)
      return pinned
    },
  }
}
