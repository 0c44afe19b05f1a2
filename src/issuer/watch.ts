// What the issuer does about silence (audit/silence.ts) and about what is unusual (audit/anomaly/anomaly.ts): each alarm is raised once,
// whichever issuers see it, and says so when it is over; tasks are stopped where policy wants that. It decides the words of
// the entries.
import { type Alarm, type AlarmCounts, type Begun, countAlarms } from "../audit/alarm.ts"
import { createAnomalies, type Unusual } from "../audit/anomaly/anomaly.ts"
import { worstDrift } from "../audit/completeness-statements.ts"
import { createSilence, type Over } from "../audit/silence.ts"
import { deleteAlarm, insertAlarm } from "../audit/statements.ts"
import { type Engine, type Step, Unexpected } from "../database/database.ts"
import type { Event, Kind } from "../ledger/event.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { stopTask } from "../task/finish.ts"
import { assembleParts, type Parts, type TaskOptions } from "../task/parts.ts"
import { toInstant } from "../time.ts"

export interface Watch {
  /** One look; every five seconds is meant. Throws Unavailable; what was not written is tried again. */
  look(): Promise<void>
  /** How many alarms of each kind stand, as of the last look. */
  standing(): AlarmCounts
  /** Milliseconds by which the clock of a verifier instance that reports differs most from ours, as of the last look. */
  drift(): number
}

export function createWatch(options: TaskOptions): Watch {
  const parts = assembleParts(options)
  const silence = createSilence(options)
  const anomalies = createAnomalies(options)
  let standing: AlarmCounts = new Map()
  let drift = 0
  return {
    async look() {
      const { begun, over } = await silence.look()
      for (const one of over) await clear(options, one)
      for (const one of begun) {
        await raise(options, one)
        silence.settle(one)
      }
      const unusual = await anomalies.look()
      for (const one of unusual.over) await clear(options, { ...one, returned: true })
      for (const one of unusual.begun) {
        await stop(parts, one)
        await raise(options, one, !one.told)
        anomalies.settle(one)
      }
      standing = await countAlarms(options.engine)
      const [worst] = await options.engine.query(worstDrift)
      drift = worst?.drift ?? 0
      await silence.save()
    },
    standing: () => standing,
    drift: () => drift,
  }
}

/** Before it is told: what goes on must not wait for that. */
async function stop(parts: Parts, { kind, facts, stop: tasks }: Unusual): Promise<void> {
  const { action, usual, happened } = facts
  if (action === undefined) return
  const why = { code: kind, reason: `${kind}: ${happened}, where usual is: ${usual}` }
  for (const task of tasks) await stopTask(parts, task, action, why)
}

async function raise(options: Recording, begun: Begun, withEntry = true): Promise<void> {
  const at = options.ledger.at()
  const { kind, value, facts, since } = begun
  const row = { kind, value, facts: JSON.stringify(facts), since, at }
  await unlessMoved(options.engine, [
    ...begun.guards,
    { statement: insertAlarm, values: row, rows: 1 },
    ...(withEntry ? entryOf(options, begun, { at, change: "raised" }) : []),
  ])
}

async function clear(options: Recording, over: Over): Promise<void> {
  const at = options.ledger.at()
  await unlessMoved(options.engine, [
    { statement: deleteAlarm, values: { id: over.id }, rows: 1 },
    ...entryOf(options, over, { at, change: "cleared", returned: over.returned }, returnOf(over)),
  ])
}

/** Another issuer was first, or it is not so any more: either way nothing is left to say. */
async function unlessMoved(engine: Engine, steps: readonly Step[]): Promise<void> {
  try {
    await engine.atomically(steps)
  } catch (cause) {
    if (!(cause instanceof Unexpected)) throw cause
  }
}

interface Recording {
  readonly engine: Engine
  readonly ledger: Ledger
}

interface Said {
  readonly at: number
  readonly change: "raised" | "cleared"
  readonly returned?: boolean
}

/** What is told of a verifier that is heard again. */
function returnOf({ kind, returned, silentMilliseconds = 0, missing = false }: Over) {
  if (kind !== "verifier_silent" || !returned) return {}
  return { silent_seconds: Math.round(silentMilliseconds / 1000), chain: missing ? "gap" : "continues" }
}

function entryOf({ ledger }: Recording, alarm: Alarm, said: Said, more: Event["body"] = {}): Step[] {
  const { kind, value, facts, since } = alarm
  const { task, agent, instance, orchestrator, api, operation, ...rest } = facts
  const event: Event = {
    kind: kindOf(alarm, said),
    at: said.at,
    code: kind,
    ...(task !== undefined && { task }),
    ...(agent !== undefined && { agent }),
    ...(instance !== undefined && { instance }),
    ...(orchestrator !== undefined && { orchestrator }),
    ...(api !== undefined && { api }),
    ...(operation !== undefined && { operation }),
    body: { alarm: kind, since: toInstant(since), ...nameOf(alarm, value), ...rest, ...more },
  }
  return ledger.steps(event)
}

/** A verifier's silence and return have kinds of their own; one that was written off has not returned. */
function kindOf({ kind }: Alarm, { change, returned }: Said): Kind {
  if (kind === "verifier_silent" && change === "raised") return "verifier.silent"
  if (kind === "verifier_silent" && returned) return "verifier.returned"
  return change === "raised" ? "alarm.raised" : "alarm.cleared"
}

const nameOf = ({ kind }: Alarm, value: string) =>
  kind.startsWith("verifier_") ? { verifier: value } : kind === "key_shared" ? { jkt: value } : {}
