// Scenarios: requests with what is expected of them, held against a policy's own decision. It decides what a scenario file
// is, whether an expectation is met, and which grants scenarios have shown at work; decide.ts makes the decisions.
import { Refusal, refuse } from "../errors.ts"
import { parseInstant } from "../time.ts"
import type { Authority, Grant } from "../token/authority.ts"
import { coversResource, formatResource, parseResource } from "../token/resource.ts"
import { fittingUser } from "./behalf.ts"
import { checkForm } from "./check.ts"
import type { Circumstances } from "./conditioned.ts"
import { decide } from "./decide.ts"
import { authorityBelow } from "./delegate.ts"
import type { PolicyFault } from "./fault.ts"
import { parsePolicyFile } from "./parse.ts"
import type { Place, Policy } from "./policy.ts"
import { type ScenarioRule, scenarioFile } from "./scenario-schema.ts"

export interface Scenario extends ScenarioRule {
  readonly place: Place
}

export interface ScenarioResult {
  readonly scenario: Scenario
  readonly passed: boolean
  /** Where it failed: `- ` what was expected and is not so, `+ ` what is so and was not expected. */
  readonly difference: readonly string[]
  /** Rules of the grants that were given, after an approval or without. */
  readonly given: readonly string[]
}

/** One grant of a task type, and whether a passing scenario was given it, and whether another was not. */
export interface GrantCoverage {
  readonly rule: string
  readonly task: string
  readonly place: Place
  readonly allowed: boolean
  readonly refused: boolean
}

/** The scenarios of a file's text, in its order; else everything that is wrong with it. */
export function readScenarios(file: string, content: string): readonly Scenario[] | readonly PolicyFault[] {
  const parsed = parsePolicyFile(file, content)
  if (!("place" in parsed)) return parsed
  const checked = checkForm(parsed, { schema: scenarioFile })
  if (!("rules" in checked)) return checked
  return checked.rules.scenarios.map((rule, index) => ({
    ...rule,
    place: parsed.place(["scenarios", index]),
  }))
}

export const isScenarios = (
  read: readonly Scenario[] | readonly PolicyFault[],
): read is readonly Scenario[] => read.every((one) => "expect" in one)

/** Runs one scenario. Limits, locks and proof of possession are NOT looked at: they are not in the files. */
export function runScenario(policy: Policy, scenario: Scenario): ScenarioResult {
  const got = outcomeOf(policy, scenario)
  const difference = differenceOf(scenario, got)
  const given = got instanceof Refusal ? [] : [...got.authority, ...got.approvable].map(({ rule }) => rule)
  return { scenario, passed: difference.length === 0, difference, given }
}

interface Outcome {
  readonly authority: Authority
  readonly approvable: Authority
}

function outcomeOf(policy: Policy, scenario: Scenario): Outcome | Refusal {
  const { task, orchestrator, agent, user, inputs, operations, delegated_to: chain } = scenario
  const decision = decide(policy, {
    type: task,
    orchestrator,
    agent,
    inputs,
    operations,
    circumstances: circumstancesOf(scenario),
    ...(user !== undefined && { user: fittingUser(policy, user) }),
  })
  if (decision instanceof Refusal || !chain) return decision
  const links = chain.map((name) => ({ agent: name }))
  const below = <G extends Grant>(held: readonly G[]) =>
    authorityBelow(policy, decision.taskType, agent, held, links)
  const [authority, approvable] = [below(decision.authority), below(decision.approvable)]
  if (authority instanceof Refusal) return authority
  if (approvable instanceof Refusal) return approvable
  if (authority.length + approvable.length > 0) return { authority, approvable }
  return refuse("access_denied", "nothing is left that the sub-agent may do")
}

/** The scenario's own, never those of the day on which it is run. */
const circumstancesOf = ({ at, purpose, reference, instance, usage }: Scenario): Circumstances => ({
  now: at === undefined ? undefined : parseInstant(at),
  purpose,
  reference,
  instance,
  usage,
})

function differenceOf({ expect }: Scenario, got: Outcome | Refusal): readonly string[] {
  if (got instanceof Refusal) {
    if (expect.refused === got.code) return []
    return [...linesOfExpected(expect).map((line) => `- ${line}`), `+ refused ${got.code}: ${got.reason}`]
  }
  const [authority, approvable] = [linesOf(got.authority), linesOf(got.approvable, AFTER)]
  const all = [...authority, ...approvable]
  if (expect.refused !== undefined) return [`- refused ${expect.refused}`, ...all.map((line) => `+ ${line}`)]
  const wanted = linesOfExpected(expect)
  if (expect.at_least !== undefined)
    return wanted.filter((line) => !all.some((one) => coversLine(one, line))).map((line) => `- ${line}`)
  return [
    ...wanted.filter((line) => !all.includes(line)).map((line) => `- ${line}`),
    ...all.filter((line) => !wanted.includes(line)).map((line) => `+ ${line}`),
  ]
}

const AFTER = " after an approval"

/** One line for each operation on each resource, each once. */
const linesOf = (authority: Authority, ending = ""): string[] => [
  ...new Set(
    authority.flatMap(({ operations, resources }) =>
      operations.flatMap((operation) =>
        resources.map((resource) => `${operation} ${formatResource(resource)}${ending}`),
      ),
    ),
  ),
]

function linesOfExpected({ authority, at_least, after_approval, refused }: Scenario["expect"]): string[] {
  if (refused !== undefined) return [`refused ${refused}`]
  const lines = (access: Readonly<Record<string, readonly string[]>>, ending = "") =>
    Object.entries(access).flatMap(([operation, resources]) =>
      resources.map((resource) => `${operation} ${resource}${ending}`),
    )
  return [...lines(authority ?? at_least ?? {}), ...lines(after_approval ?? {}, AFTER)]
}

/** Whether what is given allows what is wanted: the same operation in the same way, on a resource that covers it. */
function coversLine(given: string, wanted: string): boolean {
  const [[operation, one, way], [other, two, how]] = [partsOf(given), partsOf(wanted)]
  const [outer, inner] = [parseResource(one), parseResource(two)]
  return operation === other && way === how && !!outer && !!inner && coversResource(outer, inner)
}

function partsOf(line: string): [string, string, boolean] {
  const after = line.endsWith(AFTER)
  const bare = after ? line.slice(0, -AFTER.length) : line
  const at = bare.indexOf(" ")
  return [bare.slice(0, at), bare.slice(at + 1), after]
}

/** Of every grant of every enabled task type, what passing scenarios have shown. */
export function coverageOf(policy: Policy, results: readonly ScenarioResult[]): readonly GrantCoverage[] {
  const passing = results.filter(({ passed }) => passed)
  return [...policy.tasks.values()]
    .filter(({ enabled }) => enabled)
    .flatMap(({ name, grants }) => {
      const own = passing.filter(({ scenario }) => scenario.task === name)
      return grants.map(({ rule, place }) => ({
        rule,
        task: name,
        place,
        allowed: own.some(({ given }) => given.includes(rule)),
        refused: own.some(({ given }) => !given.includes(rule)),
      }))
    })
}

/** Of everything that could be shown, what was: 0 to 100, rounded down. 100 where there is nothing to show. */
export function percentCovered(coverage: readonly GrantCoverage[]): number {
  if (coverage.length === 0) return 100
  const shown = coverage.reduce((sum, { allowed, refused }) => sum + Number(allowed) + Number(refused), 0)
  return Math.floor((100 * shown) / (2 * coverage.length))
}
