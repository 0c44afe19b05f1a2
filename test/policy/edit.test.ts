// Edits are held by making them: what was refused is then allowed.
import { expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { fittingUser } from "../../src/policy/behalf.ts"
import { decide, type TaskRequest } from "../../src/policy/decide.ts"
import { authorityBelow } from "../../src/policy/delegate.ts"
import { editsFor, type PolicyEdit } from "../../src/policy/edit.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { operationsOf } from "../../src/token/authority.ts"
import { policyOf } from "../support/policies.ts"

const TEXT = `version: 1
identity_providers:
  people: { issuer: https://login.example.com, audience: taskmint }
apis:
  tickets:
    resource: https://tickets.example
    enabled: true
    owner: a
    operations: { tickets:read: { risk: low }, tickets:close: { risk: high } }
agents:
  bot:
    owner: a
    at_most: [tickets:read]
    enabled: true
  other:
    owner: a
orchestrators:
  queue:
    owner: a
    enabled: true
  cron: { owner: a }
users:
  staff:
    provider: people
    claims: { groups: staff }
    at_most: [tickets:read, tickets:close]
  guests: { provider: people, claims: { groups: guests } }
tasks:
  triage:
    enabled: true
    orchestrators: [queue]
    agents: [bot]
    on_behalf_of: [staff]
    deadline: 2h
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" } }
    delegation:
      to:
        other: [tickets:read]
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets/{ticket}"] }
`
const REQUEST = { type: "triage", orchestrator: "queue", agent: "bot", inputs: { ticket: "SUP-1" } }

function allows(policy: Policy, request: TaskRequest, chain: readonly string[]): boolean {
  const decision = decide(policy, request)
  if (decision instanceof Refusal) return false
  const links = chain.map((agent) => ({ agent }))
  const held = authorityBelow(policy, decision.taskType, request.agent, decision.authority, links)
  if (held instanceof Refusal) return false
  const wanted = request.operations ?? decision.taskType.grants.flatMap(({ operations }) => operations)
  return wanted.every((one) => operationsOf(held).includes(one))
}

/** Puts the edit in where it says: in place of the key's line, or below the key where there is none of that name yet. */
function made(text: string, { place, yaml = "" }: PolicyEdit): string {
  const lines = text.split("\n")
  const [line = "", at] = [lines[place.line - 1], place.line - 1]
  const indent = line.length - line.trimStart().length
  const key = yaml.slice(0, yaml.indexOf(":"))
  if (line.includes("enabled: false }")) return text.replace("enabled: false }", "enabled: true }")
  if (yaml.startsWith("- "))
    lines.splice(at, 0, `${" ".repeat(indent)}${yaml.replace("...", '"tickets/{ticket}"')}`)
  else if (!line.trim().startsWith(`${key}:`)) lines.splice(at + 1, 0, `${" ".repeat(indent + 2)}${yaml}`)
  else if (yaml.includes("\n")) lines.splice(at + 1, 0, ...yaml.split("\n").slice(1))
  else lines[at] = `${" ".repeat(indent)}${yaml}`
  return lines.join("\n").replaceAll("{ owner: ... }", "{ owner: a }")
}

interface Asked {
  readonly user?: string
  readonly orchestrator?: string
  readonly agent?: string
  readonly operations?: readonly string[]
}
type Case = [what: string, change: [string, string], asked: Asked, chain: readonly string[]]
const CASES: Case[] = [
  [
    "a disabled agent",
    ["    at_most: [tickets:read]\n    enabled: true", "    at_most: [tickets:read]\n    enabled: false"],
    {},
    [],
  ],
  ["a disabled task type", ["triage:\n    enabled: true", "triage:\n    enabled: false"], {}, []],
  ["a disabled API", ["example\n    enabled: true", "example\n    enabled: false"], {}, []],
  ["a disabled operation", ["{ risk: low }", "{ risk: low, enabled: false }"], {}, []],
  [
    "a disabled provider",
    ["audience: taskmint }", "audience: taskmint, enabled: false }"],
    { user: "staff" },
    [],
  ],
  ["an orchestrator that is not listed", ["", ""], { orchestrator: "cron" }, []],
  ["an orchestrator that is unknown and not listed", ["", ""], { orchestrator: "batch" }, []],
  ["an agent that is not listed", ["", ""], { agent: "other" }, []],
  ["a user rule that is not listed", ["", ""], { user: "guests" }, []],
  [
    "a user where there must be one",
    ["on_behalf_of: [staff]", "on_behalf_of: { users: [staff], required: true }"],
    {},
    [],
  ],
  ["an operation beyond the grants and at_most", ["", ""], { operations: ["tickets:close"] }, []],
  ["a user's at_most", ["[tickets:read, tickets:close]", "[tickets:close]"], { user: "staff" }, []],
  [
    "a sub-agent that is not delegated to",
    ["        other: [tickets:read]", "        cook: [tickets:read]\nagents2"],
    {},
    ["other"],
  ],
  [
    "a chain that is too deep",
    ["        other: [tickets:read]", "        other: [tickets:read]\n        cook: [tickets:read]"],
    {},
    ["other", "cook"],
  ],
  [
    "a task type that delegates to nobody",
    ["    delegation:\n      to:\n        other: [tickets:read]\n", ""],
    {},
    ["other"],
  ],
]
const withCook = (text: string) =>
  text.includes("cook:")
    ? text
        .replace("  other:\n    owner: a", "  other:\n    owner: a\n  cook:\n    owner: a")
        .replace("\nagents2", "")
    : text

test.each(CASES)(
  "%s: once every edit is made, the request is allowed",
  async (_what, [before, after], { user, ...asked }, chain) => {
    const text = withCook(TEXT.replace(before, after))
    const policy = await policyOf({ "a.yaml": text })
    const ask = (by: Policy): TaskRequest => ({
      ...REQUEST,
      ...asked,
      ...(user && { user: fittingUser(by, user) }),
    })
    expect(allows(policy, ask(policy), chain)).toBe(false)
    const edits = editsFor(policy, ask(policy), chain)
    expect(edits.length).toBeGreaterThan(0)
    // From the end, so that the places before stay what they are.
    const inOrder = [...edits].sort((one, other) => other.place.line - one.place.line)
    const edited = await policyOf({ "a.yaml": inOrder.reduce(made, text) })
    expect(allows(edited, ask(edited), chain)).toBe(true)
    expect(editsFor(edited, ask(edited), chain)).toEqual([])
  },
)

test("what is allowed whole needs no edit", async () => {
  expect(editsFor(await policyOf({ "a.yaml": TEXT }), REQUEST, ["other"])).toEqual([])
})

test("where no policy would allow it, the request is what must change", async () => {
  const policy = await policyOf({ "a.yaml": TEXT })
  const told = editsFor(policy, { ...REQUEST, inputs: { ticket: "x", more: "y" } }, ["bot"])
  expect(told.map(({ why, yaml }) => [why, yaml])).toEqual([
    ['"triage" has no input "more": leave it out of the request', undefined],
    [
      'the input "ticket" must be a text that fits [A-Z]+-[0-9]+: give one that is, or change the rule here',
      undefined,
    ],
    ['"bot" stands above itself, which no policy allows: hand it to another', undefined],
  ])
})

test("a condition that refuses, or leaves out what is asked for, is told with its place and what it says", async () => {
  const closing = '- { api: tickets, operations: [tickets:close], resources: ["tickets/{ticket}"]'
  const text = TEXT.replace("    at_most: [tickets:read]\n    enabled", "    enabled")
    .replace("    deadline: 2h", "    deadline: 2h\n    when: has(task.reference)")
    .replace("    grants:\n", `    grants:\n      ${closing}, when: 'task.purpose == "close"' }\n`)
  const policy = await policyOf({ "a.yaml": text })
  const told = (circumstances: TaskRequest["circumstances"], operations?: string[], ticket = "SUP-1") =>
    editsFor(policy, { ...REQUEST, inputs: { ticket }, circumstances, operations }).map(
      ({ place, why, yaml }) =>
        `${text.split("\n")[place.line - 1]?.slice(place.column - 1, place.column + 9)} ${why}${yaml ?? ""}`,
    )
  const AS = ": ask as it says, or change it here"
  const TASK = `has(task.r the condition "has(task.reference)" does not hold${AS}`
  const GRANT = `'task.purp the condition "task.purpose == \\"close\\"" does not hold${AS}`
  const both = { reference: "run-7", purpose: "close" }
  expect(told(both)).toEqual([])
  expect(told({ purpose: "read" })).toEqual([TASK, GRANT])
  expect(told({ ...both, purpose: "read" })).toEqual([GRANT])
  expect(told({ ...both, purpose: "read" }, ["tickets:close"])).toEqual([GRANT])
  expect(told({ ...both, purpose: "read" }, ["tickets:read"])).toEqual([])
  expect(told({ reference: "run-7" }, ["tickets:read"])).toEqual([
    expect.stringMatching(/^'task.purp the condition "task.purpose.*can't be told: /),
  ])
  expect(told({}, undefined, "x")).toEqual([expect.stringContaining('the input "ticket" must be')])
})
