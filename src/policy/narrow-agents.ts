// What agents could have had and never used, by evidence of them alone: operations of an agent's own `at_most`, and of what a
// task type lets it be handed. Nothing goes that a sub-agent may have got by way of it. What goes is cut by narrow.ts.
import type { Evidence, EvidenceItem } from "./evidence.ts"
import type { Judged, Left, NarrowOptions, Removed } from "./narrow-judged.ts"
import { holdersFor } from "./narrow-kept.ts"
import type { Agent, Policy, TaskType } from "./policy.ts"

/** One list of operations, and how many tasks gave each of them. */
interface Listed {
  readonly rule: string
  readonly operations: Iterable<string>
  readonly isNeeded: (operation: string) => boolean
  readonly granted: (operation: string) => number
}

/** Operations of an agent's `at_most`; over all task types. */
export function judgeAtMost(
  policy: Policy,
  agent: Agent,
  evidence: Evidence,
  options: NarrowOptions,
): Judged {
  const needed = neededBy(policy, agent.name, evidence.items)
  const rule = `${agent.place.file}#/agents/${agent.name}/at_most`
  const granted = (operation: string) =>
    [...policy.tasks.keys()].reduce((sum, type) => sum + givenTo(evidence, type, agent.name, operation), 0)
  const isNeeded = (operation: string) => needed.has(operation)
  const judged = judge({ rule, operations: agent.atMost ?? [], isNeeded, granted }, options)
  return withoutEmptied(judged, givenByType(evidence, agent.name))
}

/** Operations that an agent was given, by task type. */
function givenByType({ items }: Evidence, agent: string): ReadonlyMap<string, ReadonlySet<string>> {
  const types = new Map<string, Set<string>>()
  for (const { type, operation } of items.filter((one) => one.agent === agent && one.granted > 0))
    types.set(type, (types.get(type) ?? new Set()).add(operation))
  return types
}

/** What would leave tasks of a type with nothing stays: they could begin no more. */
export function withoutEmptied(
  { removed, left }: Judged,
  given: ReadonlyMap<string, ReadonlySet<string>>,
): Judged {
  const gone = new Set(removed.map(({ operation }) => operation))
  const emptied = [...given].filter(([, some]) => some.size > 0 && [...some].every((one) => gone.has(one)))
  const typeOf = (operation: string) => emptied.find(([, some]) => some.has(operation))?.[0]
  const stay = removed.flatMap(({ rule, operation }): Left[] => {
    const type = typeOf(operation)
    return type === undefined ? [] : [{ rule, operation, why: `tasks of ${type} would be left with nothing` }]
  })
  return { removed: removed.filter((one) => typeOf(one.operation) === undefined), left: [...left, ...stay] }
}

/** What the task type lets an agent be handed, of the operations that it still grants. */
export function judgeHanded(
  policy: Policy,
  type: TaskType,
  agent: string,
  evidence: Evidence,
  options: NarrowOptions & { readonly still: ReadonlySet<string> },
): Judged {
  const mine = evidence.items.filter((one) => one.type === type.name)
  const needed = neededBy(policy, agent, mine)
  const rule = `${type.place.file}#/tasks/${type.name}/delegation/to/${agent}`
  const operations = [...(type.delegation?.to.get(agent) ?? [])].filter((one) => options.still.has(one))
  const isNeeded = (operation: string) => needed.has(operation)
  const granted = (operation: string) => givenTo(evidence, type.name, agent, operation)
  const judged = judge({ rule, operations, isNeeded, granted }, options)
  if (!type.agents.has(agent)) return judged
  const why = "it is an agent of the task type, too, and evidence does not tell the two apart"
  return { removed: [], left: [...judged.left, ...judged.removed.map((one) => ({ ...one, why }))] }
}

function judge({ rule, operations, isNeeded, granted }: Listed, { minTasks }: NarrowOptions): Judged {
  const removed: Removed[] = []
  const left: Left[] = []
  const all = [...operations]
  for (const operation of all.filter((one) => !isNeeded(one))) {
    const tasks = granted(operation)
    if (tasks >= minTasks) removed.push({ rule, operation, granted: tasks })
    else left.push({ rule, operation, why: `${tasks} task(s) were given it, fewer than ${minTasks}` })
  }
  if (removed.length < all.length) return { removed, left }
  const why = "nothing of it was used: disable or take out the agent, if nobody needs it"
  return { removed: [], left: [...left, ...removed.map((one) => ({ ...one, why }))] }
}

/** What was used or tried by the agent, or by somebody below who may have had it from there. */
function neededBy(policy: Policy, agent: string, items: readonly EvidenceItem[]): ReadonlySet<string> {
  const needed = items.filter((item) => {
    const type = policy.tasks.get(item.type)
    return (
      item.used + item.refused > 0 && (type ? holdersFor(type, item.agent) : new Set([item.agent])).has(agent)
    )
  })
  return new Set(needed.map(({ operation }) => operation))
}

/** Tasks of a type: under several rules some are the same. */
const givenTo = ({ items }: Evidence, type: string, agent: string, operation: string): number =>
  items
    .filter((one) => one.type === type && one.agent === agent && one.operation === operation)
    .reduce((most, { granted }) => Math.max(most, granted), 0)
