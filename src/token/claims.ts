// Reading single claims: what every JWT of ours agrees on about numbers, texts and unknown members. It decides shape
// only, never meaning.
import type { JsonObject } from "./json.ts"

/** Year 2242: a time behind it is one in milliseconds, or nonsense. */
const LAST_EPOCH_SECOND = 2 ** 33
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** A NumericDate (RFC 7519 section 2) in whole seconds, not negative, before the year 2242. */
export const isEpoch = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < LAST_EPOCH_SECOND

/** A text of 1 to `max` UTF-16 units without control, bidirectional or other formatting characters. */
export const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= max && !CONTROL.test(value)

/** The first member that is not among those allowed; undefined where all are. */
export function onlyMembers(object: JsonObject, allowed: ReadonlySet<string>): string | undefined {
  for (const name in object) if (!allowed.has(name)) return name
  return undefined
}

/** Splits a `scope` (RFC 6749 section 3.3) of at most 64 tokens; undefined where it is not one. */
export function parseScopeTokens(value: unknown): readonly string[] | undefined {
  if (typeof value !== "string" || value.length > 2048) return undefined
  const tokens = value.split(" ")
  const valid = tokens.length <= 64 && tokens.every((one) => /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(one))
  return valid && new Set(tokens).size === tokens.length ? tokens : undefined
}
