// What a reviewer says about task types as a whole: how long they run, who may start them, what their inputs let through.
import { caller, canAuthenticate } from "./callers.ts"
import { operationsGranted } from "./granted.ts"
import type { InputRule, Policy, TaskType } from "./policy.ts"
import type { Reviewed, ReviewRule, Spot } from "./review-rule.ts"
import { userRuleIn } from "./vouching.ts"

const LONG_SECONDS = 86_400
const LONG_AT_RISK_SECONDS = 8 * 3600

function* longDeadlines({ tasks, riskOf, inTask }: Reviewed): Iterable<Spot> {
  for (const task of tasks) {
    const risky = task.grants.some(({ operations }) => operations.some((one) => riskOf(one) === "high"))
    const [most, which] = risky
      ? [LONG_AT_RISK_SECONDS, " with an operation of high risk"]
      : [LONG_SECONDS, ""]
    if (task.deadlineSeconds <= most) continue
    const hours = Math.round(task.deadlineSeconds / 3600)
    yield { place: inTask(task, "deadline"), message: `"${task.name}"${which} may run for ${hours} hours` }
  }
}

/** Texts with nothing in common but that they are data. Whoever matches all of them narrows nothing. */
const UNLIKE = ["a", "Z", "7", "-", "Q_9.x", "~!$&'()+,=@", "naïve-日本語", "0".repeat(200)]

const matchesAll = (rule: InputRule): boolean =>
  rule.kind === "pattern" && UNLIKE.every((text) => rule.pattern.matches(text))

function* openPatterns({ tasks, inTask }: Reviewed): Iterable<Spot> {
  for (const task of tasks)
    for (const [name, rule] of task.inputs)
      if (rule.kind === "pattern" && matchesAll(rule))
        yield {
          place: inTask(task, "inputs", name, "pattern"),
          message: `the input "${name}" of "${task.name}" may be anything: ${rule.source}`,
        }
}

/** The operations of a task that an agent is left with; undefined limits leave everything. */
function operationsLeft(policy: Policy, task: TaskType, limit: ReadonlySet<string> | undefined): string[] {
  return task.grants.flatMap((grant) =>
    operationsGranted(policy, grant).filter((one) => limit?.has(one) ?? true),
  )
}

/** Why nobody at all may start it; undefined where somebody may. */
function whyNobody(policy: Policy, task: TaskType): string | undefined {
  const enabled = (names: Iterable<string>, known: ReadonlyMap<string, { readonly enabled: boolean }>) =>
    [...names].filter((name) => known.get(name)?.enabled)
  if (enabled(task.orchestrators, policy.orchestrators).length === 0) return "its orchestrators are disabled"
  const agents = enabled(task.agents, policy.agents)
  if (agents.length === 0) return "its agents are disabled"
  if (task.onBehalfOf?.required && !task.onBehalfOf.users.some((name) => userRuleIn(policy, name)))
    return "the user rules that it needs are disabled, or their providers"
  const some = agents.some((name) => operationsLeft(policy, task, policy.agents.get(name)?.atMost).length > 0)
  return some
    ? undefined
    : "at_most of its agents, or disabled APIs and operations, leave nothing of its grants"
}

function* unstartable({ policy, tasks }: Reviewed): Iterable<Spot> {
  for (const task of tasks) {
    const why = whyNobody(policy, task)
    if (why !== undefined) yield { place: task.place, message: `nobody may start "${task.name}": ${why}` }
  }
}

function* emptyAgents({ policy, tasks, inTask }: Reviewed): Iterable<Spot> {
  for (const task of tasks) {
    if (whyNobody(policy, task) !== undefined) continue
    for (const [at, name] of [...task.agents].entries()) {
      const agent = policy.agents.get(name)
      if (!agent?.enabled || operationsLeft(policy, task, agent.atMost).length > 0) continue
      const place = inTask(task, "agents", at)
      yield { place, message: `at_most of "${name}" leaves it nothing of what "${task.name}" grants` }
    }
  }
}

function* undecidable({ policy, tasks, inTask }: Reviewed): Iterable<Spot> {
  for (const task of tasks)
    for (const [index, { approval }] of task.grants.entries()) {
      const decides = approval?.by.some((name) => {
        const staff = caller(policy, name)
        return staff && canAuthenticate(staff)
      })
      if (!approval || decides) continue
      const place = inTask(task, "grants", index, "approval", "by")
      yield { place, message: `nobody of ${approval.by.join(", ")} can sign in to decide` }
    }
}

export const TASK_RULES: readonly ReviewRule[] = [
  {
    id: "long-deadline",
    severity: "warning",
    summary: "A task that may run for more than a day, or more than 8 hours with an operation of high risk",
    fix: "shorten `deadline`; an orchestrator starts another task when more is left to do",
    find: longDeadlines,
  },
  {
    id: "pattern-matches-everything",
    severity: "warning",
    summary: "An input that its pattern does not narrow: it is a wildcard that the caller fills in",
    fix: "write the pattern of the ids that there are, or an enum",
    find: openPatterns,
  },
  {
    id: "task-nobody-starts",
    severity: "warning",
    summary: "A task type that nobody may start",
    fix: "enable or name an orchestrator and an agent that may have one of its operations, or take it out",
    find: unstartable,
  },
  {
    id: "agent-left-nothing",
    severity: "warning",
    summary: "An agent that a task type lists and that may have none of its operations",
    fix: "add an operation to the agent's `at_most`, or take the agent off the task's list",
    find: emptyAgents,
  },
  {
    id: "approval-nobody-decides",
    severity: "warning",
    summary: "An approval that nobody can give",
    fix: "give one of them `authenticate: [{ openid: { provider: ..., claims: { ... } } }]`",
    find: undecidable,
  },
  {
    id: "delegated-high-risk",
    severity: "warning",
    summary: "An operation of high risk that a sub-agent may be given",
    fix: "take it out of `delegation.to`; the task's own agent keeps it",
    *find({ tasks, riskOf, inTask }) {
      for (const task of tasks)
        for (const [agent, operations] of task.delegation?.to ?? [])
          for (const [at, operation] of [...operations].entries())
            if (riskOf(operation) === "high")
              yield {
                place: inTask(task, "delegation", "to", agent, at),
                message: `"${task.name}" lets "${agent}" be given ${operation}, of high risk`,
              }
    },
  },
  {
    id: "no-description",
    severity: "note",
    summary: "A task type that does not say what it is for",
    fix: "add `description`: approvers and auditors read it",
    *find({ tasks }) {
      for (const { name, description, place } of tasks)
        if (description === undefined) yield { place, message: `"${name}" has no description` }
    },
  },
]
