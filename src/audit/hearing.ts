// Whether silence means anything: while this process was not there to listen (it has only just started, it stood still, the
// database was away), others could say nothing. It decides from when on what is not heard counts.
import type { Clock } from "../time.ts"

export interface Hearing {
  /** Whether others have had the time to be heard since this process could last not listen. */
  hears(): boolean
  /** A look was whole. */
  looked(): void
}

/** Looks come every five seconds; without one for longer nobody can say who was heard. */
const DEAF_MILLISECONDS = 20_000
/** Longer than verifiers wait at most before they try again. */
const PATIENCE_MILLISECONDS = 40_000

export function createHearing(clock: Clock): Hearing {
  let lookedAt = Number.NEGATIVE_INFINITY
  let since = Number.POSITIVE_INFINITY
  return {
    hears() {
      const now = clock.monotonic()
      if (now - lookedAt > DEAF_MILLISECONDS) since = now
      return now - since >= PATIENCE_MILLISECONDS
    },
    looked: () => {
      lookedAt = clock.monotonic()
    },
  }
}
