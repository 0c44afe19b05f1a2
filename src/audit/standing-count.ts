// What stands for a while and how many of it there were, hour by hour: tasks that live, approvals that wait, agents and verifiers
// that are silent. It decides which entry begins one and which ends one, and tells from what stands now what stood before.
import { hourOf } from "./hour-count.ts"
import type { CountedRow } from "./rollup-statements.ts"

export const STANDING = ["tasks", "approvals", "silent_agents", "silent_verifiers"] as const
export type StandingKind = (typeof STANDING)[number]

/** Of one hour. */
export interface StandingCount {
  /** Whole hours since 1970, UTC. */
  readonly hour: number
  readonly what: StandingKind
  began: number
  ended: number
}

const BEGINS: Readonly<Record<string, StandingKind>> = {
  "task.started": "tasks",
  "approval.requested": "approvals",
  "verifier.silent": "silent_verifiers",
}
const ENDS: Readonly<Record<string, StandingKind>> = {
  "task.completed": "tasks",
  "task.failed": "tasks",
  "task.canceled": "tasks",
  "task.expired": "tasks",
  "task.revoked": "tasks",
  "approval.granted": "approvals",
  "approval.denied": "approvals",
  "approval.expired": "approvals",
  "verifier.returned": "silent_verifiers",
}
/** Alarms of one kind of entry, told apart by their code. */
const OF_ALARMS: Readonly<Record<string, StandingKind>> = {
  task_unrenewed: "silent_agents",
  verifier_silent: "silent_verifiers",
}

export function tallyStanding(rows: readonly CountedRow[]): StandingCount[] {
  const counts = new Map<string, StandingCount>()
  const countOf = (at: number, what: StandingKind): StandingCount => {
    const hour = hourOf(at)
    const key = `${hour} ${what}`
    const count = counts.get(key) ?? { hour, what, began: 0, ended: 0 }
    counts.set(key, count)
    return count
  }
  for (const { kind, at, code } of rows) {
    const alarm = OF_ALARMS[code ?? ""]
    const began = BEGINS[kind] ?? (kind === "alarm.raised" ? alarm : undefined)
    const ended = ENDS[kind] ?? (kind === "alarm.cleared" ? alarm : undefined)
    if (began) countOf(at, began).began += 1
    if (ended) countOf(at, ended).ended += 1
  }
  return [...counts.values()]
}

/**
 * How many stood at the end of each of these hours, the last of them being the one under way, whose end is `now`: what began
 * and ended since is taken back. Never less than none, where an hour was not counted.
 */
export function levelsOf(
  now: number,
  hours: readonly number[],
  counts: readonly StandingCount[],
): readonly number[] {
  const changes = new Map(counts.map(({ hour, began, ended }) => [hour, began - ended]))
  const levels: number[] = []
  let level = now
  for (const hour of hours.toReversed()) {
    levels.push(Math.max(0, level))
    level -= changes.get(hour) ?? 0
  }
  return levels.toReversed()
}
