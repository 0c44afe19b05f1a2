// Who may do what by a policy, as lines for people: of each agent in each type of task the operations that it may use, and
// those for which a person has to agree first. It only puts together what rights.ts says.
import { formatResource } from "../token/resource.ts"
import type { Policy, TaskType } from "./policy.ts"
import { type Right, rightsOf } from "./rights.ts"

export interface AccessPair {
  readonly agent: string
  readonly type: string
}

export interface AccessLine extends AccessPair {
  /** Who starts it. */
  readonly orchestrators: readonly string[]
  /** Names of users' rules that it may run for. */
  readonly users: readonly string[]
  readonly operations: readonly string[]
  readonly approved: readonly { readonly operation: string; readonly by: readonly string[] }[]
  readonly resources: readonly string[]
  /** It holds only under a condition. */
  readonly conditional: boolean
}

interface Asked {
  readonly agent?: string | undefined
  readonly type?: string | undefined
}

/** Agents and types of task that go together, in the order of their names; those given alone. */
export function accessPairs(policy: Policy, only: Asked = {}): AccessPair[] {
  const types = [...policy.tasks.values()].filter(
    ({ name, enabled }) => enabled && (only.type === undefined || name === only.type),
  )
  return types
    .flatMap(({ name: type, agents }) => [...agents].map((agent) => ({ agent, type })))
    .filter(
      ({ agent }) =>
        (only.agent === undefined || agent === only.agent) && policy.agents.get(agent)?.enabled === true,
    )
    .sort((one, other) => order(one.agent, other.agent) || order(one.type, other.type))
}

const order = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/** What the agent may do in the type, whoever starts it and for whomever it may run. */
export function accessOf(policy: Policy, { agent, type: name }: AccessPair): AccessLine {
  const type = policy.tasks.get(name)
  const rights = type ? rightsIn(policy, type, agent) : []
  const approved = new Map(
    rights.flatMap(({ operation, approval }) => (approval ? [[operation, approval.by] as const] : [])),
  )
  return {
    agent,
    type: name,
    orchestrators: [...(type?.orchestrators ?? [])],
    users: type?.onBehalfOf?.users ?? [],
    operations: unique(rights.filter(({ approval }) => !approval).map(({ operation }) => operation)),
    approved: [...approved].map(([operation, by]) => ({ operation, by })),
    resources: unique(rights.map(({ resource }) => formatResource(resource))),
    conditional: rights.some(({ conditions }) => conditions.length > 0),
  }
}

function rightsIn(policy: Policy, type: TaskType, agent: string): readonly Right[] {
  const users = [null, ...(type.onBehalfOf?.users ?? [])]
  return [...type.orchestrators].flatMap((orchestrator) =>
    users.flatMap((user) => rightsOf(policy, { type: type.name, orchestrator, agent, user })),
  )
}

const unique = (texts: readonly string[]): string[] => [...new Set(texts)]
