// Whether a use that evidence tells of would still be allowed by a narrower policy: to its holder, and to all who may have stood
// above it, for evidence names the holder alone. It decides nothing about what goes.
import type { EvidenceItem } from "./evidence.ts"
import type { Policy, TaskType } from "./policy.ts"
import { rightsOf } from "./rights.ts"

/** Agents whose rights a use of this type by this holder may have come from: the holder, or whoever may stand above it. */
export function holdersFor({ agents, delegation }: TaskType, holder: string): ReadonlySet<string> {
  if (!delegation?.to.has(holder)) return new Set([holder])
  return new Set([...agents, ...(delegation.maxDepth > 1 ? delegation.to.keys() : [holder])])
}

/** Whether everybody who could do this by that rule, and may have, still can. */
export function isKept(old: Policy, narrower: Policy, item: EvidenceItem): boolean {
  const type = old.tasks.get(item.type)
  if (!type?.grants.some((one) => one.rule === item.rule)) return true
  return [...holdersFor(type, item.agent)].every(
    (agent) => isKeptBelow(narrower, type, agent, item) && isKeptBy(old, narrower, item, agent),
  )
}

/** Of what a sub-agent may be handed, and what any agent may have at most. */
function isKeptBelow(
  narrower: Policy,
  was: TaskType,
  agent: string,
  { type, operation }: EvidenceItem,
): boolean {
  const handed = was.delegation?.to.get(agent)?.has(operation) ?? false
  if (handed && !narrower.tasks.get(type)?.delegation?.to.get(agent)?.has(operation)) return false
  return handed ? (narrower.agents.get(agent)?.atMost?.has(operation) ?? true) : true
}

function isKeptBy(old: Policy, narrower: Policy, item: EvidenceItem, agent: string): boolean {
  const type = old.tasks.get(item.type)
  const grant = type?.grants.find((one) => one.rule === item.rule)
  const users = [null, ...(type?.onBehalfOf?.users ?? [])]
  return [...(type?.orchestrators ?? [])].every((orchestrator) =>
    users.every((user) => {
      const cell = { type: item.type, orchestrator, agent, user }
      const now = rightsOf(narrower, cell)
      return rightsOf(old, cell)
        .filter((right) => right.operation === item.operation && right.place === grant?.place)
        .every((right) =>
          now.some(
            (one) => one.operation === right.operation && one.resource.join("/") === right.resource.join("/"),
          ),
        )
    }),
  )
}
