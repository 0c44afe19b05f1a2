// For whom a task type may run: which people its rules let in, and which of them decides for whom. The first rule that fits
// a person decides, so where rules give different rights their order counts, and then nobody can tell for whom what changes.
import type { ClaimRules } from "../token/identity.ts"
import { type Direction, type Finding, sides } from "./finding.ts"
import type { Policy, TaskType, UserRule } from "./policy.ts"
import { userRuleIn } from "./vouching.ts"

/** A rule as it decides: whom it names, and what they may at most. */
interface Deciding {
  readonly rule: UserRule
  readonly issuer: string
  readonly audience: string | undefined
  readonly nameClaim: string | undefined
}

export function diffUsers(old: TaskType, now: TaskType, policies: readonly [Policy, Policy]): Finding[] {
  const [before, after] = [decidingOf(policies[0], old), decidingOf(policies[1], now)]
  const found = (direction: Direction, words: string, users?: readonly string[]): Finding => ({
    direction,
    subject: "users",
    text: `${now.name} ${words}`,
    concerns: { task: now.name, ...(users && { users }) },
    ...sides(old.place, now.place),
  })
  const known = new Map(before.map((one) => [one.rule.name, one]))
  const people = after.flatMap((one): Finding[] => {
    const was = known.get(one.rule.name)
    const direction = was && comparePeople(was, one)
    return direction
      ? [
          found(direction, `runs for other people by the rule "${one.rule.name}" (${WHOM[direction]})`, [
            one.rule.name,
          ]),
        ]
      : []
  })
  if (!ordersMatter(before, after)) return people
  const words =
    "asks its rules about users in another order, or others first: people whom two of them fit may get more"
  return [...people, found("unknown", words)]
}

const WHOM: Readonly<Record<Direction, string>> = {
  widening: "more of them",
  narrowing: "fewer of them",
  unknown: "it can't be told which",
  neutral: "the same",
}

function decidingOf(policy: Policy, { onBehalfOf }: TaskType): Deciding[] {
  return (onBehalfOf?.users ?? []).flatMap((name) => {
    const rule = userRuleIn(policy, name)
    if (!rule) return []
    const { issuer = "", audience, nameClaim } = policy.identityProviders.get(rule.provider) ?? {}
    return [{ rule, issuer, audience, nameClaim }]
  })
}

/** Whom the rule names now, seen from before; undefined: the same people. */
function comparePeople(was: Deciding, is: Deciding): Direction | undefined {
  const other =
    was.rule.provider !== is.rule.provider ||
    was.issuer !== is.issuer ||
    was.audience !== is.audience ||
    was.nameClaim !== is.nameClaim
  if (other) return "unknown"
  const [fewer, more] = [asksFor(is.rule.claims, was.rule.claims), asksFor(was.rule.claims, is.rule.claims)]
  if (fewer && more) return undefined
  return fewer ? "narrowing" : more ? "widening" : "unknown"
}

/** Whether `rules` ask for everything that `less` ask for. */
export const asksFor = (rules: ClaimRules, less: ClaimRules): boolean =>
  Object.entries(less).every(([name, wanted]) => {
    const asked = rules[name]
    return typeof wanted === "object" ? typeof asked === "object" && asksFor(asked, wanted) : asked === wanted
  })

/**
 * Whether a person may be decided by a rule with other rights than before: not where all rules give the same, and not where
 * rules were added behind all others or the rules and their people are as they were.
 */
function ordersMatter(before: readonly Deciding[], after: readonly Deciding[]): boolean {
  const rights = new Set(
    [...before, ...after].map(({ rule }) => JSON.stringify(rule.atMost && [...rule.atMost].sort())),
  )
  if (rights.size < 2) return false
  return !before.every((was, at) => {
    const is = after[at]
    return is !== undefined && is.rule.name === was.rule.name && comparePeople(was, is) === undefined
  })
}
