// Policy escalation by whoever may ask for a task: catalogue area C, decision side.
import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { decide, type TaskRequest } from "../../src/policy/decide.ts"
import { contains } from "../../src/token/authority.ts"
import { faultsOf, policyOf, shippedTexts, textOf } from "../support/policies.ts"

const policy = await policyOf(shippedTexts())
const request: TaskRequest = {
  type: "triage-ticket",
  orchestrator: "support-orchestrator",
  agent: "triage-bot",
  inputs: { ticket: "SUP-1042" },
}
const ask = (change: Partial<TaskRequest>) => decide(policy, { ...request, ...change })
const askWith = (inputs: unknown) => ask({ inputs: inputs as Readonly<Record<string, unknown>> })

describe("operations", () => {
  test.each([
    [["tickets:delete"], ["/operations/0"]],
    [
      ["tickets:read", "tickets:delete", "deployments:plan"],
      ["/operations/1", "/operations/2"],
    ],
  ])(
    "C01 %j is refused whole, with the extra ones named, never narrowed in silence",
    (operations, pointers) => {
      const decision = ask({ operations })
      expect(decision).toMatchObject({ code: "operation_not_allowed" })
      expect(decision instanceof Refusal && decision.errors.map(({ pointer }) => pointer)).toEqual(pointers)
    },
  )

  test.each([
    "*",
    "tickets:*",
    "tickets.*",
    "tickets:",
    "",
    "tickets:read,tickets:comment",
    "tickets:read tickets:comment",
    "tickets:read.",
    "TICKETS:READ",
    "tickets:Read",
    "tickets:read\u200b",
    "ｔickets:read",
    "tickets:read\0",
    " tickets:read",
    "__proto__",
  ])("C02 the operation %j is none of the task's", (operation) => {
    expect(ask({ operations: [operation] })).toMatchObject({ code: "operation_not_allowed" })
  })
})

describe("inputs", () => {
  // A pattern that lets everything through shows that the data rule holds by itself.
  const open = policyOf({
    ...shippedTexts(),
    "support.yaml": textOf("support.yaml").replaceAll('"[A-Z]{2,5}-[0-9]{1,9}"', '"(?s).*"'),
  })

  test.each([
    "../*",
    "*",
    "?",
    "42/../43",
    "42%2F43",
    "42%252F43",
    "..",
    ".",
    "42;43",
    "42\n43",
    "42\0",
    "42 ",
    " 42",
    "42#",
    "42?x",
    "{params.other}",
    "{ticket}",
    "${env}",
    "{{x}}",
    "a\\b",
    "42\u200b",
    "42\u202e",
    "e\u0301",
    "",
    "a".repeat(257),
    "a".repeat(1_000_000),
  ])("C03 the value %j is never data, whatever the pattern allows", async (ticket) => {
    const refused = { code: "inputs_invalid", errors: [{ pointer: "/inputs/ticket" }] }
    expect(decide(await open, { ...request, inputs: { ticket } })).toMatchObject(refused)
    expect(askWith({ ticket })).toMatchObject(refused)
  })

  test.each(["42,43", "４２", "+42", "0x2a", "4_2"])(
    "C03 the value %j is data that the shipped pattern refuses, and where another allows it, it stays as it came",
    async (ticket) => {
      expect(askWith({ ticket })).toMatchObject({ code: "inputs_invalid" })
      const decision = decide(await open, { ...request, inputs: { ticket } })
      expect(decision instanceof Refusal ? decision : decision.authority[0]?.resources[0]).toEqual([
        "tickets",
        ticket,
      ])
    },
  )

  test("C03 values are put in once and never read again as templates", async () => {
    const two = `version: 1
tasks:
  two:
    orchestrators: [support-orchestrator]
    agents: [summarizer]
    deadline: 1h
    inputs: { a: { pattern: ".*" }, b: { pattern: ".*" } }
    grants: [{ api: tickets, operations: ["tickets:read"], resources: ["{a}/{b}"] }]
`
    const by = await policyOf({ ...shippedTexts(), "two.yaml": two })
    const bound = (a: string, b: string) =>
      decide(by, { ...request, type: "two", agent: "summarizer", inputs: { a, b } })
    expect(bound("$b", "x")).toMatchObject({ authority: [{ resources: [["$b", "x"]] }] })
    expect(bound("{b}", "x")).toMatchObject({ code: "inputs_invalid" })
  })

  test.each<unknown>([["42", "43"], { a: 1 }, 42, true, null, undefined, "", "a".repeat(1_000_000), []])(
    "C04 a value is a JSON string of 1 to 256 characters, never %j",
    (ticket) => {
      expect(askWith({ ticket })).toMatchObject({
        code: "inputs_invalid",
        errors: [{ pointer: "/inputs/ticket" }],
      })
    },
  )

  test.each<[string, unknown, readonly string[]]>([
    ["an extra one", { ticket: "SUP-1", other: "x" }, ["/inputs/other"]],
    ["another case", { Ticket: "SUP-1" }, ["/inputs/Ticket", "/inputs/ticket"]],
    ["a missing one", {}, ["/inputs/ticket"]],
    ["an inherited one", Object.create({ ticket: "SUP-1" }), ["/inputs/ticket"]],
    ["__proto__", JSON.parse('{"ticket":"SUP-1","__proto__":{"x":1}}'), ["/inputs/__proto__"]],
    ["a bracketed one", { "ticket[]": "SUP-1" }, ["/inputs/ticket[]", "/inputs/ticket"]],
    ["a pointer's own characters", { ticket: "SUP-1", "a/~b": "x" }, ["/inputs/a~1~0b"]],
  ])("C05 exactly the declared inputs are taken: %s", (_, inputs, pointers) => {
    const decision = askWith(inputs)
    expect(decision).toMatchObject({ code: "inputs_invalid" })
    expect(decision instanceof Refusal && decision.errors.map(({ pointer }) => pointer)).toEqual(pointers)
  })

  test("C06 two inputs side by side can't move the boundary between them", () => {
    const deploy = (service: string, change: string) =>
      decide(policy, {
        type: "deploy-to-production",
        orchestrator: "release-orchestrator",
        agent: "deploy-bot",
        inputs: { service, change },
      })
    expect(deploy("x/y", "1")).toMatchObject({ code: "inputs_invalid" })
    const [one, other] = [deploy("xy", "1"), deploy("xy", "2")]
    if (one instanceof Refusal || other instanceof Refusal) throw new Error("both are allowed")
    expect(contains(one.authority, other.authority)).toBe(false)
    expect(one.authority[1]?.resources).toEqual([
      ["environments", "production", "services", "xy"],
      ["changes", "1"],
    ])
  })
})

test.each(["0s", "4m59s", "299s", "31m", "1801s", "1h", "1e9s", "-5m", "15.5m", "NaN", "15", "P15M", "０5m"])(
  "C07 a token lifetime of %s is refused at load: 5 to 30 minutes, never clamped",
  (lifetime) => {
    const texts = { ...shippedTexts() }
    texts["support.yaml"] = textOf("support.yaml").replace(
      "token_lifetime: 10m",
      `token_lifetime: "${lifetime}"`,
    )
    expect(faultsOf(texts)).toMatch(/^support\.yaml:\d+:21: expected a duration .*from 5m to 30m/)
  },
)

test("C07 a request has no say in lifetimes: the policy's default is 10 minutes", () => {
  const decision = decide(policy, { ...request, ...{ ttl: 1e9, token_lifetime: "30m" } })
  expect(decision).toMatchObject({ taskType: { tokenLifetimeSeconds: 600 } })
})

test.each([
  ["https://deployments.internal.example"],
  ["https://evil.example"],
  ["https://tickets.internal.example/"],
  ["https://TICKETS.internal.example"],
  ["https://tickets.internal.example:443"],
  ["http://tickets.internal.example"],
  ["tickets"],
  ["*"],
  [""],
  ["https://tickets.internal.example", "https://deployments.internal.example"],
])("C08 the APIs %j %s are not all the task's", (...resources) => {
  expect(ask({ resources })).toMatchObject({ code: "api_not_allowed" })
})

describe("names", () => {
  const answer = (decision: unknown) =>
    decision instanceof Refusal && { code: decision.code, errors: decision.errors }
  const denied = { code: "access_denied", errors: [] }

  test.each([
    "nothing",
    "Triage-Ticket",
    "triage-ticket ",
    "triage_ticket",
    "triage-ticket\0",
    "ｔriage-ticket",
    "",
    "__proto__",
    "constructor",
    "deploy-service",
  ])("C09 the task type %j, unknown or another's, is denied alike", (type) => {
    expect(answer(ask({ type }))).toEqual(denied)
  })

  test("C09 a disabled task type is denied as an unknown one is", async () => {
    const disabled = textOf("support.yaml").replace(
      "    deadline: 2h",
      "    deadline: 2h\n    enabled: false",
    )
    const by = await policyOf({ ...shippedTexts(), "support.yaml": disabled })
    expect(answer(decide(by, request))).toEqual(denied)
  })

  test.each<[string, Partial<TaskRequest>]>([
    ["an agent that the type does not list", { agent: "summarizer" }],
    ["an unknown agent", { agent: "nobody" }],
    ["an agent with its instance", { agent: "triage-bot/pod-1" }],
    ["another orchestrator", { orchestrator: "release-orchestrator" }],
    ["an API as orchestrator", { orchestrator: "tickets" }],
    ["staff as orchestrator", { orchestrator: "operations-team" }],
    ["an agent as orchestrator", { orchestrator: "triage-bot" }],
    ["nobody", { orchestrator: "" }],
  ])("C10 %s is denied alike", (_, change) => {
    expect(answer(ask(change))).toEqual(denied)
  })

  test("C10 denial comes before the inputs are looked at, so that they tell nothing", () => {
    expect(answer(ask({ agent: "summarizer", inputs: {} }))).toEqual(denied)
  })
})
