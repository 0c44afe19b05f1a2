// How long to wait before asking again, and the loop that does so. It decides nothing about what is asked.

export interface Backoff {
  /** Milliseconds to wait after one more failure: doubling up to the limit, the upper half of it by chance. */
  next(): number
  /** After a success. */
  reset(): void
}

/** Jitter keeps many callers from coming back together after an outage. `random` answers in [0, 1). */
export function createBackoff(
  firstMilliseconds: number,
  limitMilliseconds: number,
  random: () => number = Math.random,
): Backoff {
  let failures = 0
  return {
    next() {
      const whole = Math.min(limitMilliseconds, firstMilliseconds * 2 ** Math.min(failures, 30))
      failures++
      return whole / 2 + (whole / 2) * random()
    },
    reset() {
      failures = 0
    },
  }
}

export interface Loop {
  /** Runs the work now, or at once again when it is running; a failure still waits. */
  wake(): void
  /** No run begins after this; resolves when the current one is over. */
  stop(): Promise<void>
}

/**
 * Runs `work` at once and then every so many milliseconds after it ended; after a rejection, when the backoff says. Never
 * two runs at a time; the timer keeps no process alive. `failed` is told of every rejection.
 */
export function repeat(
  work: () => Promise<void>,
  everyMilliseconds: number,
  backoff: Backoff,
  failed: (fault: unknown) => void,
): Loop {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false
  let stopped = false
  const schedule = (milliseconds: number) => {
    if (stopped) return
    timer = setTimeout(start, milliseconds)
    timer.unref()
  }
  const run = async () => {
    let wait = everyMilliseconds
    try {
      await work()
      backoff.reset()
    } catch (fault) {
      wait = backoff.next()
      again = false
      failed(fault)
    }
    running = undefined
    schedule(again ? 0 : wait)
    again = false
  }
  const start = () => {
    clearTimeout(timer)
    running = run()
  }
  start()
  return {
    wake() {
      if (stopped) return
      if (running) again = true
      else start()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
