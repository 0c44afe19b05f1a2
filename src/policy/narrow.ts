// The narrower policy that evidence supports: operations that tasks were given and nobody used or tried go out of their
// grants, as cuts in the files' texts. It never adds, and leaves what was given too seldom to tell; that nothing became
// wider and nothing used was taken away is checked on the result (`narrowFault`), not believed.

import { cut } from "./cut.ts"
import { diffPolicies } from "./diff.ts"
import type { Evidence, EvidenceItem } from "./evidence.ts"
import type { Policy, TaskGrant, TaskType } from "./policy.ts"
import { rightsOf } from "./rights.ts"

export interface NarrowOptions {
  /** What fewer tasks were given is left as it is. */
  readonly minTasks: number
}

/** One operation of one grant. */
export interface Removed {
  readonly rule: string
  readonly operation: string
  /** To so many tasks it was given, and none used it. */
  readonly granted: number
}

export interface Left {
  readonly rule: string
  readonly operation: string
  readonly why: string
}

export interface Narrowed {
  /** Every file of the policy; those that are narrower are changed. */
  readonly texts: ReadonlyMap<string, string>
  readonly removed: readonly Removed[]
  /** Unused as far as the evidence goes, and yet left. */
  readonly left: readonly Left[]
}

/** Does NOT check its own result: load it and ask `narrowFault`. */
export function narrowPolicy(policy: Policy, evidence: Evidence, options: NarrowOptions): Narrowed {
  const texts = new Map(policy.files)
  const removed: Removed[] = []
  const left: Left[] = []
  for (const type of policy.tasks.values()) {
    const judged = judgeTask(type, evidence, options)
    left.push(...judged.left)
    const text = texts.get(type.place.file)
    if (text === undefined || judged.removed.length === 0) continue
    const narrower = cutTask(text, type, judged.removed)
    if (narrower === undefined) {
      left.push(
        ...judged.removed.map((one) => ({ ...one, why: "it can't be cut out of the file by itself" })),
      )
      continue
    }
    texts.set(type.place.file, narrower)
    removed.push(...judged.removed)
  }
  return { texts, removed, left }
}

function judgeTask(type: TaskType, { items }: Evidence, { minTasks }: NarrowOptions) {
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

/** The text without these; undefined where one of them can't be taken out. */
function cutTask(text: string, type: TaskType, removed: readonly Removed[]): string | undefined {
  const paths = [...cutsOfGrants(type, removed), ...cutsOfDelegation(type, removed)]
  let narrower: string | undefined = text
  for (const path of paths)
    narrower = narrower === undefined ? undefined : cut(narrower, ["tasks", type.name, ...path])
  return narrower
}

type Path = readonly (string | number)[]

/** The last first, so that places before it stay. A grant without operations goes whole. */
function cutsOfGrants(type: TaskType, removed: readonly Removed[]): Path[] {
  const gone = (grant: TaskGrant, operation: string) =>
    removed.some((one) => one.rule === grant.rule && one.operation === operation)
  return [...type.grants.entries()].reverse().flatMap(([index, grant]): Path[] => {
    if (grant.operations.every((operation) => gone(grant, operation))) return [["grants", index]]
    const places = [...grant.operations.entries()].filter(([, operation]) => gone(grant, operation))
    return places.reverse().map(([at]) => ["grants", index, "operations", at])
  })
}

/** What the task grants to nobody any more can't be handed on, and a limit of it would be about nothing. */
function cutsOfDelegation(type: TaskType, removed: readonly Removed[]): Path[] {
  const still = new Set(
    type.grants.flatMap((grant) =>
      grant.operations.filter(
        (one) => !removed.some(({ rule, operation }) => rule === grant.rule && operation === one),
      ),
    ),
  )
  const to = [...(type.delegation?.to ?? [])]
  if (to.length > 0 && to.every(([, operations]) => ![...operations].some((one) => still.has(one))))
    return [["delegation"]]
  return to.flatMap(([agent, operations]): Path[] => {
    const places = [...[...operations].entries()].filter(([, operation]) => !still.has(operation))
    if (places.length === operations.size) return [["delegation", "to", agent]]
    return places.reverse().map(([at]) => ["delegation", "to", agent, at])
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

/** Whether everybody who could use the operation by that rule still can. */
function isKept(old: Policy, narrower: Policy, item: EvidenceItem): boolean {
  const type = old.tasks.get(item.type)
  const grant = type?.grants.find((one) => one.rule === item.rule)
  if (!type || !grant) return true
  const users = [null, ...(type.onBehalfOf?.users ?? [])]
  return [...type.orchestrators].every((orchestrator) =>
    [...type.agents].every((agent) =>
      users.every((user) => {
        const cell = { type: item.type, orchestrator, agent, user }
        const now = rightsOf(narrower, cell)
        return rightsOf(old, cell)
          .filter((right) => right.operation === item.operation && right.place === grant.place)
          .every((right) =>
            now.some(
              (one) =>
                one.operation === right.operation && one.resource.join("/") === right.resource.join("/"),
            ),
          )
      }),
    ),
  )
}
