// Writes what was decided, and when somebody else was first finds out why: the step that met another state says which
// guard failed. It decides between "no" (a lock, a limit), "decide again" (the world moved) and giving up.
import { type Step, Unexpected } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { KEY_GUARDS } from "../keys/steps.ts"
import type { TaskKey } from "../ledger/entry.ts"
import type { Event } from "../ledger/event.ts"
import { placeBelow } from "./delegation-statements.ts"
import type { Parts } from "./parts.ts"
import { COUNT_TASK, INSERT_TOKEN, noLock } from "./statements.ts"
import { takePlace } from "./status-statements.ts"

const ATTEMPTS = 4

/** A guard that means "no" and not "look again". */
const VERDICTS: Readonly<Record<string, () => Refusal>> = {
  [noLock.name]: () => refuse("locked", "[lock] a lock stands against a name or an API of the task"),
  [COUNT_TASK]: () =>
    refuse("limit_reached", "[limit] active_tasks of the task type is reached", { retryAfterSeconds: 30 }),
  [placeBelow.name]: () =>
    refuse("limit_reached", "[limit] max_children of the task type is reached", { retryAfterSeconds: 30 }),
}

export interface Attempt<T> {
  readonly steps: readonly Step[]
  /** Statements of its own that mean "no" when they meet another state. */
  readonly verdicts?: Readonly<Record<string, () => Refusal | Promise<Refusal>>>
  /** What to answer once the steps are durable. */
  readonly answer: () => Promise<T | Refusal> | T | Refusal
}

export interface Settled<T> {
  /** Nothing needs to be written: this is the answer. */
  readonly settled: T
}

/** What may happen once, such as the use of a proof: it is written with the decision, allowed or refused. */
export interface Once {
  readonly steps: readonly Step[]
  /** The answer where it happened before. */
  readonly before: () => Refusal
}

const spentBefore = (once: Once | undefined, cause: Unexpected): boolean =>
  once?.steps.some(({ statement }) => statement.name === cause.statement) ?? false

/**
 * Runs a decision and writes it. `decide` is called again, a few times, when the state it read has changed meanwhile.
 * Throws Unavailable when nothing can be committed.
 */
export async function commitDecision<T>(
  parts: Parts,
  decide: () => Promise<Attempt<T> | Settled<T> | Refusal>,
  once?: Once,
): Promise<T | Refusal> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const decided = await decide()
    if (decided instanceof Refused) return decided
    if ("settled" in decided) return decided.settled
    const { steps, answer, verdicts = {} } = decided
    try {
      await parts.engine.atomically(once ? [...once.steps, ...steps] : steps)
    } catch (cause) {
      if (!(cause instanceof Unexpected)) throw cause
      if (once && spentBefore(once, cause)) return once.before()
      const verdict = VERDICTS[cause.statement] ?? verdicts[cause.statement]
      if (verdict) return await verdict()
      if (cause.statement === parts.policies.guard().statement.name) await parts.policies.catchUp()
      // Another key signs by now: decided again, with that one.
      if (cause.statement === INSERT_TOKEN || KEY_GUARDS.has(cause.statement)) await parts.keyring.refresh()
      if (cause.statement === takePlace.name) await parts.statusPlaces.look()
      continue
    }
    return answer()
  }
  return refuse("task_conflict", "[conflict] the state kept changing while it was decided", {
    retryAfterSeconds: 1,
  })
}

/** Who is told of in the entry of a refusal, and the key of its commitments where there is a task. */
export interface Refusing {
  readonly facts: Omit<Event, "at" | "outcome" | "code" | "body">
  readonly taskKey?: TaskKey | undefined
}

const DECISIONS = 2

/**
 * As commitDecision; a refusal is written down before it is answered, its reason in the ledger and nowhere else. A refusal
 * too is by the policy in force when it is written: by another one it is decided again, once, then 503. `refusing` answers
 * undefined where a refusal concerns nothing of the caller's.
 */
export async function settleDecision<T>(
  parts: Parts,
  decide: () => Promise<Attempt<T> | Settled<T> | Refusal>,
  refusing: () => Refusing | undefined,
  once?: Once,
): Promise<T | Refusal> {
  for (let attempt = 0; attempt < DECISIONS; attempt++) {
    const decidedBy = parts.policies.guard()
    const outcome = await commitDecision(parts, decide, once)
    if (!(outcome instanceof Refused)) return outcome
    const told = refusing()
    if (!told) return outcome
    try {
      await recordRefusal(parts, told, outcome, [...(once?.steps ?? []), decidedBy])
      return outcome
    } catch (cause) {
      if (!(cause instanceof Unexpected)) throw cause
      if (once && spentBefore(once, cause)) return once.before()
      await parts.policies.catchUp()
    }
  }
  const unsettled = refuse("temporarily_unavailable", "[policy] it was replaced again and again", {
    retryAfterSeconds: 1,
  })
  const told = refusing()
  if (told) await recordRefusal(parts, told, unsettled)
  return unsettled
}

async function recordRefusal(
  parts: Parts,
  { facts, taskKey }: Refusing,
  refusal: Refusal,
  guards: readonly Step[] = [],
): Promise<void> {
  const event: Event = {
    ...facts,
    at: parts.ledger.at(),
    outcome: "refused",
    code: refusal.code,
    body: { why: refusal.reason, policy: parts.policies.inForce().digest },
  }
  await parts.engine.atomically([...guards, ...parts.ledger.steps(event, taskKey)])
}
