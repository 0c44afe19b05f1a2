// How things are spelled in a token: names, instances, operations, holders. One place, so that a policy never names what
// a token could not carry. It decides spelling only, never whether a thing exists.

// Patterns for schemas, which document themselves by them; code asks the predicates below.
export const NAME = /^[a-z][a-z0-9-]{0,62}$/
export const INSTANCE = /^[A-Za-z0-9._:-]{1,128}$/
export const OPERATION = /^[a-z][a-z0-9-]{0,62}:[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const DIGEST = /^sha-256:[A-Za-z0-9_-]{43}$/
export const HASH = /^[A-Za-z0-9_-]{43}$/

/** One running copy of an agent: what `act.sub` spells `triage-bot/pod-7f3c`. */
export interface Holder {
  readonly agent: string
  readonly instance: string
}

/** A name in a policy: `[a-z][a-z0-9-]{0,62}`. */
export const isName = (value: unknown): value is string => typeof value === "string" && NAME.test(value)

/** An instance of an agent: `[A-Za-z0-9._:-]{1,128}`. */
const isInstance = (value: unknown): value is string => typeof value === "string" && INSTANCE.test(value)

/** An operation: an API's name, a colon, a word of ASCII letters, digits, `.`, `_` and `-`. Case counts. */
export const isOperation = (value: unknown): value is string =>
  typeof value === "string" && OPERATION.test(value)

/** `sha-256:` and 32 bytes in base64url. */
export const isDigest = (value: unknown): value is string => typeof value === "string" && DIGEST.test(value)

/** 32 bytes in base64url: an RFC 7638 thumbprint, an `ath`. */
export const isHash = (value: unknown): value is string => typeof value === "string" && HASH.test(value)

export const formatHolder = (holder: Holder): string => `${holder.agent}/${holder.instance}`

export const isHolder = ({ agent, instance }: Holder): boolean => isName(agent) && isInstance(instance)

/** Reads `agent/instance`; undefined where it is not one. */
export function parseHolder(value: unknown): Holder | undefined {
  if (typeof value !== "string") return undefined
  const slash = value.indexOf("/")
  const [agent, instance] = [value.slice(0, slash), value.slice(slash + 1)]
  return slash > 0 && isName(agent) && isInstance(instance) ? { agent, instance } : undefined
}

/** Stands where a task's type is named, for canaries: no type of a policy can have this name. */
export const CANARY_TYPE = "@canary"
