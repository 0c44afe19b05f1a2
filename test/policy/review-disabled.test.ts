// What a reviewer says where an operation or an identity provider is disabled: only what nobody can do any more.
import { expect, test } from "vitest"
import { review } from "../../src/policy/review.ts"
import { policyOf } from "../support/policies.ts"

const PERSON = "authenticate: [{ openid: { provider: people, claims: { groups: leads } } }]"
const TEXT = `version: 1
identity_providers:
  people: { issuer: https://login.example.com, audience: taskmint }
  ci: { issuer: https://ci.example.com }
apis:
  tickets:
    resource: https://tickets.example
    owner: a@example.com
    operations: { tickets:read: { risk: low }, tickets:close: { risk: high } }
agents: { bot: { owner: a@example.com } }
orchestrators: { queue: { owner: a@example.com, authenticate: [{ workload: { provider: ci, subject: job-1 } }] } }
staff: { leads: { roles: [approver], ${PERSON} } }
users: { team: { provider: people, claims: { groups: team } } }
tasks:
  triage:
    description: Read and close
    orchestrators: [queue]
    agents: [bot]
    on_behalf_of: { users: [team], required: true }
    deadline: 2h
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets"] }
      - { api: tickets, operations: [tickets:close], resources: ["tickets"], approval: { by: [leads], valid: 15m } }
    proof_of_possession: required
`
const OFF = ", enabled: false }"

test.each<[string, [string | RegExp, string][], string[]]>([
  ["nothing", [], []],
  [
    "an operation that nothing grants",
    [["{ risk: high }", `{ risk: high }, tickets:delete: { risk: high${OFF}`]],
    [],
  ],
  [
    "an operation of high risk of a foreign API",
    [
      ["resource:", "foreign: true\n    resource:"],
      ["risk: high }", `risk: high${OFF}`],
    ],
    [],
  ],
  [
    "every operation",
    [[/(risk: \w+) }/g, `$1${OFF}`]],
    ["task-nobody-starts: at_most of its agents, or disabled"],
  ],
  [
    "the provider of the people",
    [["audience: taskmint }", `audience: taskmint${OFF}`]],
    [
      "task-nobody-starts: the user rules that it needs are disabled, or their providers",
      "approval-nobody-decides: nobody of leads can sign in to decide",
    ],
  ],
  [
    "the provider of the workloads",
    [["ci.example.com }", `ci.example.com${OFF}`]],
    ['caller-without-credential: the orchestrator "queue" has no way to authenticate'],
  ],
])("with %s disabled", async (_what, changes, told) => {
  const text = changes.reduce((one, [from, to]) => one.replace(from, to), TEXT)
  const remarks = review(await policyOf({ "a.yaml": text }))
  const said = remarks.map(
    ({ rule, message }) => `${rule}: ${message.replace(/^nobody may start "triage": /, "")}`,
  )
  expect(said.map((one, at) => one.slice(0, told[at]?.length))).toEqual(told)
})
