// Who gains and who loses which operation on which resources, and what lost or got an approval or a condition: two policies,
// compared for every orchestrator, task type, agent and user rule. Findings that are alike are one, with all that they
// concern. Everything else about a task type is diff-task.ts's.
import { type Direction, type Finding, formatSeconds, sides } from "./finding.ts"
import type { ApprovalRule, Place, Policy } from "./policy.ts"
import { approvedAsStrictly, asksAsMuch, type Cell, type Right, reaches, rightsOf } from "./rights.ts"

type Way =
  | "gained"
  | "lost"
  | "approval_gone"
  | "approval_new"
  | "approval_looser"
  | "approval_stricter"
  | "asking_gained"
  | "asking_lost"
  | "condition_gone"
  | "condition_new"
  | "condition_other"

/** One change, for lists of all that it concerns. */
interface Change {
  readonly way: Way
  readonly api: string
  /** More of the change, for people. */
  readonly said: string
  readonly operations: readonly string[]
  readonly resources: readonly string[]
  readonly orchestrators: readonly string[]
  readonly agents: readonly string[]
  readonly users: readonly (string | null)[]
  readonly old: Place | undefined
  readonly new: Place | undefined
}

const DIRECTION: Readonly<Record<Way, Direction>> = {
  gained: "widening",
  lost: "narrowing",
  approval_gone: "widening",
  approval_new: "narrowing",
  approval_looser: "widening",
  approval_stricter: "narrowing",
  asking_gained: "widening",
  asking_lost: "narrowing",
  condition_gone: "widening",
  condition_new: "narrowing",
  condition_other: "unknown",
}

const WORDS: Readonly<Record<Way, string>> = {
  gained: "may now",
  lost: "may no longer",
  approval_gone: "needs no approval any more to",
  approval_new: "needs an approval now to",
  approval_looser: "is approved more easily to",
  approval_stricter: "is approved less easily to",
  asking_gained: "may now ask for an approval, beside having it without, to",
  asking_lost: "may no longer ask for an approval of what it has without, to",
  condition_gone: "meets a condition less to",
  condition_new: "meets a condition more to",
  condition_other: "meets another condition, which may widen, to",
}

/** The access that differs in one task type; both policies may lack it. */
export function diffAccess(old: Policy, now: Policy, task: string): Finding[] {
  const changes = cellsOf(old, now, task).flatMap((cell) => {
    const concerns = { orchestrators: [cell.orchestrator], agents: [cell.agent], users: [cell.user] }
    return compare(rightsOf(old, cell), rightsOf(now, cell)).map((change) => ({ ...change, ...concerns }))
  })
  const axes = ["orchestrators", "agents", "users", "operations", "resources"] as const
  return axes.reduce(merge, changes).map((change) => toFinding(task, change))
}

function cellsOf(old: Policy, now: Policy, type: string): Cell[] {
  const types = [old.tasks.get(type), now.tasks.get(type)].flatMap((one) => one ?? [])
  const all = <T>(names: readonly Iterable<T>[]) => [...new Set(names.flatMap((some) => [...some]))]
  const users = [null, ...all(types.map(({ onBehalfOf }) => onBehalfOf?.users ?? []))]
  const agents = all(types.map((one) => one.agents))
  return all(types.map((one) => one.orchestrators)).flatMap((orchestrator) =>
    agents.flatMap((agent) => users.map((user) => ({ type, orchestrator, agent, user }))),
  )
}

type Bare = Omit<Change, "orchestrators" | "agents" | "users">

function compare(old: readonly Right[], now: readonly Right[]): Bare[] {
  const more = now.flatMap((right) => wayOf(right, now, old, FORWARD))
  const less = old.flatMap((right) => wayOf(right, old, now, BACKWARD))
  return [...more, ...less]
}

/** What a right that the other side lacks is called, seen from the new policy and from the old. */
const FORWARD = {
  more: "gained",
  free: "approval_gone",
  approval: "approval_looser",
  ask: "asking_gained",
} as const
const BACKWARD = {
  more: "lost",
  free: "approval_new",
  approval: "approval_stricter",
  ask: "asking_lost",
} as const
type Naming = typeof FORWARD | typeof BACKWARD

/** How `right`, one of `mine`, goes beyond what `theirs` allow; nothing where one of them covers it. */
function wayOf(right: Right, mine: readonly Right[], theirs: readonly Right[], named: Naming): Bare[] {
  const forward = named === FORWARD
  const about = theirs.filter((one) => reaches(one, right))
  const alike = about.filter((one) => asksAsMuch(one, right))
  const said = (way: Way, other?: Right, more = ""): Bare[] => [bareOf(way, right, other, forward, more)]
  const [first] = about
  if (!first) return said(named.more)
  const [nearest] = alike
  if (!nearest)
    return conditionChange(right, about, forward).flatMap((way) =>
      said(way, first, conditions(right, first, forward)),
    )
  const free = alike.find((one) => !one.approval)
  const { approval } = right
  if (!approval) return free ? [] : said(named.free, nearest)
  const approved = alike.filter((one) => one.approval)
  if (approved.some((one) => one.approval && approvedAsStrictly(one.approval, approval))) return []
  if (free) return hasFree(mine, right) ? said(named.ask, free) : []
  const [rule] = approved
  return said(named.approval, rule, rule?.approval ? approvals(rule.approval, approval, forward) : "")
}

const hasFree = (mine: readonly Right[], right: Right): boolean =>
  mine.some((one) => !one.approval && reaches(one, right) && asksAsMuch(one, right))

/** A condition that is there on one side only goes one way; of two texts nobody knows. */
function conditionChange(right: Right, about: readonly Right[], forward: boolean): Way[] {
  if (about.some((one) => asksAsMuch(right, one))) return [forward ? "condition_gone" : "condition_new"]
  return ["condition_other"]
}

const conditions = (right: Right, other: Right, forward: boolean): string => {
  const [old, now] = forward ? [other, right] : [right, other]
  return ` (when: ${now.conditions.join(" && ") || "always"}; before: ${old.conditions.join(" && ") || "always"})`
}

function approvals(theirs: ApprovalRule, mine: ApprovalRule, forward: boolean): string {
  const [old, now] = forward ? [theirs, mine] : [mine, theirs]
  const say = ({ by, validSeconds, once }: ApprovalRule) =>
    `by ${by.join(", ")} for ${formatSeconds(validSeconds)}${once ? ", once" : ""}`
  return ` (${say(now)}; before: ${say(old)})`
}

function bareOf(way: Way, right: Right, other: Right | undefined, forward: boolean, said: string): Bare {
  const [old, now] = forward ? [other, right] : [right, other]
  return {
    way,
    api: right.api,
    said,
    operations: [right.operation],
    resources: [right.resource.join("/")],
    old: old?.place,
    new: now?.place,
  }
}

type Axis = "orchestrators" | "agents" | "users" | "operations" | "resources"

/** Changes that differ along one axis only become one: what they say is exactly what each of them said. */
function merge(changes: readonly Change[], axis: Axis): Change[] {
  const merged = new Map<string, Change>()
  for (const change of changes) {
    const key = JSON.stringify({ ...change, [axis]: null })
    const known = merged.get(key)
    const values = [...new Set([...(known?.[axis] ?? []), ...change[axis]])]
    merged.set(key, { ...change, [axis]: values })
  }
  return [...merged.values()]
}

function toFinding(task: string, change: Change): Finding {
  const { way, api, said, operations, resources, orchestrators, agents, users } = change
  const people = users.filter((one) => one !== null)
  const alone = users.includes(null)
  const whom = people.length === 0 ? "" : ` for users of ${people.join(", ")}${alone ? " or for none" : ""}`
  const who = `${agents.join(", ")} in ${task}, started by ${orchestrators.join(", ")}${whom},`
  return {
    direction: DIRECTION[way],
    subject:
      way.startsWith("approval") || way.startsWith("asking")
        ? "approval"
        : way.startsWith("condition")
          ? "condition"
          : "access",
    text: `${who} ${WORDS[way]} ${operations.join(", ")} on ${resources.join(", ")} of ${api}${said}`,
    concerns: { task, orchestrators, agents, users },
    ...sides(change.old, change.new),
  }
}
