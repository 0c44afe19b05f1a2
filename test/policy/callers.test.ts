import { expect, test } from "vitest"
import { caller } from "../../src/policy/callers.ts"
import { providerOf } from "../../src/policy/vouching.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"

const policy = await policyOf(shippedTexts())

test.each([
  ["support-orchestrator", { kind: "orchestrator", scopes: ["orchestrator"] }],
  ["tickets", { kind: "api", scopes: ["api"], resource: "https://tickets.internal.example" }],
  ["audit-team", { kind: "staff", scopes: ["auditor"] }],
  ["operations-team", { kind: "staff", scopes: ["operator"] }],
])("%s is a caller by its name, with its keys and its scopes", (name, expected) => {
  expect(caller(policy, name)).toMatchObject({ name, ...expected })
  expect(caller(policy, name)?.keySets.map(({ keys }) => keys.length)).toEqual([1])
})

test.each(["triage-bot", "triage-ticket", "nobody", "", "__proto__", "constructor", "Tickets", "tickets "])(
  "%j is not a caller",
  (name) => {
    expect(caller(policy, name)).toBeUndefined()
  },
)

test("whom a disabled provider vouches for is nobody; a key is a key", async () => {
  const written = (enabled: boolean) => `version: 1
identity_providers:
  ci: { issuer: https://ci.example, audience: taskmint, enabled: ${enabled} }
  spare: { issuer: https://spare.example, audience: taskmint }
agents:
  runner: { owner: a, authenticate: [{ workload: { provider: ci, subject: job-1 } }] }
orchestrators:
  jobs:
    owner: a
    authenticate:
      - workload: { provider: ci, subject: job-1 }
      - workload: { provider: spare, subject: job-1 }
staff:
  leads:
    roles: [auditor]
    authenticate:
      - { openid: { provider: ci, claims: { groups: leads } } }
      - { private_key_jwt: { jwks: keys/audit-team.jwks.json } }
`
  const keys = Object.entries(shippedTexts()).filter(([name]) => name.endsWith(".jwks.json"))
  const read = (enabled: boolean) => policyOf({ "a.yaml": written(enabled), ...Object.fromEntries(keys) })
  const ways = async (enabled: boolean) => {
    const by = await read(enabled)
    return ["runner", "jobs", "leads"].map((name) => {
      const { keySets, workloads, people } = caller(by, name) ?? {}
      return [keySets?.length, workloads?.map(({ provider }) => provider), people?.length]
    })
  }
  const nobody = [undefined, undefined, undefined]
  expect(await ways(true)).toEqual([
    [0, ["ci"], 0],
    [0, ["ci", "spare"], 0],
    [1, [], 1],
  ])
  expect(await ways(false)).toEqual([nobody, [0, ["spare"], 0], [1, [], 0]])
  const known = async (enabled: boolean) => {
    const by = await read(enabled)
    return ["https://ci.example", "https://ci.example/", "https://CI.example"].map(
      (iss) => providerOf(by, iss)?.name,
    )
  }
  expect([await known(true), await known(false)]).toEqual([
    ["ci", undefined, undefined],
    [undefined, undefined, undefined],
  ])
})

test("a disabled name is not a caller", async () => {
  const texts = shippedTexts()
  const disabled = texts["support.yaml"]?.replaceAll(
    "    authenticate:\n",
    "    enabled: false\n    authenticate:\n",
  )
  const without = await policyOf({ ...texts, "support.yaml": disabled ?? "" })
  expect([caller(without, "support-orchestrator"), caller(without, "tickets")]).toEqual([
    undefined,
    undefined,
  ])
})
