// What sub-agents may do: the authority of a holder below the task's own agent, and whether there may be such a holder at
// all, by plain data alone. It decides who may be delegated to, how deep, and that nobody stands below itself; how many
// sub-agents a holder has, and until when, is the task room's.
import { Refusal, refuse } from "../errors.ts"
import { type Authority, type Grant, narrow } from "../token/authority.ts"
import type { Policy, TaskType } from "./policy.ts"

/** One delegation on the way from the task to who holds. */
export interface Delegated {
  /** The agent's name, without its instance. */
  readonly agent: string
  /** What it was given; undefined while that is being decided. */
  readonly authority?: Authority | undefined
}

/**
 * What is left of a task's authority at the end of a chain of delegations, outermost first: of each link no more than the
 * one above has, policy lets this agent be given, the agent may have at most, and it was given. May be empty.
 */
export function authorityBelow<G extends Grant>(
  policy: Policy,
  type: TaskType,
  agent: string,
  authority: readonly G[],
  chain: readonly Delegated[],
): readonly G[] | Refusal {
  const above = [agent]
  let left = authority
  for (const link of chain) {
    const operations = delegable(policy, type, above, link.agent)
    if (operations instanceof Refusal) return operations
    const atMost = policy.agents.get(link.agent)?.atMost
    left = narrow(narrow(left, { operations }), {
      ...(atMost && { operations: atMost }),
      ...(link.authority && { grants: link.authority }),
    })
    above.push(link.agent)
  }
  return left
}

/** The operations that an agent may be given below these; the reason is for the ledger only. */
function delegable(
  policy: Policy,
  type: TaskType,
  above: readonly string[],
  agent: string,
): ReadonlySet<string> | Refusal {
  const denied = (reason: string) => refuse("delegation_not_allowed", reason)
  const rule = type.delegation
  if (!rule) return denied("[delegation] the task type delegates to nobody")
  if (above.length > rule.maxDepth) return denied("[depth] max_depth of the task type is reached")
  const operations = rule.to.get(agent)
  if (!operations) return denied("[to] the task type does not delegate to this agent")
  if (above.includes(agent)) return denied("[cycle] the agent stands above already")
  return policy.agents.get(agent)?.enabled ? operations : denied("[agent] the agent is unknown or disabled")
}

/** Whether a holder with so many delegations above it may delegate further. */
export const mayDelegateBelow = (type: TaskType, depth: number): boolean =>
  type.delegation !== undefined && depth < type.delegation.maxDepth
