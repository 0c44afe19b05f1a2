// The ledger's front door: events become steps of the transaction they belong to, so that nothing happens without its
// entry. It decides the order (that of commits) and the time (never backwards); what is recorded, its callers decide.
import type { Engine, Step } from "../database/database.ts"
import type { Names } from "../database/names.ts"
import type { Clock } from "../time.ts"
import { seal, type TaskKey } from "./entry.ts"
import type { Event } from "./event.ts"
import { type EntryFilter, type EntryPage, findIn, outcomeNumber } from "./search.ts"
import { insertBytes, insertEntryOf, newestTime, taskUnerased } from "./statements.ts"

export interface Ledger {
  /**
   * The steps that record one event. They belong after the steps that insert the task and the token it names. `at` must
   * come from at(). `taskKey`: the key of the task's commitments; without one the entry gets its own; of an erased task
   * personal values enter the hash under a key that is thrown away, and rest nowhere. With a key the first step is the guard
   * `taskUnerased`, for the task may be erased before this is written; `held`: other steps of the same transaction see to that.
   * Throws TypeError when the entry can't be written (over 60 KiB, not JSON): then what it tells must not happen either.
   */
  steps(event: Event, taskKey?: TaskKey, held?: boolean): Step[]
  /** Records events that have no other effect, in one transaction of their own. Throws Unavailable. */
  append(events: readonly Event[]): Promise<void>
  /** Epoch milliseconds now, never below an earlier answer or the newest entry committed before this process began. */
  at(): number
  /** Entries that meet the filter, in order. Throws TypeError on a bad cursor or limit, Unavailable. */
  read(filter: EntryFilter): Promise<EntryPage>
}

/** Reads the newest entry's time first, so that the ledger's time goes on where it stopped. Throws Unavailable. */
export async function createLedger(options: {
  readonly engine: Engine
  readonly names: Names
  readonly clock: Clock
  /** Steps that belong to an event, after those that record it: durable with it or not at all. */
  readonly also?: (event: Event) => readonly Step[]
}): Promise<Ledger> {
  const { engine, names, clock, also } = options
  const [newest] = await engine.query(newestTime)
  let floor = newest?.at ?? 0
  const steps = (event: Event, taskKey?: TaskKey, held = false): Step[] => {
    const recording = stepsFor(names, event, taskKey)
    const more = also?.(event) ?? []
    const guarded = taskKey instanceof Uint8Array && !held
    if (guarded) return [unerased(event), ...recording, ...more]
    return more.length === 0 ? recording : [...recording, ...more]
  }
  return {
    steps,
    append: (events) => engine.atomically(events.flatMap((event) => steps(event))),
    at: () => {
      floor = Math.max(floor, clock.now())
      return floor
    },
    read: (filter) => findIn(engine, filter),
  }
}

function stepsFor(names: Names, given: Event, taskKey: TaskKey | undefined): Step[] {
  const sealed = seal(given, taskKey === "erased" ? undefined : taskKey)
  const { bytes, leaf } = sealed
  const { personal, key } = taskKey === "erased" ? { personal: null, key: null } : sealed
  const event = taskKey === "erased" ? withoutValues(given) : given
  const { kind, agent = null, instance = null, orchestrator = null, api = null, operation = null } = event
  const { task = null, sub = null, code = null, resource = null, outcome } = event
  const values = {
    at: event.at,
    kind,
    task,
    jti: event.jti ?? null,
    agent,
    instance,
    orchestrator,
    api,
    operation,
    outcome: outcome ? outcomeNumber(outcome) : null,
    code,
    sub,
    resource,
    reference: task === null ? (event.reference ?? null) : null,
  }
  const insert = insertEntryOf(values)
  const entry = names.step(insert, values)
  const rest = { statement: insertBytes, values: { bytes, leaf, personal, key }, rows: 1 }
  if (entry.statement === insert.byId) return [entry, rest]
  const texts = [kind, agent, instance, orchestrator, api, operation, code].filter((text) => text !== null)
  return [...names.steps(texts), ...(sub === null ? [] : names.subjects.steps([sub])), entry, rest]
}

const unerased = ({ task = "" }: Event): Step => ({ statement: taskUnerased, values: { task }, rows: 1 })

/** What of it rests in columns of its own. */
const withoutValues = ({ sub: _sub, resource: _resource, reference: _reference, ...event }: Event): Event =>
  event
