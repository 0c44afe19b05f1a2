import { expect, test } from "vitest"
import { readEvidence } from "../../src/policy/evidence.ts"
import type { Place } from "../../src/policy/policy.ts"
import { REVIEW_RULES, review } from "../../src/policy/review.ts"
import { policyOf, shippedTexts, textOf } from "../support/policies.ts"

/** A policy about which nothing is to be said. */
const CLEAN = `version: 1
apis:
  tickets:
    resource: https://tickets.example
    owner: "#support"
    operations: { tickets:read: { risk: low }, tickets:comment: { risk: moderate }, tickets:close: { risk: high } }
agents:
  bot: { owner: bots@example.com }
orchestrators:
  queue:
    owner: https://example.com/queue
    authenticate: [{ private_key_jwt: { jwks: keys/support-orchestrator.jwks.json } }]
staff:
  leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }
identity_providers:
  people: { issuer: https://login.example.com, audience: taskmint }
  cluster: { issuer: https://kubernetes.default.svc.cluster.local, jwks: { keys: [KEY] } }
  gitlab: { issuer: https://gitlab.com }
users:
  everybody: { provider: people, claims: { groups: staff } }
tasks:
  triage:
    description: Read, comment and close
    orchestrators: [queue]
    agents: [bot]
    on_behalf_of: [everybody]
    deadline: 2h
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" } }
    grants:
      - { api: tickets, operations: [tickets:read, tickets:comment], resources: ["tickets/{ticket}"] }
      - { api: tickets, operations: [tickets:close], resources: ["tickets/{ticket}"], approval: { by: [leads], valid: 15m } }
    proof_of_possession: required
`
const KEYS = Object.entries(shippedTexts()).filter(([name]) => name.endsWith(".jwks.json"))
const [KEY] = JSON.parse(textOf("keys/tickets.jwks.json")).keys
const whole = CLEAN.replace("KEY", JSON.stringify({ ...KEY, kid: "cluster" }))

const policyWith = (text: string, more = "") =>
  policyOf({ "a.yaml": text, ...Object.fromEntries(KEYS), ...(more && { "b.yaml": `version: 1\n${more}` }) })

type Change = readonly [id: string, severity: string, replaced: string, by: string, at: string, more?: string]
const CLOSE =
  'operations: [tickets:close], resources: ["tickets/{ticket}"], approval: { by: [leads], valid: 15m }'
const CLOSE_BARE = 'operations: [tickets:close], resources: ["tickets/{ticket}"]'
const BOUND = "    proof_of_possession: required\n"

const CHANGES: readonly Change[] = [
  ["approval-bypassed", "error", "tickets:comment]", "tickets:comment, tickets:close]", "tickets:close"],
  [
    "wildcard-high-risk",
    "error",
    CLOSE,
    'operations: [tickets:close], resources: ["tickets/*"]',
    '"tickets/*',
  ],
  [
    "whole-api",
    "warning",
    'tickets:comment], resources: ["tickets/{ticket}"]',
    'tickets:comment], resources: ["**"]',
    '"**',
  ],
  [
    "wildcard-moderate-risk",
    "warning",
    'tickets:comment], resources: ["tickets/{ticket}"]',
    'tickets:comment], resources: ["tickets/**"]',
    '"tickets/**',
  ],
  [
    "wildcard",
    "note",
    'tickets:comment], resources: ["tickets/{ticket}"]',
    'tickets:comment], resources: ["tickets/{ticket}"] }\n      - { api: tickets, operations: [tickets:read], resources: ["tickets/*"]',
    '"tickets/*',
  ],
  ["high-risk-unguarded", "warning", `${CLOSE} }\n${BOUND}`, `${CLOSE_BARE} }\n`, "tickets:close"],
  ["high-risk-unapproved", "note", CLOSE, CLOSE_BARE, "tickets:close"],
  ["no-proof-of-possession", "warning", BOUND, "", "triage:"],
  ["approval-for-many-uses", "warning", "valid: 15m", "valid: 15m, once: false", "false"],
  [
    "foreign-high-risk",
    "warning",
    "https://tickets.example\n",
    "https://tickets.example\n    foreign: true\n",
    "{",
  ],
  ["long-deadline", "warning", "deadline: 2h", "deadline: 9h", "9h"],
  ["pattern-matches-everything", "warning", '"[A-Z]+-[0-9]+"', '".+"', '".+'],
  ["task-nobody-starts", "warning", "bots@example.com", "bots@example.com, enabled: false", "triage:"],
  [
    "agent-left-nothing",
    "warning",
    "agents: [bot]",
    "agents: [bot, other]",
    "other",
    "agents: { other: { owner: a@b.c, at_most: [wiki:read] } }\napis: { wiki: { resource: https://wiki.example, owner: a@b.c, operations: { wiki:read: { risk: low } } } }",
  ],
  [
    "approval-nobody-decides",
    "warning",
    ", authenticate: [{ openid: { provider: people, claims: { groups: leads } } }]",
    "",
    "[leads",
  ],
  [
    "delegated-high-risk",
    "warning",
    BOUND,
    `${BOUND}    delegation: { to: { other: [tickets:read, tickets:close] } }\n`,
    "tickets:close",
    "agents: { other: { owner: a@b.c } }",
  ],
  ["no-description", "note", "    description: Read, comment and close\n", "", "triage:"],
  [
    "shared-key",
    "error",
    "bots@example.com }",
    "bots@example.com, authenticate: [{ private_key_jwt: { jwks: keys/support-orchestrator.jwks.json } }] }",
    "[{",
  ],
  [
    "broad-workload",
    "warning",
    "bots@example.com }",
    'bots@example.com, authenticate: [{ workload: { provider: cluster, subject: "system:serviceaccount:bots:default" } }] }',
    "[{",
  ],
  [
    "broad-workload",
    "warning",
    "bots@example.com }",
    'bots@example.com, authenticate: [{ workload: { provider: gitlab, claims: { project_id: "1", namespace_id: "2", ref_protected: "true" } } }] }',
    "[{",
  ],
  [
    "caller-without-credential",
    "warning",
    "\n    authenticate: [{ private_key_jwt: { jwks: keys/support-orchestrator.jwks.json } }]",
    "",
    "queue:",
  ],
  ["owner-unreachable", "note", "bots@example.com", "Bob", "Bob"],
  ["unused-agent", "warning", "", "", "other:", "agents: { other: { owner: a@b.c } }"],
  [
    "unused-orchestrator",
    "warning",
    "",
    "",
    "other:",
    "orchestrators: { other: { owner: a@b.c, authenticate: [{ private_key_jwt: { jwks: keys/tickets.jwks.json } }] } }",
  ],
  ["unused-users", "note", "    on_behalf_of: [everybody]\n", "", "everybody:"],
  [
    "unused-operation",
    "note",
    "tickets:close: { risk: high }",
    "tickets:close: { risk: high }, tickets:delete: { risk: high }",
    "{",
  ],
  [
    "operation-out-of-reach",
    "warning",
    "bots@example.com }",
    "bots@example.com, at_most: [tickets:read, tickets:comment] }",
    "tickets:close",
  ],
]

/** What stands at a place, up to the end of a word. */
function standingAt({ file, line, column }: Place, text: string, more = ""): string {
  const whole = file === "a.yaml" ? text : `version: 1\n${more}`
  return /^[[{"]*[^\s,\]}"]+/.exec(whole.split("\n")[line - 1]?.slice(column - 1) ?? "")?.[0] ?? ""
}

test("about a policy that is as it should be, nothing is said", async () => {
  expect(review(await policyWith(whole))).toEqual([])
})

test.each(CHANGES)(
  "%s is a finding of severity %s, with its place and what to do",
  async (id, severity, replaced = "", by = "", at = "", more = "") => {
    expect(whole).toContain(replaced)
    const text = whole.replace(replaced, by)
    const found = review(await policyWith(text, more)).filter(({ rule }) => rule === id)
    const told = found.map(({ place, ...one }) => [
      one.severity,
      standingAt(place, text, more),
      one.fix.length > 10,
    ])
    expect(told.slice(0, 1)).toEqual([[severity, at, true]])
  },
)

const evidence = (items: readonly object[], entries = 1000) => {
  const whole = { from: "2026-10-01T00:00:00Z", to: "2026-10-31T00:00:00Z", entries, items }
  const read = readEvidence(JSON.stringify(whole))
  if (typeof read === "string") throw new Error(read)
  return read
}
const item = {
  type: "triage",
  agent: "bot",
  rule: "a.yaml#/tasks/triage/grants/0",
  api: "tickets",
  refused: 0,
  last_used: null,
  resources: null,
}
const used = {
  ...item,
  operation: "tickets:read",
  granted: 7,
  used: 9,
  last_used: "2026-10-02T01:02:03Z",
  resources: 3,
}
const unused = { ...item, operation: "tickets:comment", granted: 7, used: 0 }
const lasted = (tasks: number, seconds: number) => ({
  ...evidence([used]),
  lasted: [{ type: "triage", tasks, longest_seconds: seconds }],
})

test.each([
  ["nothing where everything was used", evidence([used]), []],
  [
    "an operation that was granted and never used",
    evidence([used, unused]),
    ["granted-never-used tickets:comment"],
  ],
  ["nothing of what was never granted", evidence([used, { ...unused, granted: 0 }]), []],
  [
    "an agent that left to another what both may",
    evidence([
      used,
      { ...used, agent: "bot2" },
      { ...used, used: 0 },
      { ...unused, used: 1, agent: "x" },
      unused,
    ]),
    ["agent-never-used bot"],
  ],
  ["a type that nobody started", evidence([]), ["task-never-started triage:"]],
  ["nothing where the window is empty", evidence([], 0), []],
  ["tasks that took less than half of their deadline", lasted(20, 3599), ["deadline-never-needed 2h"]],
  ["nothing where tasks took half of it", lasted(20, 3599.5), []],
  ["nothing where few tasks ended", lasted(19, 60), []],
] as const)("evidence shows %s", async (_what, given, expected) => {
  const found = review(await policyWith(whole), given)
  expect(found.map(({ rule, place }) => `${rule} ${standingAt(place, whole)}`)).toEqual(expected)
})

test.each([
  ["{", "it is not JSON"],
  ["[]", expect.stringContaining("expected object")],
  ['{"from":"2026-10-01T00:00:00Z","to":"yesterday","entries":1,"items":[]}', expect.stringMatching(/^to: /)],
  [JSON.stringify({ ...evidence([used]), entries: -1 }), expect.stringMatching(/^entries: /)],
])("%s is no evidence", (text, why) => {
  expect(readEvidence(text)).toEqual(why)
})

test("every rule has an id of its own, a summary and a fix, and is played here or in review-conditions.test.ts", () => {
  const ids = REVIEW_RULES.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(REVIEW_RULES.filter(({ id, summary, fix }) => !/^[a-z-]+$/.test(id) || !summary || !fix)).toEqual([])
  const played = [
    "condition-always-holds",
    "condition-never-holds",
    "condition-without-zone",
    ...CHANGES.map(([id]) => id),
    "granted-never-used",
    "agent-never-used",
    "task-never-started",
    "deadline-never-needed",
  ]
  expect(ids.filter((id) => !played.includes(id))).toEqual([])
})
