// What time it is at the issuer, as its feed tells: whether this host's clock can be believed, and by which instant tokens
// are judged. It decides how far the two may lie apart; an issuer that was never heard is not compared with.
import { Refusal, refuse } from "../errors.ts"
import { type Clock, SKEW_SECONDS, toEpochSeconds } from "../time.ts"

export interface IssuerTime {
  /** The issuer's clock read `now` (epoch milliseconds) at that monotonic instant, or up to a few seconds after it. */
  heard(now: number, at: number): void
  /**
   * By which tokens are judged: a clock that is slow makes none live longer. "Cannot tell" where the clocks lie so far apart
   * that one of them must be wrong. Never waits.
   */
  epochSeconds(): number | Refusal
  /** The same question without the time. */
  judge(): Refusal | undefined
  /** How far the issuer's clock is ahead of ours, to what an answer was on its way; undefined before it was heard. */
  skewSeconds(): number | undefined
  /** In words for an operator, where the clocks differ notably; empty when all is well. */
  complaints(): readonly string[]
}

/** Above what an answer may have been on its way. */
const SAME_MILLISECONDS = SKEW_SECONDS * 1000
const NOTABLE_MILLISECONDS = 30_000
const MOST_MILLISECONDS = 120_000

/** Between two words of the issuer time goes on by the monotonic clock, so a clock that is set is noticed at once. */
export function createIssuerTime(clock: Clock): IssuerTime {
  /** What the issuer's clock is ahead of our monotonic one. */
  let offset: number | undefined
  const behind = (now = clock.now()) => (offset === undefined ? 0 : offset + clock.monotonic() - now)
  const epochSeconds = () => {
    const now = clock.now()
    const slow = behind(now)
    if (Math.abs(slow) > MOST_MILLISECONDS) return refuse("temporarily_unavailable", "clock")
    return toEpochSeconds(now + (slow > SAME_MILLISECONDS ? slow : 0))
  }
  return {
    heard(now, at) {
      offset = now - at
    },
    epochSeconds,
    judge() {
      const told = epochSeconds()
      return told instanceof Refusal ? told : undefined
    },
    skewSeconds: () => (offset === undefined ? undefined : behind() / 1000),
    complaints() {
      const by = behind()
      if (Math.abs(by) <= NOTABLE_MILLISECONDS) return []
      const seconds = Math.round(Math.abs(by) / 1000)
      return [`this host's clock is ${seconds} s ${by > 0 ? "behind" : "ahead of"} the issuer's`]
    },
  }
}
