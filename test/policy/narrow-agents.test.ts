// What evidence takes out of `at_most` and of what agents may be handed.
import { expect, test } from "vitest"
import { diffPolicies } from "../../src/policy/diff.ts"
import type { EvidenceItem } from "../../src/policy/evidence.ts"
import { loadStoredPolicy } from "../../src/policy/load.ts"
import { narrowFault, narrowPolicy } from "../../src/policy/narrow.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { evidenceOf, itemOf } from "../support/crowded-policy.ts"
import { policyOf } from "../support/policies.ts"

const TEXT = `version: 1
apis: { tickets: { resource: https://tickets.example, owner: a, operations: { tickets:read: { risk: low }, tickets:comment: { risk: low }, tickets:close: { risk: low } } } }
agents:
  bot: { owner: a, at_most: [tickets:read, tickets:comment, tickets:close] } # the first
  other:
    owner: a
    at_most:
      - tickets:read
      - tickets:comment # rarely
      - tickets:close
  helper: { owner: a, at_most: [tickets:read, tickets:comment] }
  deeper: { owner: a }
orchestrators: { jobs: { owner: a } }
tasks:
  triage:
    orchestrators: [jobs]
    agents: [bot, other]
    deadline: 2h
    grants:
      - { api: tickets, operations: [tickets:read, tickets:comment, tickets:close], resources: ["tickets/*"] }
    delegation:
      max_depth: DEPTH
      to: { helper: [tickets:read, tickets:comment], deeper: [tickets:read, tickets:comment] }
  tidy: { orchestrators: [jobs], agents: [bot], deadline: 1h, grants: [{ api: tickets, operations: [tickets:close], resources: ["tickets/*"] }] }
`
const policies = new Map<string, Policy>()
const policyWith = async (depth: number): Promise<Policy> => {
  const text = TEXT.replace("DEPTH", String(depth))
  const policy = policies.get(text) ?? (await policyOf({ "support.yaml": text }))
  policies.set(text, policy)
  return policy
}

const of = (agent: string, operation: string, granted: number, used: number, refused = 0): EvidenceItem => ({
  ...itemOf(0, `tickets:${operation}`, granted, used, refused),
  agent,
})
const all = (agent: string, granted: number, used: number) =>
  ["read", "comment", "close"].map((operation) => of(agent, operation, granted, used))

const HANDED = "support.yaml#/tasks/triage/delegation/to"
const atMost = (agent: string) => `support.yaml#/agents/${agent}/at_most`
const MOST = "a, at_most: [tickets:read, tickets:comment, tickets:close] } # the first"

/** Evidence, what goes by it, and lines of the file then. */
const CASES: readonly (readonly [
  string,
  number,
  readonly EvidenceItem[],
  readonly string[],
  readonly string[],
])[] = [
  [
    "an agent that never closed loses closing, and the other keeps it",
    1,
    [
      of("bot", "read", 50, 9),
      of("bot", "comment", 50, 9),
      of("bot", "close", 50, 0),
      ...all("other", 50, 1),
    ],
    [`tickets:close ${atMost("bot")}`],
    ["  bot: { owner: a, at_most: [tickets:read, tickets:comment] } # the first"],
  ],
  [
    "in a list of lines, with the comment behind",
    1,
    [
      ...all("bot", 50, 1),
      of("other", "read", 50, 1),
      of("other", "comment", 50, 0),
      of("other", "close", 50, 1),
    ],
    [`tickets:comment ${atMost("other")}`],
    ["      - tickets:read", "      - tickets:close"],
  ],
  [
    "what was tried stays, what too few tasks were given stays, and so does everything of who did nothing",
    1,
    [
      ...all("bot", 50, 1).slice(0, 2),
      of("bot", "close", 50, 0, 1),
      of("other", "read", 19, 0),
      of("other", "close", 50, 1),
      ...all("helper", 50, 0),
    ],
    [],
    [`  bot: { owner: ${MOST}`],
  ],
  [
    "what a sub-agent used stays with all that may have handed it on",
    1,
    [
      ...all("bot", 50, 0),
      of("helper", "comment", 50, 3),
      of("helper", "read", 50, 0),
      ...all("other", 50, 1),
    ],
    [
      `tickets:read ${HANDED}/helper`,
      `tickets:read ${atMost("bot")}`,
      `tickets:close ${atMost("bot")}`,
      `tickets:read ${atMost("helper")}`,
    ],
    [
      "  bot: { owner: a, at_most: [tickets:comment] } # the first",
      "      to: { helper: [tickets:comment], deeper: [tickets:read, tickets:comment] }",
    ],
  ],
  [
    "an agent keeps what another type alone gives it: tasks of that could begin no more",
    1,
    [
      ...all("bot", 50, 1).slice(0, 2),
      { ...of("bot", "close", 50, 0), type: "tidy", rule: "support.yaml#/tasks/tidy/grants/0" },
      ...all("other", 50, 1),
    ],
    [],
    [`  bot: { owner: ${MOST}`],
  ],
  [
    "a sub-agent below a sub-agent keeps what that one may hand on",
    2,
    [
      ...all("bot", 50, 1),
      ...all("other", 50, 1),
      of("helper", "read", 50, 0),
      of("helper", "comment", 50, 1),
      of("deeper", "read", 50, 1),
    ],
    [],
    ["      to: { helper: [tickets:read, tickets:comment], deeper: [tickets:read, tickets:comment] }"],
  ],
]

test.each(CASES)("%s", async (_, depth, items, gone, lines) => {
  const policy = await policyWith(depth)
  const evidence = evidenceOf(...items)
  const { removed, texts } = narrowPolicy(policy, evidence, { minTasks: 20 })
  expect(removed.map(({ operation, rule }) => `${operation} ${rule}`)).toEqual(gone)
  const text = texts.get("support.yaml") ?? ""
  for (const line of lines) expect(text.split("\n")).toContain(line)
  const narrower = await loadStoredPolicy(texts, { dev: true })
  if ("faults" in narrower) throw new Error(narrower.toString())
  expect(narrowFault(policy, narrower, evidence)).toBe(undefined)
  const ways = new Set(diffPolicies(policy, narrower).map(({ direction }) => direction))
  expect([...ways]).toEqual(gone.length > 0 ? ["narrowing"] : [])
})

/** A change by hand, and whose use it would take away. */
test.each([
  [
    "the user's own",
    1,
    of("bot", "close", 1, 1),
    "bot: { owner: a, at_most: [tickets:read, tickets:comment] } # the first",
  ],
  [
    "of who handed it on",
    1,
    of("helper", "comment", 1, 1),
    "bot: { owner: a, at_most: [tickets:read, tickets:close] } # the first",
  ],
])("a result that takes a used operation out of at_most is found out: %s", async (_, depth, item, line) => {
  const policy = await policyWith(depth)
  const text = TEXT.replace("DEPTH", String(depth)).replace(`bot: { owner: ${MOST}`, line)
  const narrower = await policyOf({ "support.yaml": text })
  expect(narrowFault(policy, narrower, evidenceOf(item))).toContain("and would be gone")
  expect(narrowFault(policy, narrower, evidenceOf({ ...item, agent: "other" }))).toBe(undefined)
})

test("an agent of the type that is also handed to keeps what it may be handed: evidence does not tell the two apart", async () => {
  const text = TEXT.replace("DEPTH", "1").replace("agents: [bot, other]", "agents: [bot, other, helper]")
  const policy = await policyOf({ "support.yaml": text })
  const evidence = evidenceOf(
    ...all("bot", 50, 1),
    ...all("other", 50, 1),
    of("helper", "read", 50, 0),
    of("helper", "comment", 50, 1),
  )
  const { removed, left } = narrowPolicy(policy, evidence, { minTasks: 20 })
  expect(removed.filter(({ rule }) => rule.startsWith(HANDED))).toEqual([])
  expect(left).toContainEqual({
    rule: `${HANDED}/helper`,
    operation: "tickets:read",
    granted: 50,
    why: "it is an agent of the task type, too, and evidence does not tell the two apart",
  })
})
