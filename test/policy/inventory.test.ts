import { expect, test } from "vitest"
import { inventoryOf } from "../../src/policy/inventory.ts"
import { policyOf, shippedTexts, textOf } from "../support/policies.ts"

const support = textOf("support.yaml").replace(
  "    limits: { active_tasks: 50",
  "    delegation: { to: { summarizer: [tickets:read, tickets:close] } }\n    limits: { active_tasks: 50",
)
const told = async (change: (text: string) => string = (text) => text) => {
  const policy = await policyOf({ ...shippedTexts(), "support.yaml": change(support) })
  return inventoryOf(policy).map(({ agent, tier, reaches }) => [
    agent,
    tier,
    reaches.map(
      (one) => `${one.task} ${one.through.join()}: ${one.operations.join()} ${one.approvedBy.join()}`,
    ),
  ])
}

const BOT = ["triage-ticket : tickets:read,tickets:comment ", "triage-ticket : tickets:close leads"]
const DEPLOY = [
  "deploy-service : deployments:plan,deployments:apply,deployments:rollback ",
  "deploy-to-production : deployments:plan ",
  "deploy-to-production : deployments:apply,deployments:rollback ",
]
const HANDED = "triage-ticket triage-bot: tickets:read "
const OWN = "summarize-ticket : tickets:read "

test("each agent is listed with what it reaches, its own and handed down, the highest risk first", async () => {
  expect(await told()).toEqual([
    ["deploy-bot", "high", DEPLOY],
    ["triage-bot", "high", BOT],
    ["summarizer", "low", [HANDED, OWN]],
  ])
})

test.each([
  [
    "a disabled agent",
    ["ml-platform@example.com", "ml-platform@example.com\n    enabled: false"],
    undefined,
    [],
  ],
  [
    "an agent with what is handed down after an approval",
    ["at_most: [tickets:read]", "at_most: [tickets:close]"],
    "high",
    ["triage-ticket triage-bot: tickets:close leads"],
  ],
  [
    "an agent of a disabled task",
    ["  summarize-ticket:\n", "  summarize-ticket:\n    enabled: false\n"],
    "low",
    [HANDED],
  ],
  [
    "a sub-agent of a disabled agent",
    ["at_most: [tickets:read, tickets:comment, tickets:close]", "enabled: false"],
    "low",
    [OWN],
  ],
  [
    "an agent of a disabled API",
    ["    resource: https", "    enabled: false\n    resource: https"],
    undefined,
    [],
  ],
  [
    "an agent of a disabled operation",
    ["tickets:read: { risk: low }", "tickets:read: { risk: low, enabled: false }"],
    undefined,
    [],
  ],
  [
    "an agent whose starter is disabled",
    ["  support-orchestrator:\n", "  support-orchestrator:\n    enabled: false\n"],
    undefined,
    [],
  ],
  [
    "an agent with more",
    ["tickets:read: { risk: low }", "tickets:read: { risk: high }"],
    "high",
    [HANDED, OWN],
  ],
] as const)("%s reaches what it may and no more", async (_what, [before, after], tier, reaches) => {
  expect(support).toContain(before)
  const found = (await told((text) => text.replace(before, after))).find(([agent]) => agent === "summarizer")
  expect(found).toEqual(["summarizer", tier, reaches])
})

test("a line tells the conditions of its task type and of its grant", async () => {
  const text = support
    .replace("    deadline: 2h\n", "    deadline: 2h\n    when: has(task.reference)\n")
    .replace("valid: 15m, once: true }", "$&\n        when: 'usage.starts < 5'")
  const policy = await policyOf({ ...shippedTexts(), "support.yaml": text })
  const lines = inventoryOf(policy).flatMap(({ reaches }) => reaches)
  const told = lines.map((one) => [`${one.task} ${one.operations.join()}`, ...one.conditions])
  expect(told.filter(([task]) => !task?.startsWith("deploy"))).toEqual([
    ["triage-ticket tickets:read,tickets:comment", "has(task.reference)"],
    ["triage-ticket tickets:close", "has(task.reference)", "usage.starts < 5"],
    ["triage-ticket tickets:read", "has(task.reference)"],
    ["summarize-ticket tickets:read"],
  ])
})
