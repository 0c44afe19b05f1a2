// What a reviewer says who has seen what was used: rights that were granted and never used in the window. Without
// evidence, and for what the window holds no start of, it says nothing.
import type { EvidenceItem } from "./evidence.ts"
import { formatSeconds } from "./finding.ts"
import type { Reviewed, ReviewRule, Spot } from "./review-rule.ts"

const keyOf = (...parts: readonly string[]): string => JSON.stringify(parts)

function grouped(items: readonly EvidenceItem[], keyFor: (item: EvidenceItem) => string) {
  const groups = new Map<string, { granted: number; used: number }>()
  for (const item of items) {
    const one = groups.get(keyFor(item)) ?? { granted: 0, used: 0 }
    groups.set(keyFor(item), { granted: one.granted + item.granted, used: one.used + item.used })
  }
  return groups
}

const times = (count: number): string => (count === 1 ? "once" : `${count} times`)
const windowOf = ({ from, to }: { from: string; to: string }): string =>
  `from ${from.slice(0, 10)} to ${to.slice(0, 10)}`

function* neverUsed({ tasks, inTask, evidence }: Reviewed): Iterable<Spot> {
  if (!evidence) return
  const groups = grouped(evidence.items, ({ type, operation }) => keyOf(type, operation))
  for (const task of tasks)
    for (const [index, { operations }] of task.grants.entries())
      for (const [at, operation] of operations.entries()) {
        const group = groups.get(keyOf(task.name, operation))
        if (!group || group.granted === 0 || group.used > 0) continue
        const message = `"${task.name}" granted ${operation} ${times(group.granted)} ${windowOf(evidence)}, and it was never used`
        yield { place: inTask(task, "grants", index, "operations", at), message }
      }
}

/** Only where another agent uses it: else the whole grant is unused, and neverUsed says so. */
function* neverUsedByAgent({ tasks, inTask, evidence }: Reviewed): Iterable<Spot> {
  if (!evidence) return
  const all = grouped(evidence.items, ({ type, operation }) => keyOf(type, operation))
  const each = grouped(evidence.items, ({ type, agent, operation }) => keyOf(type, operation, agent))
  for (const task of tasks)
    for (const [at, agent] of [...task.agents].entries())
      for (const operation of new Set(task.grants.flatMap(({ operations }) => operations))) {
        const own = each.get(keyOf(task.name, operation, agent))
        const used = all.get(keyOf(task.name, operation))?.used ?? 0
        if (!own || own.granted === 0 || own.used > 0 || used === 0) continue
        const message = `"${agent}" was granted ${operation} by "${task.name}" ${times(own.granted)} ${windowOf(evidence)}, and never used it`
        yield { place: inTask(task, "agents", at), message }
      }
}

function* neverStarted({ tasks, evidence }: Reviewed): Iterable<Spot> {
  if (!evidence || evidence.entries === 0) return
  const started = new Set(evidence.items.filter(({ granted }) => granted > 0).map(({ type }) => type))
  for (const { name, place } of tasks)
    if (!started.has(name)) yield { place, message: `"${name}" was never started ${windowOf(evidence)}` }
}

/** Fewer tasks say nothing of how long one may take. */
const ENOUGH_TASKS = 20
/** Room for one that takes longer than any so far. */
const TIMES_LONGEST = 2

function* neverAsLong({ tasks, inTask, evidence }: Reviewed): Iterable<Spot> {
  for (const task of tasks) {
    const lasted = evidence?.lasted?.find(({ type }) => type === task.name)
    if (!evidence || !lasted || lasted.tasks < ENOUGH_TASKS) continue
    const longest = Math.ceil(lasted.longest_seconds)
    if (task.deadlineSeconds <= TIMES_LONGEST * longest) continue
    const message = `"${task.name}" may run for ${formatSeconds(task.deadlineSeconds)}, and the longest of ${lasted.tasks} tasks took ${formatSeconds(longest)} ${windowOf(evidence)}`
    yield { place: inTask(task, "deadline"), message }
  }
}

export const EVIDENCE_RULES: readonly ReviewRule[] = [
  {
    id: "granted-never-used",
    severity: "warning",
    summary: "An operation that tasks were granted in the window and none used",
    fix: "take it out of the grant",
    find: neverUsed,
  },
  {
    id: "agent-never-used",
    severity: "note",
    summary: "An operation that an agent was granted in the window and did not use, while another did",
    fix: "leave it out of the agent's `at_most`",
    find: neverUsedByAgent,
  },
  {
    id: "task-never-started",
    severity: "note",
    summary: "A task type that nobody started in the window",
    fix: "set `enabled: false` on it, or take it out",
    find: neverStarted,
  },
  {
    id: "deadline-never-needed",
    severity: "note",
    summary: "A deadline more than twice what the longest of 20 tasks or more took",
    fix: "shorten `deadline`: a task that was forgotten, or a stolen token, lasts no longer",
    find: neverAsLong,
  },
]
