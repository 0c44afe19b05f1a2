import { expect, test } from "vitest"
import { diffPolicies } from "../../src/policy/diff.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { policyOf } from "../support/policies.ts"

const BASE = `version: 1
identity_providers:
  people: { issuer: https://login.example.com, audience: taskmint, jwks: { keys: [{ kty: OKP, crv: Ed25519, alg: EdDSA, kid: p, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] } }
apis:
  tickets:
    resource: https://tickets.example
    owner: a@example.com
    operations: { tickets:read: { risk: low }, tickets:close: { risk: high } }
agents:
  bot: { owner: a@example.com }
  helper: { owner: a@example.com, at_most: [tickets:read] }
orchestrators:
  jobs: { owner: a@example.com, authenticate: [{ private_key_jwt: { jwks: jobs.jwks.json } }] }
users:
  team: { provider: people, claims: { groups: team, level: two }, at_most: [tickets:read] }
  bosses: { provider: people, claims: { groups: bosses } }
staff:
  leads: { roles: [approver] }
  chiefs: { roles: [approver] }
tasks:
  triage:
    orchestrators: [jobs]
    agents: [bot]
    deadline: 2h
    on_behalf_of: [team, bosses]
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" }, place: { enum: [here, there] }, count: { integer: { min: 1, max: 9 } } }
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets/{ticket}", "{place}/{count}"] }
      - { api: tickets, operations: [tickets:close], resources: ["tickets/{ticket}"], approval: { by: [leads], valid: 15m } }
    delegation: { to: { helper: [tickets:read] } }
    proof_of_possession: required
    renew: agent
    renewal_grace: 5m
`
const publicKeySet = () => ({ keys: [importSigningKey(generatePrivateJwk("ES256")).publicJwk] })
const KEYS = {
  "jobs.jwks.json": JSON.stringify(publicKeySet()),
  "more.jwks.json": JSON.stringify(publicKeySet()),
}
const load = (text: string) => policyOf({ "p.yaml": text, ...KEYS })
const base = await load(BASE)
const tell = (old: Policy, now: Policy) =>
  diffPolicies(old, now).map(({ direction, text }) => `${direction}: ${text}`)
const changed = (from: string, to: string) => {
  if (!BASE.includes(from)) throw new Error(`nothing to change: ${from}`)
  return load(BASE.replace(from, to))
}

/** What the change says forwards; backwards it says the opposite, or again that it can't be told. */
const CHANGES: readonly (readonly [string, string, string])[] = [
  ["deadline: 2h", "deadline: 4h", "widening: triage may run for 4h; before: 2h"],
  [
    "deadline: 2h",
    "deadline: 2h\n    token_lifetime: 30m",
    "widening: triage has tokens that live for 30m; before: 10m",
  ],
  ["renewal_grace: 5m", "renewal_grace: 90s", "narrowing: triage has a renewal grace of 90s; before: 5m"],
  [
    "proof_of_possession: required",
    "proof_of_possession: optional",
    "widening: triage has proof of possession optional; before: required",
  ],
  [
    "renew: agent\n    renewal_grace: 5m",
    "renew: none",
    "narrowing: triage is renewed by none; before: agent",
  ],
  [
    '[tickets:read], resources: ["tickets/{ticket}"',
    '[tickets:read], resources: ["tickets/*"',
    "widening: bot in triage, started by jobs for users of team, bosses or for none, may now tickets:read on tickets/* of tickets",
  ],
  [
    ", approval: { by: [leads], valid: 15m }",
    "",
    "widening: bot in triage, started by jobs for users of bosses or for none, needs no approval any more to tickets:close on tickets/{ticket} of tickets",
  ],
  [
    "valid: 15m",
    "valid: 1h",
    "widening: bot in triage, started by jobs for users of bosses or for none, is approved more easily to tickets:close on tickets/{ticket} of tickets (by leads for 1h, once; before: by leads for 15m, once)",
  ],
  [
    "agents: [bot]",
    "agents: [bot, helper]",
    "widening: helper in triage, started by jobs for users of team, bosses or for none, may now tickets:read on tickets/{ticket}, {place}/{count} of tickets",
  ],
  [
    "enum: [here, there]",
    "enum: [here]",
    'narrowing: the input "place" of triage does not take values that it did: takes one of here; before: one of here, there',
  ],
  [
    "max: 9 ",
    "max: 99 ",
    'widening: the input "count" of triage takes values that it did not: takes a whole number from 1 to 99, in canonical decimal; before: a whole number from 1 to 9, in canonical decimal',
  ],
  [
    '"[A-Z]+-[0-9]+"',
    '"[A-Z]+-[0-9]{1,9}"',
    'unknown: the input "ticket" of triage takes a text that fits [A-Z]+-[0-9]{1,9}; before: a text that fits [A-Z]+-[0-9]+',
  ],
  [
    '"[A-Z]+-[0-9]+"',
    '".*"',
    'widening: the input "ticket" of triage takes a text that fits .*; before: a text that fits [A-Z]+-[0-9]+',
  ],
  ["{ to: { helper", "{ max_depth: 2, to: { helper", "widening: triage delegates 2 deep; before: 1"],
  [
    "{ to: { helper",
    "{ max_children: 5, to: { helper",
    "widening: triage has 5 sub-agents for each holder at most; before: 1",
  ],
  [
    "to: { helper: [tickets:read] }",
    "to: { helper: [tickets:read], bot: [tickets:close] }",
    "widening: triage may now be delegated to bot for tickets:close",
  ],
  [
    "proof_of_possession",
    "limits: { starts_per_hour: 5 }\n    proof_of_possession",
    "narrowing: triage has the limit startsPerHour 5; before: 1000",
  ],
  ["jwks: jobs.jwks.json", "jwks: more.jwks.json", "widening: jobs may now authenticate with the key"],
  [
    "roles: [approver] }\n  chiefs",
    "roles: [approver, operator] }\n  chiefs",
    "widening: leads has the role operator now",
  ],
  [
    "claims: { groups: team, level: two }",
    "claims: { groups: team }",
    'widening: triage runs for other people by the rule "team" (more of them)',
  ],
  [
    "[team, bosses]",
    "[bosses, team]",
    "unknown: triage asks its rules about users in another order, or others first: people whom two of them fit may get more",
  ],
  [
    "audience: taskmint",
    "audience: mint",
    "unknown: the identity provider people says by other words or keys who somebody is: whom it names can't be told",
  ],
  [
    "tickets:close: { risk: high }",
    "tickets:close: { risk: low }",
    "widening: tickets says that tickets:close is of low risk; before: high",
  ],
  [
    "audience: taskmint",
    "audience: taskmint, enabled: false",
    "narrowing: bot in triage, started by jobs for users of team, bosses, may no longer tickets:read on tickets/{ticket}",
  ],
  [
    "audience: taskmint",
    "audience: taskmint, enabled: false",
    "narrowing: the identity provider people vouches for nobody now",
  ],
  [
    "tickets:read: { risk: low }",
    "tickets:read: { risk: low, enabled: false }",
    "narrowing: bot in triage, started by jobs for users of team, bosses or for none, may no longer tickets:read on tickets/{ticket}",
  ],
  [
    "tickets:close: { risk: high }",
    "tickets:close: { risk: high, enabled: false }",
    "narrowing: bot in triage, started by jobs for users of bosses or for none, may no longer tickets:close on tickets/{ticket}",
  ],
  [
    "staff:",
    "anomalies: { unusual_rate: { enabled: false } }\nstaff:",
    "widening: the rule unusual_rate is looked for no more",
  ],
  [
    "staff:",
    "anomalies: { unusual_rate: { at_least: 50 } }\nstaff:",
    "narrowing: the rule unusual_rate finds nothing below 50; before: 100",
  ],
  [
    "staff:",
    "anomalies: { canary_used: { action: revoke, tasks: [triage] } }\nstaff:",
    "narrowing: the rule canary_used revokes tasks behind it; before: nothing (every task type)",
  ],
]
const OPPOSITE: Readonly<Record<string, string>> = {
  widening: "narrowing",
  narrowing: "widening",
  unknown: "unknown",
}

test.each(CHANGES)("%s -> %s", async (from, to, said) => {
  const now = await changed(from, to)
  expect(tell(base, now).some((one) => one.startsWith(said))).toBe(true)
  const [direction = ""] = said.split(":")
  expect(diffPolicies(now, base).some((one) => one.direction === OPPOSITE[direction])).toBe(true)
})

test.each([
  ["owner: a@example.com", "owner: b@example.com"],
  [
    'resources: ["tickets/{ticket}", "{place}/{count}"]',
    'resources: ["{place}/{count}", "tickets/{ticket}", "{place}/{count}"]'.replace(
      ', "{place}/{count}"]',
      "]",
    ),
  ],
  ["tickets:read, tickets:close", "tickets:read, tickets:close"],
  ["staff:", "anomalies: { unusual_rate: { at_least: 100 }, canary_used: {} }\nstaff:"],
])("what nobody gains or loses by is no finding: %s", async (from, to) => {
  expect(tell(base, await load(BASE.replace(from, to)))).toEqual([])
})

test("who a provider vouches for may authenticate no more where it is disabled, and nothing else is told of it", async () => {
  const leads =
    "leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }"
  const text = BASE.replace("leads: { roles: [approver] }", leads).replace(
    "    on_behalf_of: [team, bosses]\n",
    "",
  )
  const off = text.replace("audience: taskmint", "audience: mint, enabled: false")
  const person = 'authenticate as a person of people with {"claims":{"groups":"leads"}}'
  const [on, without] = [await load(text), await load(off)]
  expect(tell(without, on)).toEqual([
    "widening: the identity provider people vouches for people and workloads now",
    `widening: leads may now ${person}`,
  ])
  expect(tell(on, without)).toEqual([
    "narrowing: the identity provider people vouches for nobody now",
    `narrowing: leads may no longer ${person}`,
  ])
  expect(tell(without, await load(off.replace("mint", "other")))).toEqual([])
})

test("both sides are named by file and line", async () => {
  const [found] = diffPolicies(base, await changed("deadline: 2h", "deadline: 4h"))
  expect([found?.old, found?.new]).toEqual([
    { file: "p.yaml", line: 21, column: 3 },
    { file: "p.yaml", line: 21, column: 3 },
  ])
})

test("a condition that is new narrows, one that is gone widens, of another nobody can tell", () => {
  const withWhen = (source: string): Policy => {
    const triage = base.tasks.get("triage")
    if (!triage) throw new Error("no task")
    const when = { source, asksUsage: false, place: triage.place, holds: () => true }
    return { ...base, tasks: new Map([["triage", { ...triage, when }]]) }
  }
  const ways = (old: Policy, now: Policy) => [
    ...new Set(diffPolicies(old, now).map(({ direction }) => direction)),
  ]
  expect(ways(base, withWhen("now > 1"))).toEqual(["narrowing"])
  expect(ways(withWhen("now > 1"), base)).toEqual(["widening"])
  expect(ways(withWhen("now > 1"), withWhen("now > 2"))).toEqual(["unknown"])
  expect(ways(withWhen("now > 1"), withWhen("now > 1"))).toEqual([])
})
