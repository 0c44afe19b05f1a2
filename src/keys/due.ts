// When a signing key's next step is due, as plain data: published first, then signing, then only verifying, then gone.
// Nothing here writes.
import type { StandingKey } from "./held.ts"

/** How long anybody may keep the key set: `max-age` of jwks.json, and the rhythm of our own verifiers. */
export const KEY_SET_SECONDS = 300
/** How long a verifier may go without a second look at the key set, whatever it meets: of our own, by its key-set.ts. */
export const COOLDOWN_SECONDS = 30
/** Long enough for every reader: libraries that others use keep key sets for ten minutes at most, and rest 30 seconds. */
export const PUBLISHED_AHEAD_SECONDS = 900
export const ROTATE_EVERY_SECONDS = 30 * 86_400
/** The longest `renewal_grace`, for which a token that ran out is still opened here, and time to spare. */
export const GRACE_SECONDS = 1860

const MILLISECONDS = 1000

export type Change =
  | { readonly what: "publish"; readonly current: StandingKey }
  | { readonly what: "activate"; readonly current: StandingKey; readonly next: StandingKey }
  | { readonly what: "retire"; readonly key: StandingKey }

export interface Moment {
  /** Epoch milliseconds. */
  readonly at: number
  readonly monotonic: number
  readonly everySeconds: number
}

/** What ought to happen by itself, one thing at a time. */
export function dueChange(keys: readonly StandingKey[], moment: Moment): Change | undefined {
  const over = keys.find(
    (key) => key.state === "previous" && ((key.neededUntil ?? 0) + GRACE_SECONDS) * MILLISECONDS <= moment.at,
  )
  if (over) return { what: "retire", key: over }
  const from = nextPublication(keys, moment.everySeconds)
  return nextChange(keys, moment, from !== undefined && from <= moment.at)
}

export function nextPublication(keys: readonly StandingKey[], everySeconds: number): number | undefined {
  const current = keys.find(({ state }) => state === "current")
  if (!current || keys.some(({ state }) => state === "next")) return undefined
  return (current.activatedAt ?? 0) + (everySeconds - PUBLISHED_AHEAD_SECONDS) * MILLISECONDS
}

export function nextChange(
  keys: readonly StandingKey[],
  moment: Moment,
  wanted: boolean,
): Change | undefined {
  const current = keys.find(({ state }) => state === "current")
  const next = keys.find(({ state }) => state === "next")
  if (!current) return undefined
  if (!next) return wanted ? { what: "publish", current } : undefined
  return isKnownEverywhere(next, moment) ? { what: "activate", current, next } : undefined
}

/**
 * Published for long enough, by the ledger's time; and by this process without a break for as long as a reader may go
 * without a look, on a clock that nobody sets: neither a step of the clock nor a night without an issuer counts.
 */
const isKnownEverywhere = ({ createdAt, publishedSince, issuing }: StandingKey, { at, monotonic }: Moment) =>
  issuing !== undefined &&
  at >= createdAt + PUBLISHED_AHEAD_SECONDS * MILLISECONDS &&
  monotonic >= publishedSince + (KEY_SET_SECONDS + COOLDOWN_SECONDS) * MILLISECONDS
