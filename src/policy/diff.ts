// What changes between two policies, and which way: for every orchestrator, task type, agent and user what they may do, for
// how long and on whose word. Sound, not complete: what it does not name, decide() answers alike under both; what it calls
// widening or narrowing goes no other way; what can't be proved is `unknown`. It reads no files and decides no request.
import { diffAccess } from "./diff-access.ts"
import { diffAnomalies } from "./diff-anomalies.ts"
import { diffCallers } from "./diff-callers.ts"
import { diffInputs } from "./diff-inputs.ts"
import { diffTask } from "./diff-task.ts"
import { diffUsers } from "./diff-users.ts"
import { DIRECTIONS, type Direction, type Finding } from "./finding.ts"
import type { Place, Policy } from "./policy.ts"

/**
 * Every difference, those that ask most of a reviewer first. Not compared: purposes, owners, file names, the order of
 * things, and what only matters to people.
 */
export function diffPolicies(old: Policy, now: Policy): readonly Finding[] {
  const tasks = [...new Set([...old.tasks.keys(), ...now.tasks.keys()])]
  const found = [
    ...tasks.flatMap((name) => diffOne(old, now, name)),
    ...diffCallers(old, now),
    ...diffAnomalies(old, now),
  ]
  return found.sort(byWeight)
}

function diffOne(old: Policy, now: Policy, name: string): Finding[] {
  const [before, after] = [old.tasks.get(name), now.tasks.get(name)]
  const access = diffAccess(old, now, name)
  if (!before?.enabled || !after?.enabled) return access
  const policies = [old, now] as const
  return [
    ...access,
    ...diffInputs(before, after),
    ...diffUsers(before, after, policies),
    ...diffTask(before, after, policies),
  ]
}

function byWeight(one: Finding, other: Finding): number {
  const weight = DIRECTIONS.indexOf(one.direction) - DIRECTIONS.indexOf(other.direction)
  return weight || comparePlaces(one.new ?? one.old, other.new ?? other.old)
}

function comparePlaces(one: Place | undefined, other: Place | undefined): number {
  if (!one || !other) return Number(one === undefined) - Number(other === undefined)
  return one.file === other.file ? one.line - other.line : one.file < other.file ? -1 : 1
}

/** How many go each way. */
export const countDirections = (findings: readonly Finding[]): Readonly<Record<Direction, number>> => {
  const count = (direction: Direction) => findings.filter((one) => one.direction === direction).length
  return {
    widening: count("widening"),
    unknown: count("unknown"),
    narrowing: count("narrowing"),
    neutral: count("neutral"),
  }
}
