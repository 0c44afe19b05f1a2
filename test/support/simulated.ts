// A machine whose time passes only when a test says so: a clock, timers and chance from a seed. What is asked of real
// servers meanwhile is awaited for real.
import type { Surroundings } from "../../src/client/surroundings.ts"

export interface Simulated extends Surroundings {
  /** Time goes on to each timer that is due, in order; after each, what it set off may run. Answers how many were. */
  pass(milliseconds: number): Promise<number>
  /** How long every sleep so far was to be. */
  readonly slept: readonly number[]
  readonly timers: () => number
}

interface Timer {
  readonly at: number
  readonly work: () => void
}

export function simulate(seed = 1, start = Date.parse("2026-03-01T09:00:00Z")): Simulated {
  let time = start
  const queue: Timer[] = []
  const slept: number[] = []
  const add = (milliseconds: number, work: () => void) => {
    // Whole milliseconds, as the machine's clock tells: it is what ids and entries are made of.
    const timer = { at: time + Math.ceil(milliseconds), work }
    queue.splice(placeFor(queue, timer.at), 0, timer)
    return () => void (queue.includes(timer) && queue.splice(queue.indexOf(timer), 1))
  }
  return {
    clock: { now: () => time, monotonic: () => time },
    random: createRandom(seed),
    later: (work, milliseconds) => add(milliseconds, work),
    sleep(milliseconds, signal) {
      slept.push(milliseconds)
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        add(milliseconds, resolve)
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true })
      })
    },
    async pass(milliseconds) {
      const until = time + milliseconds
      let fired = 0
      for (let next = queue[0]; next && next.at <= until; next = queue[0]) {
        queue.shift()
        time = Math.max(time, next.at)
        next.work()
        fired++
        await settled()
      }
      time = until
      await settled()
      return fired
    },
    slept,
    timers: () => queue.length,
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** After all that is due earlier or at the same time. */
function placeFor(queue: readonly Timer[], at: number): number {
  let [low, high] = [0, queue.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((queue[middle]?.at ?? 0) <= at) low = middle + 1
    else high = middle
  }
  return low
}

/** mulberry32: the same numbers for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
