import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { decide, type TaskRequest } from "../../src/policy/decide.ts"
import { operationsOf } from "../../src/token/authority.ts"
import { policyOf, shippedTexts, textOf } from "../support/policies.ts"

const policy = await policyOf(shippedTexts())
const TICKETS = "https://tickets.internal.example"
const DEPLOYMENTS = "https://deployments.internal.example"

const triage: TaskRequest = {
  type: "triage-ticket",
  orchestrator: "support-orchestrator",
  agent: "triage-bot",
  inputs: { ticket: "SUP-1042" },
}
const production: TaskRequest = {
  type: "deploy-to-production",
  orchestrator: "release-orchestrator",
  agent: "deploy-bot",
  inputs: { service: "checkout", change: "17" },
}

const decided = (request: TaskRequest, by = policy) => {
  const decision = decide(by, request)
  if (decision instanceof Refusal) throw new Error(JSON.stringify(decision))
  return decision
}

describe("what is allowed", () => {
  test("everything that the task type grants, with the inputs bound", () => {
    const rule = "support.yaml#/tasks/triage-ticket/grants"
    expect(decided(triage).authority).toEqual([
      {
        api: TICKETS,
        operations: ["tickets:read", "tickets:comment"],
        resources: [
          ["tickets", "SUP-1042"],
          ["tickets", "SUP-1042", "comments"],
        ],
        rule: `${rule}/0`,
      },
    ])
    expect(decided(triage).approvable).toEqual([
      {
        api: TICKETS,
        operations: ["tickets:close"],
        resources: [["tickets", "SUP-1042"]],
        rule: `${rule}/1`,
        approval: { by: ["leads"], validSeconds: 900, once: true },
      },
    ])
    expect(decided(triage).apis).toEqual([TICKETS])
  })

  test("patterns stay patterns beside bound inputs", () => {
    expect(decided(production).authority.map(({ resources }) => resources)).toEqual([
      [["environments", "*", "services", "checkout"]],
      [
        ["environments", "production", "services", "checkout"],
        ["changes", "17"],
      ],
    ])
  })

  test("the subset of operations that was asked for", () => {
    const { authority, approvable } = decided({
      ...triage,
      operations: ["tickets:close", "tickets:read", "tickets:read"],
    })
    expect([...authority, ...approvable].map(({ operations }) => operations)).toEqual([
      ["tickets:read"],
      ["tickets:close"],
    ])
  })

  test("the APIs whose tokens are wanted now narrow no authority", () => {
    expect(decided({ ...triage, resources: [TICKETS, TICKETS] }).apis).toEqual([TICKETS])
    const none = decided({ ...triage, resources: [] })
    expect([none.apis, none.authority.length, none.approvable.length]).toEqual([[], 1, 1])
  })

  test("no token is wanted of an API of which all that was asked for waits for a person", () => {
    for (const resources of [undefined, [TICKETS]]) {
      const { apis, approvable } = decided({ ...triage, operations: ["tickets:close"], resources })
      expect([apis, approvable.length]).toEqual([[], 1])
    }
  })

  test("never more than at_most of the agent", async () => {
    const texts = shippedTexts()
    const less = textOf("support.yaml").replace(
      "at_most: [tickets:read, tickets:comment, tickets:close]",
      "at_most: [tickets:read]",
    )
    const by = await policyOf({ ...texts, "support.yaml": less })
    expect(decided(triage, by).authority.map(({ operations }) => operations)).toEqual([["tickets:read"]])
    expect(decide(by, { ...triage, operations: ["tickets:comment"] })).toMatchObject({
      code: "operation_not_allowed",
    })
  })
})

test("a disabled API grants nothing; with nothing left there is no task", async () => {
  const off = textOf("support.yaml").replace("resource: https", "enabled: false\n    resource: https")
  const by = await policyOf({ ...shippedTexts(), "support.yaml": off })
  expect(decide(by, triage)).toMatchObject({ code: "access_denied" })
})

describe("a disabled operation", () => {
  const off = (operation: string) => {
    const text = textOf("support.yaml").replace(
      new RegExp(`(${operation}: \\{ risk: \\w+) }`),
      "$1, enabled: false }",
    )
    return policyOf({ ...shippedTexts(), "support.yaml": text })
  }

  test.each([
    ["tickets:comment", ["tickets:read"], ["tickets:close"]],
    ["tickets:close", ["tickets:read", "tickets:comment"], []],
  ])("is granted to nobody, with or without an approval: %s", async (operation, free, approvable) => {
    const by = await off(operation)
    const decision = decided(triage, by)
    expect(operationsOf(decision.authority)).toEqual(free)
    expect(operationsOf(decision.approvable)).toEqual(approvable)
    expect(decide(by, { ...triage, operations: [operation] })).toMatchObject({
      code: "operation_not_allowed",
      errors: [{ pointer: "/operations/0" }],
    })
  })

  test("leaves no task where nothing else is granted, and its API goes on telling its risk", async () => {
    const by = await off("tickets:read")
    expect(decide(by, { ...triage, type: "summarize-ticket", agent: "summarizer" })).toMatchObject({
      code: "access_denied",
    })
    expect(by.apis.get("tickets")?.operations.get("tickets:read")).toEqual({ risk: "low", enabled: false })
  })
})

test.each<[string, Partial<TaskRequest>, string]>([
  ["no operation at all", { operations: [] }, "/operations"],
  ["an operation of another API", { operations: ["deployments:plan"] }, "/operations/0"],
])("asking for %s is refused", (_, change, pointer) => {
  expect(decide(policy, { ...triage, ...change })).toMatchObject({
    code: "operation_not_allowed",
    errors: [{ pointer }],
  })
})

test("a grant whose condition can't be told refuses the others, too, and one that does not hold goes alone", async () => {
  const onClosing = (when: string) =>
    policyOf({
      ...shippedTexts(),
      "support.yaml": textOf("support.yaml").replace(
        "operations: [tickets:close]\n",
        (line) => `${line}        when: '${when}'\n`,
      ),
    })
  const untold = decide(await onClosing('task.reference == "run-1"'), triage)
  expect(untold).toMatchObject({
    code: "condition_not_met",
    reason: expect.stringContaining("can't be told"),
  })
  const { authority, approvable } = decided(triage, await onClosing('task.type == "another"'))
  expect([operationsOf(authority), approvable]).toEqual([["tickets:read", "tickets:comment"], []])
})

test("an API that the narrowed operations leave out is not to be had", async () => {
  const both = `version: 1
tasks:
  both:
    orchestrators: [release-orchestrator]
    agents: [both-bot]
    deadline: 1h
    grants:
      - { api: tickets, operations: ["tickets:read"], resources: ["tickets/*"] }
      - { api: deployments, operations: ["deployments:plan"], resources: ["**"] }
agents: { both-bot: { owner: a } }
`
  const by = await policyOf({ ...shippedTexts(), "both.yaml": both })
  const request = { type: "both", orchestrator: "release-orchestrator", agent: "both-bot", inputs: {} }
  expect(decided(request, by).apis).toEqual([TICKETS, DEPLOYMENTS])
  expect(decide(by, { ...request, operations: ["tickets:read"], resources: [DEPLOYMENTS] })).toMatchObject({
    code: "api_not_allowed",
    errors: [{ pointer: "/resources/0" }],
  })
})

test.each([
  ["1", true],
  ["999999999", true],
  ["0", false],
  ["1000000000", false],
  ["01", false],
  ["+1", false],
  ["1.0", false],
  ["1e3", false],
  ["-1", false],
  ["١", false],
])("an integer input is canonical decimal within its range: %s", (change, allowed) => {
  const decision = decide(policy, { ...production, inputs: { service: "checkout", change } })
  expect(decision instanceof Refusal).toBe(!allowed)
})

test("what is wrong with inputs is listed up to twenty, however many there are", () => {
  const inputs = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`stranger-${at}`, "x"]))
  const refused = decide(policy, { ...triage, inputs })
  expect(refused instanceof Refusal && [refused.code, refused.errors.length]).toEqual(["inputs_invalid", 20])
})
