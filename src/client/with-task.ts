// A piece of work with a task of its own, which ends when the work does, however it does. It decides how the task is ended
// and how long that is tried; the work's result or first error is never replaced.
import { createBackoff } from "../remote/backoff.ts"
import type { Clock } from "../time.ts"
import { ClientError } from "./error.ts"
import { type Surroundings, surroundingsOf } from "./surroundings.ts"
import type { Task } from "./task.ts"

export interface WithTaskOptions {
  /** Aborted: the task is canceled at once, whatever the work does meanwhile. */
  readonly signal?: AbortSignal
}

const ENDING_MILLISECONDS = 30_000

export async function runTask<T>(
  start: () => Promise<Task>,
  work: (task: Task) => Promise<T>,
  { signal }: WithTaskOptions = {},
  clock: Clock,
  around: Surroundings = surroundingsOf(clock),
): Promise<T> {
  signal?.throwIfAborted()
  const task = await start()
  let done: T
  try {
    done = await unlessAborted(async () => work(task), signal)
  } catch (error) {
    const end = signal?.aborted
      ? () => task.cancel("aborted by its orchestrator")
      : () => task.fail(`the work ended with ${nameOf(error)}`)
    await ended(end, around).catch(() => undefined) // the first error is the one that explains
    throw error
  }
  await ended(() => task.complete(), around)
  return done
}

/** Its message may hold what is nobody's to read; its name does not. */
const nameOf = (error: unknown) => (error instanceof Error ? error.name : "what is no error")

function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener("abort", abort, { once: true })
  const working = signal.aborted ? aborted.promise : Promise.race([work(), aborted.promise])
  return working.finally(() => signal.removeEventListener("abort", abort))
}

/** Ending is asked for until it is answered, for half a minute; a task that has ended by other hands has ended. */
async function ended(end: () => Promise<void>, around: Surroundings): Promise<void> {
  const backoff = createBackoff(500, 8000, () => around.random())
  const giveUpAt = around.clock.now() + ENDING_MILLISECONDS
  for (;;) {
    try {
      return await end()
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      if (error.code === "task_ended") return
      const rest = Math.max(backoff.next(), (error.retryAfterSeconds ?? 0) * 1000)
      if (error.next !== "wait" || around.clock.now() + rest > giveUpAt) throw error
      await around.sleep(rest)
    }
  }
}
