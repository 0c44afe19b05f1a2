// Whom a task may run for, by plain data: a person is let in by the first rule that fits, and gets no more than it says.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { REFUSALS, Refusal } from "../../src/errors.ts"
import { fittingUser, keepUser, type User } from "../../src/policy/behalf.ts"
import { decide } from "../../src/policy/decide.ts"
import { explain } from "../../src/policy/explain.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { operationsOf } from "../../src/token/authority.ts"
import { faultsOf, policyOf } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const PEOPLE = "https://login.example"
const JWKS =
  "{ keys: [{ kty: EC, kid: c, crv: P-256, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM }] }"

const written = (changes: Readonly<Record<string, string>> = {}) => {
  const parts: Record<string, string> = {
    issuer: PEOPLE,
    people: "true",
    leads: "{ provider: people, claims: { groups: leads } }",
    staff: "{ provider: people, claims: { groups: support }, at_most: [tickets:read, tickets:comment] }",
    behalf: "[leads, staff]",
    agent: "[tickets:read, tickets:close]",
    ...changes,
  }
  return `version: 1
identity_providers:
  people: { issuer: ${parts.issuer}, jwks: ${JWKS}, audience: taskmint, enabled: ${parts.people} }
  others: { issuer: https://other.example, jwks: ${JWKS}, audience: taskmint }
apis:
  tickets:
    resource: https://tickets.example
    owner: support
    operations: { tickets:read: { risk: low }, tickets:comment: { risk: low }, tickets:close: { risk: high } }
agents: { bot: { owner: support, at_most: ${parts.agent} } }
orchestrators: { desk: { owner: support } }
users:
  leads: ${parts.leads}
  staff: ${parts.staff}
tasks:
  triage:
    orchestrators: [desk]
    agents: [bot]
    on_behalf_of: ${parts.behalf}
    deadline: 2h
    grants: [{ api: tickets, operations: [tickets:read, tickets:comment, tickets:close], resources: ["tickets/*"] }]
`
}
const policy = await policyOf({ "a.yaml": written() })
const changed = (changes: Readonly<Record<string, string>>) => policyOf({ "a.yaml": written(changes) })

const ana: User = {
  sub: "people/ana",
  provider: "people",
  issuer: PEOPLE,
  claims: { groups: ["support", "night"] },
}
const lea: User = {
  sub: "people/lea",
  provider: "people",
  issuer: PEOPLE,
  claims: { groups: ["support", "leads"] },
}

const decided = (by: Policy, user?: User) =>
  decide(by, { type: "triage", orchestrator: "desk", agent: "bot", inputs: {}, user })

function allowed(by: Policy, user?: User) {
  const decision = decided(by, user)
  if (decision instanceof Refusal) return decision.code
  return [decision.userRule?.name, ...operationsOf(decision.authority)]
}

describe("a task for a user may do what the agent, the user and the task type all may", () => {
  test.each([
    ["without a user: the agent's part", undefined, [undefined, "tickets:read", "tickets:close"]],
    ["the user's and the agent's part", ana, ["staff", "tickets:read"]],
    ["the first rule of the task type that fits decides", lea, ["leads", "tickets:read", "tickets:close"]],
  ])("%s", (_, user, wanted) => {
    expect(allowed(policy, user)).toEqual(wanted)
  })

  test("nothing in common is refused", async () => {
    const staff = "{ provider: people, claims: { groups: support }, at_most: [tickets:comment] }"
    expect(allowed(await changed({ staff }), ana)).toBe("access_denied")
  })
})

describe("is refused", () => {
  test.each<[string, Readonly<Record<string, string>>, User]>([
    ["a person whom no rule names", {}, { ...ana, claims: { groups: ["sales"] } }],
    ["a claim that only begins alike", {}, { ...ana, claims: { groups: "support-2" } }],
    [
      "another provider's person in the same group",
      {},
      { ...ana, provider: "others", issuer: "https://other.example" },
    ],
    ["a provider that has another issuer by now", { issuer: "https://moved.example" }, ana],
    ["a provider that is disabled", { people: "false" }, ana],
    ["a rule that is not the task type's", { behalf: "[leads]" }, ana],
    [
      "a rule that is disabled",
      { staff: "{ provider: people, claims: { groups: support }, enabled: false }" },
      ana,
    ],
  ])("%s", async (_, changes, user) => {
    expect(allowed(await changed(changes), user)).toBe("access_denied")
  })

  test("where the provider is disabled, nobody it names, and nobody else", async () => {
    const off = await changed({ people: "false", staff: "{ provider: others, claims: { groups: support } }" })
    expect(allowed(off, lea)).toBe("access_denied")
    const other = { ...ana, sub: "others/ana", provider: "others", issuer: "https://other.example" }
    expect(allowed(off, other)).toEqual(["staff", "tickets:read", "tickets:close"])
    expect(allowed(off)).toEqual([undefined, "tickets:read", "tickets:close"])
    const request = { type: "triage", orchestrator: "desk", agent: "bot", inputs: {} }
    const { steps } = explain(off, { ...request, user: fittingUser(off, "leads") })
    expect(steps.filter(({ ok }) => !ok).map(({ text }) => text)).toEqual([
      'the identity provider "people" is disabled',
      'at_most of "bot" leaves out tickets:comment',
      "refused: [user] the identity provider is disabled or left the policy",
    ])
  })

  test("a user where the task type runs for none", async () => {
    const none = await policyOf({ "a.yaml": written().replace(/^ {4}on_behalf_of.*\n/m, "") })
    expect(allowed(none, ana)).toBe("access_denied")
    expect(allowed(none)).toEqual([undefined, "tickets:read", "tickets:close"])
  })

  test("no user where there must be one, with the field that is missing", async () => {
    const always = await changed({ behalf: "{ users: [staff], required: true }" })
    expect(allowed(always, ana)).toEqual(["staff", "tickets:read"])
    expect(decided(always)).toMatchObject({
      code: "invalid_request",
      errors: [{ pointer: "/subject_token" }],
    })
  })
})

describe("later mints decide by what was kept, and by the rules as of now", () => {
  const rule = policy.users.get("staff")
  if (!rule) throw new Error("no such rule")
  const kept: User = { ...keepUser(ana, rule), sub: ana.sub }

  test("nothing of the person is kept but what the rule asked for", () => {
    expect(keepUser(ana, rule)).toEqual({
      rule: "staff",
      provider: "people",
      issuer: PEOPLE,
      claims: { groups: "support" },
    })
  })

  test.each<[string, Readonly<Record<string, string>>, unknown]>([
    ["the same rule lets them in", {}, ["staff", "tickets:read"]],
    [
      "with what it allows now",
      { staff: "{ provider: people, claims: { groups: support } }" },
      ["staff", "tickets:read", "tickets:close"],
    ],
    [
      "a rule that asks for something else does not",
      { staff: "{ provider: people, claims: { groups: night } }" },
      "access_denied",
    ],
    [
      "a rule that asks for more does not",
      { staff: "{ provider: people, claims: { groups: support, mfa: true, on: duty } }" },
      "access_denied",
    ],
    [
      "another rule that would fit does not",
      {
        leads: "{ provider: people, claims: { groups: support } }",
        staff: "{ provider: people, claims: { groups: x } }",
      },
      "access_denied",
    ],
  ])("%s", async (_, changes, wanted) => {
    expect(allowed(await changed(changes), kept)).toEqual(wanted)
  })
})

test.each([
  [
    "staff",
    true,
    ['at_most of "bot" leaves out tickets:comment', 'at_most of "staff" leaves out tickets:close'],
  ],
  [
    "stuff",
    false,
    [
      'the user rule "stuff" is unknown (did you mean "staff"?)',
      '"triage" does not run for users of "stuff"',
    ],
  ],
])("what a task for somebody of %s may is explained, with what each leaves out", (name, allowed, said) => {
  const request = { type: "triage", orchestrator: "desk", agent: "bot", inputs: {} }
  const explained = explain(policy, { ...request, user: fittingUser(policy, name) })
  expect(explained.allowed).toBe(allowed)
  const failures = explained.steps.filter((step) => !step.ok).map((step) => step.text)
  expect(failures).toEqual(expect.arrayContaining(said))
})

test("the policy that docs/users.md shows is one, and the codes that it names are there", () => {
  const page = readFileSync(join(ROOT, "docs/users.md"), "utf8")
  const [, shown = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? []
  const around = written()
    .replace(/^identity_providers:[\s\S]*?(?=^apis:)/m, "")
    .replace(/^users:[\s\S]*$/m, "")
  const rest = `
    orchestrators: [desk]
    agents: [bot]
    deadline: 2h
    grants: [{ api: tickets, operations: [tickets:read], resources: ["tickets/*"] }]
`
  expect(faultsOf({ "a.yaml": around + shown.trimEnd() + rest })).toBe("")
  const codes = [...page.matchAll(/`([a-z]+_[a-z_]+)`/g)].map(([, code = ""]) => code)
  const members = ["at_most", "on_behalf_of", "name_claim", "client_id", "subject_token"]
  expect(codes.filter((code) => !(code in REFUSALS) && !members.includes(code))).toEqual([])
})
