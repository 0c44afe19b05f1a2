import { expect, test } from "vitest"
import { caller } from "../../src/policy/callers.ts"
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
