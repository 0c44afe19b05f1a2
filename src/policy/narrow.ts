// The narrower policy that evidence supports: operations that tasks were given and nobody used or tried go out of their
// grants, those that an agent never used out of its `at_most` and of what it may be handed (narrow-agents.ts), as cuts in
// the files' texts. It never adds, and leaves what was given too seldom to tell; that nothing became
// wider and nothing used was taken away is checked on the result (`narrowFault`), not believed.

import { cut } from "./cut.ts"
import { diffPolicies } from "./diff.ts"
import type { Evidence, EvidenceItem } from "./evidence.ts"
import { judgeAtMost, judgeHanded } from "./narrow-agents.ts"
import type { Judged, Left, NarrowOptions, Removed } from "./narrow-judged.ts"
import { isKept } from "./narrow-kept.ts"
import type { Agent, Policy, TaskGrant, TaskType } from "./policy.ts"

export interface Narrowed extends Judged {
  /** Every file of the policy; those that are narrower are changed. */
  readonly texts: ReadonlyMap<string, string>
}

/** Does NOT check its own result: load it and ask `narrowFault`. */
export function narrowPolicy(policy: Policy, evidence: Evidence, options: NarrowOptions): Narrowed {
  const texts = new Map(policy.files)
  const removed: Removed[] = []
  const left: Left[] = []
  const take = (file: string, judged: Judged, paths: readonly Path[]) => {
    left.push(...judged.left)
    const text = texts.get(file)
    if (text === undefined || judged.removed.length === 0) return
    const narrower = paths.reduce<string | undefined>((so, path) => so && cut(so, path), text)
    if (narrower === undefined) {
      const why = "it can't be cut out of the file by itself"
      return void left.push(...judged.removed.map((one) => ({ ...one, why })))
    }
    texts.set(file, narrower)
    removed.push(...judged.removed)
  }
  for (const type of policy.tasks.values()) {
    const granted = judgeTask(type, evidence, options)
    const still = stillGranted(type, granted.removed)
    const handed = [...(type.delegation?.to.keys() ?? [])].map((agent) =>
      judgeHanded(policy, type, agent, evidence, { ...options, still }),
    )
    const judged = joined([granted, ...handed])
    take(type.place.file, judged, cutsOfTask(type, judged.removed, still))
  }
  for (const agent of policy.agents.values()) {
    const judged = judgeAtMost(policy, agent, evidence, options)
    take(agent.place.file, judged, cutsOfAtMost(agent, judged.removed))
  }
  return { texts, removed, left }
}

const joined = (all: readonly Judged[]): Judged => ({
  removed: all.flatMap((one) => one.removed),
  left: all.flatMap((one) => one.left),
})

function judgeTask(type: TaskType, { items }: Evidence, { minTasks }: NarrowOptions): Judged {
  const mine = items.filter((one) => one.type === type.name)
  const removed: Removed[] = []
  const left: Left[] = []
  for (const grant of type.grants)
    for (const operation of grant.operations) {
      const { rule } = grant
      const about = mine.filter(
        (one) => one.operation === operation && (one.rule === rule || isStale(type, one)),
      )
      if (about.some((one) => one.used + one.refused > 0)) continue
      // Of sub-agents too: adding up would count one task twice.
      const granted = Math.max(0, ...about.map((one) => one.granted))
      if (granted >= minTasks) removed.push({ rule, operation, granted })
      else left.push({ rule, operation, why: `${granted} task(s) were given it, fewer than ${minTasks}` })
    }
  if (removed.length < type.grants.reduce((sum, grant) => sum + grant.operations.length, 0))
    return { removed, left }
  const why = "no task of this type used anything: disable the type, if nobody needs it"
  return { removed: [], left: [...left, ...removed.map((one) => ({ ...one, why }))] }
}

/** Evidence under a rule that does not say so any more counts for every rule of the type: rules may have changed places. */
const isStale = (type: TaskType, item: EvidenceItem): boolean =>
  !type.grants.some((grant) => grant.rule === item.rule && grant.operations.includes(item.operation))

type Path = readonly (string | number)[]

const cutsOfTask = (type: TaskType, removed: readonly Removed[], still: ReadonlySet<string>): Path[] =>
  [...cutsOfGrants(type, removed), ...cutsOfDelegation(type, removed, still)].map((path) => [
    "tasks",
    type.name,
    ...path,
  ])

/** The last first. */
const cutsOfAtMost = ({ name, atMost }: Agent, removed: readonly Removed[]): Path[] =>
  placesOf(atMost ?? [], (operation) => removed.some((one) => one.operation === operation)).map((at) => [
    "agents",
    name,
    "at_most",
    at,
  ])

/** The last first, so that places before it stay. */
const placesOf = (operations: Iterable<string>, isGone: (operation: string) => boolean): number[] =>
  [...operations].flatMap((operation, at) => (isGone(operation) ? [at] : [])).reverse()

function stillGranted(type: TaskType, removed: readonly Removed[]): ReadonlySet<string> {
  const isGone = (grant: TaskGrant, operation: string) =>
    removed.some((one) => one.rule === grant.rule && one.operation === operation)
  return new Set(
    type.grants.flatMap((grant) => grant.operations.filter((operation) => !isGone(grant, operation))),
  )
}

/** The last first. A grant without operations goes whole. */
function cutsOfGrants(type: TaskType, removed: readonly Removed[]): Path[] {
  const gone = (grant: TaskGrant, operation: string) =>
    removed.some((one) => one.rule === grant.rule && one.operation === operation)
  return [...type.grants.entries()].reverse().flatMap(([index, grant]): Path[] => {
    if (grant.operations.every((operation) => gone(grant, operation))) return [["grants", index]]
    const places = placesOf(grant.operations, (operation) => gone(grant, operation))
    return places.map((at) => ["grants", index, "operations", at])
  })
}

/** What the task grants to nobody any more can't be handed on, and a limit of it would be about nothing. */
function cutsOfDelegation(type: TaskType, removed: readonly Removed[], still: ReadonlySet<string>): Path[] {
  const to = [...(type.delegation?.to ?? [])]
  if (to.length > 0 && to.every(([, operations]) => ![...operations].some((one) => still.has(one))))
    return [["delegation"]]
  return to.flatMap(([agent, operations]): Path[] => {
    const isHanded = ({ rule }: Removed) => rule.endsWith(`/delegation/to/${agent}`)
    const handed = removed.filter(isHanded).map(({ operation }) => operation)
    const places = placesOf(operations, (one) => !still.has(one) || handed.includes(one))
    if (places.length === operations.size) return [["delegation", "to", agent]]
    return places.map((at) => ["delegation", "to", agent, at])
  })
}

/**
 * What is wrong with a narrower policy: that somebody gains, that nobody can tell, or that something used is gone. Undefined
 * where nothing is.
 */
export function narrowFault(old: Policy, narrower: Policy, { items }: Evidence): string | undefined {
  const wider = diffPolicies(old, narrower).find(
    ({ direction }) => direction === "widening" || direction === "unknown",
  )
  if (wider) return wider.text
  const used = items.filter((one) => one.used + one.refused > 0)
  const lost = used.find((one) => !isKept(old, narrower, one))
  return lost && `${lost.operation} is used in ${lost.type} (${lost.rule}), and would be gone`
}
