// A clock that stands still until a test moves it.
import type { Clock } from "../../src/time.ts"

export interface FakeClock extends Clock {
  /** Time passes: both clocks go on together. */
  advance(milliseconds: number): void
  /** Somebody sets the wall clock: monotonic time knows nothing of it. */
  step(milliseconds: number): void
}

export function createFakeClock(start = Date.parse("2026-03-01T09:00:00.250Z")): FakeClock {
  let wall = start
  let steady = 1000
  return {
    now: () => wall,
    monotonic: () => steady,
    advance: (milliseconds) => {
      wall += milliseconds
      steady += milliseconds
    },
    step: (milliseconds) => {
      wall += milliseconds
    },
  }
}
