// Writes what was decided, and when somebody else was first finds out why: the step that met another state says which
// guard failed. It decides between "no" (a lock, a limit), "decide again" (the world moved) and giving up.
import { type Step, Unexpected } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Event } from "../ledger/event.ts"
import type { Parts } from "./parts.ts"
import { COUNT_START, COUNT_TASK, noLock } from "./statements.ts"

const ATTEMPTS = 4

/** A guard that means "no" and not "look again". */
const VERDICTS: Readonly<Record<string, () => Refusal>> = {
  [noLock.name]: () => refuse("locked", "[lock] a lock stands against a name or an API of the task"),
  [COUNT_TASK]: () =>
    refuse("limit_reached", "[limit] active_tasks of the task type is reached", { retryAfterSeconds: 30 }),
  [COUNT_START]: () =>
    refuse("limit_reached", "[limit] starts_per_hour of the task type is reached", { retryAfterSeconds: 60 }),
}

export interface Attempt<T> {
  readonly steps: readonly Step[]
  /** What to answer once the steps are durable. */
  readonly answer: () => Promise<T | Refusal> | T | Refusal
}

export interface Settled<T> {
  /** Nothing needs to be written: this is the answer. */
  readonly settled: T
}

/**
 * Runs a decision and writes it. `decide` is called again, a few times, when the state it read has changed meanwhile.
 * Throws Unavailable when nothing can be committed.
 */
export async function commitDecision<T>(
  parts: Parts,
  decide: () => Promise<Attempt<T> | Settled<T> | Refusal>,
): Promise<T | Refusal> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const decided = await decide()
    if (decided instanceof Refused) return decided
    if ("settled" in decided) return decided.settled
    const { steps, answer } = decided
    try {
      await parts.engine.atomically(steps)
    } catch (cause) {
      if (!(cause instanceof Unexpected)) throw cause
      const verdict = VERDICTS[cause.statement]
      if (verdict) return verdict()
      if (cause.statement === parts.policies.guard().statement.name) await parts.policies.catchUp()
      continue
    }
    return answer()
  }
  return refuse("task_conflict", "[conflict] the state kept changing while it was decided", {
    retryAfterSeconds: 1,
  })
}

/** Writes down a refusal before it is answered. The reason goes to the ledger and nowhere else. */
export async function recordRefusal(
  parts: Parts,
  facts: Omit<Event, "at" | "outcome" | "code" | "body">,
  refusal: Refusal,
  taskKey?: Uint8Array,
): Promise<Refusal> {
  const event: Event = {
    ...facts,
    at: parts.ledger.at(),
    outcome: "refused",
    code: refusal.code,
    body: { why: refusal.reason, policy: parts.policies.inForce().digest },
  }
  await parts.engine.atomically(parts.ledger.steps(event, taskKey))
  return refusal
}
