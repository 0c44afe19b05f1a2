// What a reviewer says about names that no enabled task type makes use of, judged by the files alone.
import type { Reviewed, ReviewRule, Spot } from "./review-rule.ts"

function* unusedNames(
  { tasks }: Reviewed,
  names: Iterable<{ readonly name: string; readonly enabled: boolean; readonly place: Spot["place"] }>,
  what: string,
  usedBy: (task: Reviewed["tasks"][number]) => Iterable<string>,
): Iterable<Spot> {
  const used = new Set(tasks.flatMap((task) => [...usedBy(task)]))
  for (const { name, enabled, place } of names)
    if (enabled && !used.has(name))
      yield { place, message: `no task type makes use of the ${what} "${name}"` }
}

function* ungranted({ policy, tasks, at }: Reviewed): Iterable<Spot> {
  const granted = new Set(tasks.flatMap(({ grants }) => grants.flatMap(({ operations }) => operations)))
  for (const api of policy.apis.values()) {
    if (!api.enabled) continue
    for (const [operation, { enabled }] of api.operations)
      if (enabled && !granted.has(operation))
        yield {
          place: at("apis", api.place.file, api.name, "operations", operation),
          message: `no task type grants ${operation}`,
        }
  }
}

/** Granted by a task, and left out of `at_most` by each of its agents. */
function* outOfReach({ policy, tasks, inTask }: Reviewed): Iterable<Spot> {
  for (const task of tasks) {
    const agents = [...task.agents].flatMap((name) => policy.agents.get(name) ?? [])
    for (const [index, { operations }] of task.grants.entries())
      for (const [at, operation] of operations.entries())
        if (!agents.some(({ atMost }) => atMost?.has(operation) ?? true))
          yield {
            place: inTask(task, "grants", index, "operations", at),
            message: `"${task.name}" grants ${operation}, and at_most of each of its agents leaves it out`,
          }
  }
}

const UNUSED_FIX = "take it out, or name it in the task type that needs it"

export const UNUSED_RULES: readonly ReviewRule[] = [
  {
    id: "unused-agent",
    severity: "warning",
    summary: "An agent that no task type lists and none delegates to",
    fix: UNUSED_FIX,
    find: (reviewed) =>
      unusedNames(reviewed, reviewed.policy.agents.values(), "agent", (task) => [
        ...task.agents,
        ...(task.delegation?.to.keys() ?? []),
      ]),
  },
  {
    id: "unused-orchestrator",
    severity: "warning",
    summary: "An orchestrator that no task type lists",
    fix: UNUSED_FIX,
    find: (reviewed) =>
      unusedNames(
        reviewed,
        reviewed.policy.orchestrators.values(),
        "orchestrator",
        (task) => task.orchestrators,
      ),
  },
  {
    id: "unused-users",
    severity: "note",
    summary: "A user rule that no task type runs for",
    fix: UNUSED_FIX,
    find: (reviewed) =>
      unusedNames(
        reviewed,
        reviewed.policy.users.values(),
        "user rule",
        (task) => task.onBehalfOf?.users ?? [],
      ),
  },
  {
    id: "unused-operation",
    severity: "note",
    summary: "An operation that no task type grants",
    fix: "leave it as it is where nobody is meant to have it; else take it out",
    find: ungranted,
  },
  {
    id: "operation-out-of-reach",
    severity: "warning",
    summary: "A granted operation that no agent of the task may have",
    fix: "take it out of the grant, or add it to an agent's `at_most`",
    find: outOfReach,
  },
]
