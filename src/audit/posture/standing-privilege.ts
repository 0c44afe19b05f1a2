// Rights that were given and never used, names that did nothing, and approvals that decide nothing, by what was counted. Pure.
import type { Policy } from "../../policy/policy.ts"
import { GIVEN_DAYS, placeOf, type StandingFacts, type StandingSpot, times } from "./standing-facts.ts"

/** Given less often, a right that was not used says little. */
const FEWEST_GIVEN = 10
/** Asked less often, that everything was granted says little. */
const FEWEST_ASKED = 20
const LISTED = 5

export function* findPrivilege(policy: Policy, facts: StandingFacts): Generator<StandingSpot> {
  yield* findUnused(policy, facts)
  if (facts.wholeWindow) yield* findDormant(policy, facts)
  yield* findApprovals(policy, facts)
}

function* findUnused(policy: Policy, { given }: StandingFacts): Generator<StandingSpot> {
  const approved = new Set(approvalsIn(policy).map(({ operation }) => operation))
  const unused = new Map<string, { operations: string[]; most: number }>()
  for (const { agent, operation, granted, used } of given) {
    if (used > 0 || granted < FEWEST_GIVEN || approved.has(operation)) continue
    const known = unused.get(agent) ?? { operations: [], most: 0 }
    unused.set(agent, known)
    known.operations.push(operation)
    known.most = Math.max(known.most, granted)
  }
  for (const [agent, { operations, most }] of unused)
    if (policy.agents.get(agent)?.enabled)
      yield {
        rule: "agent-over-privileged",
        agent,
        ...placeOf(policy.agents.get(agent)),
        message: `"${agent}" was given ${listed(operations)} ${times(most)} in ${GIVEN_DAYS} days and used none of it`,
      }
}

const listed = (texts: readonly string[]): string =>
  texts.length <= LISTED
    ? texts.join(", ")
    : `${texts.slice(0, LISTED).join(", ")} and ${texts.length - LISTED} more operations`

function* findDormant(policy: Policy, { given, started }: StandingFacts): Generator<StandingSpot> {
  const agents = new Set(given.filter(({ granted, used }) => granted + used > 0).map(({ agent }) => agent))
  const types = new Set(started.filter(({ granted }) => granted > 0).map(({ type }) => type))
  for (const { name, enabled, place } of policy.agents.values())
    if (enabled && !agents.has(name))
      yield {
        rule: "agent-dormant",
        agent: name,
        place,
        message: `"${name}" was given nothing in ${GIVEN_DAYS} days`,
      }
  for (const { name, enabled, place } of policy.tasks.values())
    if (enabled && !types.has(name))
      yield {
        rule: "task-type-dormant",
        type: name,
        place,
        message: `no task of the type "${name}" was started in ${GIVEN_DAYS} days`,
      }
}

/** Operations of enabled task types to which a person must agree. */
const approvalsIn = (policy: Policy) =>
  [...policy.tasks.values()]
    .filter(({ enabled }) => enabled)
    .flatMap(({ name: type, grants }) =>
      grants
        .filter(({ approval }) => approval)
        .flatMap(({ operations, place }) => operations.map((operation) => ({ type, operation, place }))),
    )

function* findApprovals(policy: Policy, { asked, started }: StandingFacts): Generator<StandingSpot> {
  const askedBy = new Map(asked.map((row) => [keyOf(row), row]))
  const startedBy = new Map(started.map((row) => [keyOf(row), row]))
  for (const about of approvalsIn(policy)) {
    const { type, operation } = about
    const told = askedBy.get(keyOf(about))
    const tasks = startedBy.get(keyOf(about))?.granted ?? 0
    if (!told && tasks >= FEWEST_GIVEN)
      yield {
        rule: "approval-never-asked",
        ...about,
        message: `"${type}" offered ${operation} ${times(tasks)} in ${GIVEN_DAYS} days, and nobody asked for it`,
      }
    if (told && told.asked >= FEWEST_ASKED && told.granted === told.asked)
      yield {
        rule: "approval-always-granted",
        ...about,
        message: `"${type}" asked for ${operation} ${times(told.asked)} in ${GIVEN_DAYS} days, and it was granted each time`,
      }
  }
}

const keyOf = ({ type, operation }: { readonly type: string; readonly operation: string }): string =>
  `${type} ${operation}`
