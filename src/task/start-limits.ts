// How many tasks of a type there may be, and how many starts in an hour: guards of a start's transaction, and what the callers
// who meet them are told. Who may start at all is the gate's.
import type { Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Passed } from "./gate.ts"
import type { Parts } from "./parts.ts"
import { COUNT_START, countStart, countTask, startsByMinute } from "./statements.ts"

const MINUTES = 60

export function limitSteps({ names }: Parts, { now, taskType }: Passed): Step[] {
  const { name: type, limits } = taskType
  const minute = Math.floor(now / 60_000)
  return [
    names.step(countTask, { type, most: limits.activeTasks }),
    names.step(countStart, { type, minute, since: minute - MINUTES, most: limits.startsPerHour }),
  ]
}

/** By the statement that met the limit. */
export const limitVerdicts = (
  parts: Parts,
  passed: Passed,
): Readonly<Record<string, () => Promise<Refusal>>> => ({
  [COUNT_START]: async () =>
    refuse("limit_reached", "[limit] starts_per_hour of the task type is reached", {
      retryAfterSeconds: await secondsUntilFree(parts, passed),
    }),
})

/** Until enough of the counted starts have left the hour for one more; a limit that was lowered waits for several to leave. */
async function secondsUntilFree({ engine }: Parts, { now, taskType }: Passed): Promise<number> {
  const { name: type, limits } = taskType
  const minutes = await engine.query(startsByMinute, { type, since: Math.floor(now / 60_000) - MINUTES })
  let left = minutes.reduce((sum, { count }) => sum + count, 0)
  for (const { minute, count } of minutes) {
    left -= count
    if (left < limits.startsPerHour) return Math.max(1, Math.ceil(((minute + MINUTES) * 60_000 - now) / 1000))
  }
  return 1
}
