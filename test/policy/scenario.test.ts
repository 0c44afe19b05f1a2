import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { formatFault } from "../../src/policy/fault.ts"
import {
  coverageOf,
  isScenarios,
  percentCovered,
  readScenarios,
  runScenario,
} from "../../src/policy/scenario.ts"
import { POLICIES, policyOf, shippedTexts, textOf } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const policy = await policyOf(shippedTexts())
const scenariosOf = (text: string) => {
  const read = readScenarios("a.yaml", text)
  if (!isScenarios(read)) throw new Error(read.map(formatFault).join("\n"))
  return read
}
const faultsOf = (text: string): string => {
  const read = readScenarios("a.yaml", text)
  return isScenarios(read) ? "" : read.map(formatFault).join("\n")
}

const REQUEST = `
    name: x
    task: triage-ticket
    orchestrator: support-orchestrator
    agent: triage-bot
    inputs: { ticket: SUP-1 }`
const oneOf = (expected: string, more = "") =>
  scenariosOf(`version: 1\nscenarios:\n  -${REQUEST.slice(4)}${more}\n    expect: ${expected}\n`)
const difference = (expected: string, more?: string, by = policy) =>
  oneOf(expected, more).map((scenario) => runScenario(by, scenario).difference)[0]

const BOTH = "[tickets/SUP-1, tickets/SUP-1/comments]"
const CLOSE = "after_approval: { tickets:close: [tickets/SUP-1] }"

describe("an expectation", () => {
  test.each([
    [
      "exactly what is given",
      `{ authority: { tickets:read: ${BOTH}, tickets:comment: ${BOTH} }, ${CLOSE} }`,
      [],
    ],
    [
      "without what needs an approval",
      `{ authority: { tickets:read: ${BOTH}, tickets:comment: ${BOTH} } }`,
      ["+ tickets:close tickets/SUP-1 after an approval"],
    ],
    [
      "less than is given",
      `{ authority: { tickets:read: ${BOTH}, tickets:comment: [tickets/SUP-1] }, ${CLOSE} }`,
      ["+ tickets:comment tickets/SUP-1/comments"],
    ],
    [
      "more than is given",
      `{ authority: { tickets:read: ${BOTH}, tickets:comment: ${BOTH}, tickets:close: [tickets/SUP-1] }, ${CLOSE} }`,
      ["- tickets:close tickets/SUP-1"],
    ],
    ["at least some of it", "{ at_least: { tickets:read: [tickets/SUP-1] } }", []],
    [
      "at least what is not given",
      "{ at_least: { tickets:read: [tickets/SUP-2] } }",
      ["- tickets:read tickets/SUP-2"],
    ],
    [
      "at least what needs an approval",
      "{ at_least: { tickets:close: [tickets/SUP-1] } }",
      ["- tickets:close tickets/SUP-1"],
    ],
    [
      "another code",
      "{ refused: access_denied }",
      expect.arrayContaining(["- refused access_denied", "+ tickets:read tickets/SUP-1"]),
    ],
  ])("of %s", (_what, expected, lines) => {
    expect(difference(expected)).toEqual(lines)
  })

  const asSummarizer = oneOf("{ refused: access_denied }").map((one) => ({ ...one, agent: "summarizer" }))
  const asked = "\n    operations: [tickets:delete]"
  const told = "+ refused operation_not_allowed: operations beyond the grant were asked for"
  test.each([
    ["an agent that is not listed", asSummarizer, []],
    ["an operation beyond the grant", oneOf("{ refused: operation_not_allowed }", asked), []],
    [
      "another code than was told",
      oneOf("{ refused: access_denied }", asked),
      ["- refused access_denied", told],
    ],
    ["a delegation", oneOf("{ refused: delegation_not_allowed }", "\n    delegated_to: [summarizer]"), []],
    ["a user", oneOf("{ refused: access_denied }", "\n    user: nobody"), []],
  ])("of a refusal of %s", (_what, scenarios, lines) => {
    expect(scenarios.map((one) => runScenario(policy, one).difference)).toEqual([lines])
  })

  test("of a sub-agent is what is left for it", async () => {
    const text = textOf("support.yaml").replace(
      "    limits: { active_tasks: 50",
      "    delegation: { to: { summarizer: [tickets:read, tickets:comment], deploy-bot: [tickets:close] } }\n    limits: { active_tasks: 50",
    )
    const by = await policyOf({ ...shippedTexts(), "support.yaml": text })
    const below = (expected: string, agent: string) =>
      difference(expected, `\n    delegated_to: [${agent}]`, by)
    expect(below(`{ authority: { tickets:read: ${BOTH} } }`, "summarizer")).toEqual([])
    expect(below("{ refused: access_denied }", "deploy-bot")).toEqual([])
  })
})

describe("circumstances", () => {
  const conditions = `    deadline: 2h
    when: 'task.purpose.contains("triage") && usage.refusals < 3 && (has(task.reference) || agent.instance == "pod-1")'
`
  const COMMENT = "operations: [tickets:read, tickets:comment]"
  const text = textOf("support.yaml")
    .replace("    deadline: 2h\n", conditions)
    .replace(
      `- api: tickets\n        ${COMMENT}`,
      `- api: tickets\n        when: 'now.getHours("Europe/Berlin") >= 6 && usage.starts < 5'\n        ${COMMENT}`,
    )
  const by = policyOf({ ...shippedTexts(), "support.yaml": text })
  const ALL = `{ authority: { tickets:read: ${BOTH}, tickets:comment: ${BOTH} }, ${CLOSE} }`
  const LATER = `{ authority: {}, ${CLOSE} }`
  const NONE = "{ refused: condition_not_met }"
  const given = (changes: Readonly<Record<string, string>> = {}) =>
    Object.entries({ at: "2026-03-29T04:30:00Z", purpose: "to triage", reference: "run-7", ...changes })
      .map(([name, value]) => `\n    ${value === "" ? `# ${name}` : `${name}: ${value}`}`)
      .join("")

  test.each<[string, string, Record<string, string>]>([
    ["all hold", ALL, {}],
    ["the hour is another, in the zone that is named", LATER, { at: "2026-03-29T05:30:00+02:00" }],
    ["the time is absent", NONE, { at: "" }],
    ["the purpose is another", NONE, { purpose: "to close" }],
    ["the purpose is absent", NONE, { purpose: "" }],
    ["the reference is absent, and so is the instance", NONE, { reference: "" }],
    ["the instance is told in place of a reference", ALL, { reference: "", instance: "pod-1" }],
    ["it started a lot", LATER, { usage: "{ starts: 5 }" }],
    ["it was refused a lot", NONE, { usage: "{ refusals: 3 }" }],
    ["it was refused less", ALL, { usage: "{ starts: 4, uses: 9, refusals: 2 }" }],
  ])("are a scenario's own, and conditions are asked as of then: %s", async (_what, expected, changes) => {
    expect(text).toContain("when: 'task.purpose")
    expect(text).toContain("when: 'now")
    expect(difference(expected, given(changes), await by)).toEqual([])
  })

  test("a condition that refuses is told with its place", async () => {
    const lines = difference(ALL, given({ purpose: "to close" }), await by)
    expect(lines?.at(-1)).toBe("+ refused condition_not_met: [condition] support.yaml:37:11 does not hold")
  })
})

test("the scenarios of the page that documents conditions pass on its policy", async () => {
  const page = readFileSync(join(ROOT, "docs/conditions.md"), "utf8")
  const [tasks = "", scenarios = ""] = [...page.matchAll(/```yaml[^\n]*\n([\s\S]*?)```/g)].map(
    ([, text]) => text,
  )
  const others = textOf("support.yaml").replace(/\ntasks:[\s\S]*/, "\n")
  const by = await policyOf({ ...shippedTexts(), "support.yaml": `${others}${tasks}` })
  const results = scenariosOf(scenarios).map((one) => runScenario(by, one))
  expect(results.map(({ difference }) => difference)).toEqual([[], [], []])
})

test("coverage counts who is given a grant and who is not, by passing scenarios alone", () => {
  const given = oneOf("{ at_least: { tickets:read: [tickets/SUP-1] } }")
  const denied = oneOf("{ refused: operation_not_allowed }", "\n    operations: [tickets:delete]")
  const wrong = oneOf("{ refused: access_denied }")
  const shown = (scenarios: typeof given) => {
    const coverage = coverageOf(
      policy,
      scenarios.map((one) => runScenario(policy, one)),
    )
    const own = coverage.filter(({ task }) => task === "triage-ticket")
    return [own.map(({ allowed, refused }) => [allowed, refused]), percentCovered(coverage)]
  }
  const both = (allowed: boolean, refused: boolean) => [
    [allowed, refused],
    [allowed, refused],
  ]
  expect(shown(given)).toEqual([both(true, false), 16])
  expect(shown([...given, ...denied])).toEqual([both(true, true), 33])
  expect(shown(wrong)).toEqual([both(false, false), 0])
})

test("the shipped scenarios pass, and cover every grant of the shipped policies both ways", () => {
  const names = readdirSync(`${POLICIES}/scenarios`)
  const results = names.flatMap((name) =>
    scenariosOf(textOf(`scenarios/${name}`)).map((one) => runScenario(policy, one)),
  )
  expect(results.flatMap((one) => one.difference)).toEqual([])
  expect([results.length >= 8, percentCovered(coverageOf(policy, results))]).toEqual([true, 100])
})

test.each([
  ["", "a.yaml:1:1: expected a policy, found an empty file"],
  ["version: 1\nscenarios: []", "expected at least one item"],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    expect: {}`,
    "a.yaml:8:13: expected exactly one of authority, at_least, refused",
  ],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    expect: { refused: acces_denied }`,
    'did you mean "access_denied"?',
  ],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    expct: { refused: access_denied }`,
    'expected a known key, found "expct" (did you mean "expect"?)',
  ],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    expect: { refused: access_denied, after_approval: {} }`,
    "expected no after_approval beside refused",
  ],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    at: noon\n    expect: { authority: {} }`,
    'a.yaml:8:9: expected a time such as 2026-03-29T01:30:00Z, found "noon"',
  ],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    usage: { starts: -1, used: 1 }\n    expect: { authority: {} }`,
    'expected a known key, found "used" (did you mean "uses"?)',
  ],
  [
    `version: 1\nscenarios:\n  -${REQUEST.slice(4)}\n    usage: { starts: -1 }\n    expect: { authority: {} }`,
    "a.yaml:8:22: expected at least 0, found -1",
  ],
  [`version: 1\nscenarios: [*a]`, "found an alias"],
])("%j is no scenario file", (text, fault) => {
  expect(faultsOf(text)).toContain(fault)
})
