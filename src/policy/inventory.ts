// Which agents there are and what each can reach, by the files alone: one line for each agent, task type and grant. It
// decides nothing; conditions are told and not asked, limits and locks are not looked at, so a line is the most that an
// agent may.
import { operationsGranted } from "./granted.ts"
import type { Agent, Place, Policy, Risk, TaskGrant, TaskType } from "./policy.ts"
import { conditionOf } from "./rights.ts"
import { userRuleIn } from "./vouching.ts"

export interface InventoryLine {
  readonly agent: string
  readonly owner: string
  /** The highest of the operations'. */
  readonly risk: Risk
  readonly api: string
  readonly operations: readonly string[]
  readonly task: string
  /** The agents that hand it down; empty where the task is the agent's own. */
  readonly through: readonly string[]
  readonly startedBy: readonly string[]
  /** Rules in users that it may run for; empty: its orchestrator alone. */
  readonly onBehalfOf: readonly string[]
  /** Staff of whom one agrees first; empty: nobody needs to. */
  readonly approvedBy: readonly string[]
  /** Texts that must all hold at each mint, of the task and of the grant; empty: it may always. */
  readonly conditions: readonly string[]
  /** Of the grant that allows it. */
  readonly place: Place
}

export interface InventoryAgent {
  readonly agent: string
  readonly owner: string
  readonly enabled: boolean
  /** The highest risk that it reaches; undefined: it reaches nothing. */
  readonly tier: Risk | undefined
  readonly reaches: readonly InventoryLine[]
}

const RISKS: readonly Risk[] = ["low", "moderate", "high"]

/** Every agent, those of the highest risk first. What is disabled (agent, task type, API, operation, starter) reaches nothing. */
export function inventoryOf(policy: Policy): readonly InventoryAgent[] {
  const agents = [...policy.agents.values()].map((agent) => {
    const reaches = reachOf(policy, agent)
    const { name, owner, enabled } = agent
    return { agent: name, owner, enabled, tier: highest(reaches.map(({ risk }) => risk)), reaches }
  })
  const rank = ({ tier }: InventoryAgent) => (tier === undefined ? -1 : RISKS.indexOf(tier))
  return agents.sort((one, other) => rank(other) - rank(one) || (one.agent < other.agent ? -1 : 1))
}

const highest = (risks: readonly Risk[]): Risk | undefined => RISKS.findLast((risk) => risks.includes(risk))

/** What one agent reaches, in the order of the files. */
export function reachOf(policy: Policy, agent: Agent): readonly InventoryLine[] {
  if (!agent.enabled) return []
  return [...policy.tasks.values()].flatMap((task) => {
    const startedBy = [...task.orchestrators].filter((name) => policy.orchestrators.get(name)?.enabled)
    if (!task.enabled || startedBy.length === 0) return []
    const own = task.agents.has(agent.name) ? linesOf(policy, agent, task, startedBy, [], undefined) : []
    const givers = [...task.agents].filter((name) => name !== agent.name && policy.agents.get(name)?.enabled)
    const handed = task.delegation?.to.get(agent.name)
    if (!handed || givers.length === 0) return own
    return [...own, ...linesOf(policy, agent, task, startedBy, givers, handed)]
  })
}

function linesOf(
  policy: Policy,
  agent: Agent,
  task: TaskType,
  startedBy: readonly string[],
  through: readonly string[],
  handed: ReadonlySet<string> | undefined,
): InventoryLine[] {
  return task.grants.flatMap((grant) => {
    const operations = operationsOf(policy, agent, grant, through, handed)
    const risk = highest(
      operations.flatMap((one) => policy.apis.get(grant.api)?.operations.get(one)?.risk ?? []),
    )
    if (risk === undefined) return []
    return [
      {
        agent: agent.name,
        owner: agent.owner,
        risk,
        api: grant.api,
        operations,
        task: task.name,
        through,
        startedBy,
        onBehalfOf: (task.onBehalfOf?.users ?? []).filter((name) => userRuleIn(policy, name)),
        approvedBy: grant.approval?.by ?? [],
        conditions: [...conditionOf(task), ...conditionOf(grant)],
        place: grant.place,
      },
    ]
  })
}

/** Handed down directly, for a longer chain leaves no more. What a person must agree to, a sub-agent may ask for too. */
function operationsOf(
  policy: Policy,
  agent: Agent,
  grant: TaskGrant,
  through: readonly string[],
  handed: ReadonlySet<string> | undefined,
): readonly string[] {
  const givers = through.map((name) => policy.agents.get(name)?.atMost)
  return operationsGranted(policy, grant).filter(
    (one) =>
      (agent.atMost?.has(one) ?? true) &&
      (handed?.has(one) ?? true) &&
      (givers.length === 0 || givers.some((atMost) => atMost?.has(one) ?? true)),
  )
}
