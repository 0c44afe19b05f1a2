// How a verifier learns of revocations: from a stream while one is to be had, else by asking again and again. It decides
// when to try which; what is told is revocations.ts's.
import { createBackoff } from "../remote/backoff.ts"
import type { Clock } from "../time.ts"
import { NoStream } from "./feed.ts"
import type { Revocations } from "./revocations.ts"

/** A stream that lasted this long was a good one: the next is asked for at once. */
const GOOD_MILLISECONDS = 5000
const FIRST_MILLISECONDS = 500
const LIMIT_MILLISECONDS = 30_000

export interface ListenerOptions {
  readonly revocations: Pick<Revocations, "poll" | "follow">
  readonly clock: Clock
  /** Ends a stream that is under way, and lets none begin. */
  readonly signal: AbortSignal
  /** Called at each news from a stream. */
  readonly told: () => void
  /** Told why a stream broke; nothing where there is none to be had, which is no fault. */
  readonly failed: (fault?: unknown) => void
}

/**
 * One round of a loop: a stream for as long as it lasts, then one question. Resolves after a question that was
 * answered; throws what it threw. After a broken stream questions go on until the backoff lets the next one be tried.
 */
export function createListener(options: ListenerOptions): () => Promise<void> {
  const { revocations, clock, signal, told, failed } = options
  const backoff = createBackoff(FIRST_MILLISECONDS, LIMIT_MILLISECONDS)
  let nextAt = Number.NEGATIVE_INFINITY

  /** Answers whether the next one may be asked for at once. */
  const follow = async (): Promise<boolean> => {
    const openedAt = clock.monotonic()
    const isGood = () => clock.monotonic() - openedAt >= GOOD_MILLISECONDS
    try {
      await revocations.follow(signal, told)
      return isGood()
    } catch (fault) {
      if (signal.aborted) return false
      failed(fault instanceof NoStream ? undefined : fault)
      if (isGood()) backoff.reset()
      return false
    }
  }
  return async () => {
    while (!signal.aborted && clock.monotonic() >= nextAt) {
      if (await follow()) backoff.reset()
      else nextAt = clock.monotonic() + backoff.next()
    }
    if (!signal.aborted) await revocations.poll()
  }
}
