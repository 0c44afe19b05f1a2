// What a session needs of the machine it runs on: time, timers and chance, so that tests can be all three.
import { setTimeout as sleepFor } from "node:timers/promises"
import { type Clock, systemClock } from "../time.ts"

export interface Surroundings {
  readonly clock: Clock
  /** In [0, 1). */
  random(): number
  /** Does it later and answers how to call that off. A timer of its own keeps no process alive. */
  later(work: () => void, milliseconds: number): () => void
  /** Somebody waits for this one: the process lives until it is over. Rejects with the signal's reason. */
  sleep(milliseconds: number, signal?: AbortSignal | null): Promise<void>
}

export const surroundingsOf = (clock: Clock = systemClock): Surroundings => ({
  clock,
  random: Math.random,
  later(work, milliseconds) {
    const timer = setTimeout(work, milliseconds)
    timer.unref()
    return () => clearTimeout(timer)
  },
  async sleep(milliseconds, signal) {
    try {
      await sleepFor(milliseconds, undefined, signal ? { signal } : {})
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
})
