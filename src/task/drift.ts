// How far a verifier instance's clock is off ours, as a batch shows it. It decides when that is too much, and when it is not
// any more.
import { SKEW_SECONDS } from "../time.ts"

export interface Told {
  /** Milliseconds that its clock is ahead of ours, to the second that it tells time in; undefined: nobody knows. */
  readonly drift: number | undefined
  /** What is stored of it, `since` being what was stored before. */
  valuesAfter(
    since: number | null,
    now: number,
  ): { readonly drift: number | null; readonly drifted_since: number | null }
}

/** Beyond that, the clocks don't agree; below a second less, they do again. */
const MOST_MILLISECONDS = SKEW_SECONDS * 1000
const AGAIN_MILLISECONDS = MOST_MILLISECONDS - 1000

/**
 * `iat`: when the batch was made, and `sentAt`: when it was sent, by the instance's clock in seconds; `now` is ours. A batch
 * may have waited for long, so an old `iat` says nothing; one that is ahead of us does.
 */
export function driftOf(iat: number, sentAt: number | undefined, now: number): Told {
  const made = aheadOf(iat, now)
  const sent = sentAt === undefined ? undefined : aheadOf(sentAt, now)
  const drift = made > MOST_MILLISECONDS ? Math.max(made, sent ?? made) : sent
  return {
    drift,
    valuesAfter(since, at) {
      if (drift === undefined) return { drift: null, drifted_since: since }
      const by = Math.abs(drift)
      const stays = since !== null && by > AGAIN_MILLISECONDS
      return { drift, drifted_since: stays ? since : by > MOST_MILLISECONDS ? at : null }
    },
  }
}

/** Its time lies within that second. */
function aheadOf(seconds: number, now: number): number {
  const [earliest, latest] = [seconds * 1000 - now, seconds * 1000 + 999 - now]
  return earliest > 0 ? earliest : Math.min(latest, 0)
}
