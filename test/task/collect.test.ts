import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { asOrchestrator } from "../../src/task/approval.ts"
import type { CollectRequest } from "../../src/task/collect.ts"
import type { Started, StartRequest } from "../../src/task/start.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createWorld, ISSUER, type World } from "../support/world.ts"

const jwk = () => importSigningKey(generatePrivateJwk("ES256")).publicJwk
const api = (name: string) =>
  `{ resource: https://${name}.example, owner: a, operations: { ${name}:read: { risk: low }, ${name}:write: { risk: high } } }`
const type = (rest: string) => `
    orchestrators: [runner, other]
    agents: [bot, second, mute]
    deadline: 2h
    grants:
      - { api: crm, operations: [crm:read], resources: ["**"] }
      - { api: docs, operations: [docs:read], resources: ["**"] }
    ${rest}`
const agent = () =>
  `{ owner: a, authenticate: [{ private_key_jwt: { jwks: { keys: [${JSON.stringify(jwk())}] } } }] }`
const POLICY = `version: 1
apis: { crm: ${api("crm")}, docs: ${api("docs")} }
agents: { bot: ${agent()}, second: ${agent()}, mute: { owner: a } }
orchestrators: { runner: { owner: a }, other: { owner: a } }
staff: { lead: { roles: [approver], authenticate: [{ private_key_jwt: { jwks: { keys: [${JSON.stringify(jwk())}] } } }] } }
tasks:
  look:${type("renew: none")}
  keep:${type("proof_of_possession: required")}
  edit:${type('  - { api: crm, operations: [crm:write], resources: ["**"], approval: { by: [lead], valid: 15m } }')}
`
const [K1 = "", K2 = ""] = ["", ""].map(() => importSigningKey(generatePrivateJwk("ES256")).thumbprint)

let world: World
beforeEach(async () => {
  world = await createWorld({ files: { "p.yaml": POLICY } })
})
afterEach(async () => {
  await world.leave()
})

const ask = (request: Partial<StartRequest> = {}) =>
  world.tasks.start("runner", {
    type: "look",
    agent: { id: "bot", instance: "pod-1" },
    purpose: "Look something up",
    inputs: {},
    deliver: "agent",
    ...request,
  })
const start = async (request: Partial<StartRequest> = {}): Promise<Started> => {
  const started = await ask(request)
  if (started instanceof Refusal) throw new Error(`refused: ${started.code} ${started.reason}`)
  return started
}
const collect = async (taskId: string, request: CollectRequest = {}, agent = "bot") => {
  const collected = await world.tasks.collect(agent, taskId, request)
  return collected instanceof Refusal ? collected.code : collected.tokens
}
const claimsOf = (tokens: Awaited<ReturnType<typeof collect>>) => {
  if (typeof tokens === "string") throw new Error(tokens)
  return tokens.map(({ accessToken }) => {
    const opened = openTaskToken(accessToken, (kid) => world.keyring.keyOf(kid))
    if (!("token" in opened)) throw new Error(opened.tag)
    return opened.token
  })
}
const kindsOf = async (task: string) =>
  (await world.ledger.read({ task })).entries.map(({ kind, code }) => (code ? `${kind} ${code}` : kind))

describe("a task whose tokens its agent collects", () => {
  test("is started without a token, and collected with all that it grants, bound to the agent's key", async () => {
    const started = await start()
    expect([started.created, started.tokens]).toEqual([true, []])
    expect(await kindsOf(started.taskId)).toEqual(["task.started"])
    const tokens = claimsOf(await collect(started.taskId, { dpopJkt: K1 }))
    expect(tokens.map(({ aud, jkt, txn }) => [aud, jkt, txn])).toEqual([
      ["https://crm.example", K1, started.taskId],
      ["https://docs.example", K1, started.taskId],
    ])
    expect(await kindsOf(started.taskId)).toEqual(["task.started", "token.issued", "token.issued"])
  })

  test("may ask for proof of possession, for which the key comes with the agent", async () => {
    const { taskId } = await start({ type: "keep" })
    expect(await collect(taskId)).toBe("key_required")
    expect(claimsOf(await collect(taskId, { provenJkt: K1 })).map(({ jkt }) => jkt)).toEqual([K1, K1])
  })

  test("is bound to the key that the agent proved, unless it names another", async () => {
    const [one, other] = [await start(), await start()]
    expect(claimsOf(await collect(one.taskId, { provenJkt: K1 }))[0]?.jkt).toBe(K1)
    expect(claimsOf(await collect(other.taskId, { provenJkt: K1, dpopJkt: K2 }))[0]?.jkt).toBe(K2)
  })

  test("is found again by its reference, still without a token, whichever instance is named", async () => {
    const reference = "run-1"
    const one = await start({ reference })
    await collect(one.taskId, { dpopJkt: K1 })
    const again = await start({ reference })
    const restarted = await start({ reference, agent: { id: "bot", instance: "pod-2" } })
    expect([again, restarted].map(({ created, taskId, tokens }) => [created, taskId, tokens])).toEqual([
      [false, one.taskId, []],
      [false, one.taskId, []],
    ])
    const asked = await ask({ reference, deliver: undefined })
    expect(asked instanceof Refusal && asked.code).toBe("reference_conflict")
  })

  test("is not started for an agent that could never collect", async () => {
    const asked = await ask({ agent: { id: "mute", instance: "pod-1" } })
    expect(asked instanceof Refusal && [asked.code, asked.errors[0]?.pointer]).toEqual([
      "invalid_request",
      "/deliver",
    ])
  })
})

describe("what was approved", () => {
  const approved = async () => {
    const { taskId } = await start({ type: "edit" })
    const runner = asOrchestrator("runner")
    const question = { taskId, operation: "crm:write", resource: ["a"], reason: "It is time" }
    const asked = await world.approvals.request(runner, question)
    if (asked instanceof Refusal) throw new Error(asked.reason)
    const { approvalId } = asked.approval
    await world.approvals.decide({ name: "lead", person: "people/lin@example.com" }, approvalId, "grant")
    const collected = await world.approvals.collect(runner, taskId, approvalId)
    return { taskId, token: collected instanceof Refusal ? collected.code : collected.tokens[0] }
  }
  const statesOf = async (taskId: string) => {
    const task = await world.tasks.show({ clientId: "runner", staff: false }, taskId)
    return task instanceof Refusal ? task.code : task.tokens.map(({ state }) => state)
  }

  test("is no token that the agent has had: it collects its first, and what was approved lives on", async () => {
    const { taskId, token } = await approved()
    expect(token).toMatchObject({ scope: "crm:write" })
    expect(claimsOf(await collect(taskId)).map(({ scope }) => scope)).toEqual([["crm:read"], ["docs:read"]])
    expect(await collect(taskId)).toBe("renewal_not_allowed")
    expect(await statesOf(taskId)).toEqual(["live", "live", "live"])
  })

  test("of two that are one and the same, one collects beside it", async () => {
    const { taskId } = await approved()
    const both = await Promise.all([collect(taskId), collect(taskId)])
    expect(both.filter((tokens) => typeof tokens !== "string")).toHaveLength(1)
  })

  test("is not answered as the API's token when the task is resumed", async () => {
    const { taskId } = await approved()
    await world.tasks.change("runner", taskId, "pause")
    expect(await world.tasks.change("runner", taskId, "resume")).toMatchObject({
      state: "active",
      tokens: [],
    })
    expect(claimsOf(await collect(taskId))).toHaveLength(2)
  })
})

describe("an API's token that the task was not started with", () => {
  test.each([
    ["crm", "approval_required"],
    ["docs", "access_denied"],
  ])("of %s: %s", async (name, code) => {
    const { taskId } = await start({ type: "edit", operations: ["crm:write"], deliver: undefined })
    const resource = `https://${name}.example`
    expect(await world.tasks.renew("runner", taskId, { resource })).toMatchObject({ code })
  })
})

test.each([
  ["is granted no more", (line: string) => line.replace("docs:read]", "docs:write]"), "access_denied"],
  [
    "is granted only once a person agrees",
    (line: string) => line.replace(" }", ", approval: { by: [lead], valid: 15m } }"),
    "approval_required",
  ],
])(
  "nobody is sent to a person for a token that no person could give: what was had %s",
  async (_, change, code) => {
    const operations = ["docs:read", "crm:write"]
    const { taskId, tokens } = await start({ type: "edit", operations, deliver: undefined })
    expect(tokens.map(({ scope }) => scope)).toEqual(["docs:read"])
    const file = join(world.policyFolder, "p.yaml")
    writeFileSync(
      file,
      POLICY.split("\n")
        .map((line) => (line.includes("- { api: docs") ? change(line) : line))
        .join("\n"),
    )
    expect(await world.policies.reload()).toBe("loaded")
    expect(await world.tasks.renew("runner", taskId, {})).toMatchObject({ code })
  },
)

describe("who collects", () => {
  test.each<[string, string]>([
    ["another agent", "second"],
    ["the orchestrator", "runner"],
    ["nobody", ""],
  ])("not %s: like a task that there is not", async (_who, name) => {
    const { taskId } = await start()
    expect(await collect(taskId, {}, name)).toBe("not_found")
    expect(await collect("task_0", {}, "bot")).toBe("not_found")
    expect(await kindsOf(taskId)).toEqual(["task.started"])
  })

  test("a restarted copy, under a new name or key, and then the earlier tokens end", async () => {
    const { taskId } = await start()
    const [first] = claimsOf(await collect(taskId, { dpopJkt: K1 }))
    const [second] = claimsOf(await collect(taskId, { instance: "pod-2", dpopJkt: K2 }))
    expect([second?.act.instance, second?.jkt]).toEqual(["pod-2", K2])
    expect(second?.iat).toBeGreaterThan(first?.iat ?? 0)
    const task = await world.tasks.show({ clientId: "runner", staff: false }, taskId)
    expect(!(task instanceof Refusal) && task.tokens.map(({ state }) => state)).toEqual([
      "ended",
      "ended",
      "live",
      "live",
    ])
  })

  test("a bound task is never taken over without a key", async () => {
    const { taskId } = await start()
    await collect(taskId, { dpopJkt: K1 })
    expect(await collect(taskId, { instance: "pod-2" })).toBe("key_required")
  })

  test("what an agent has collected it does not renew, where the policy does not let it", async () => {
    const [never, by] = [await start(), await start({ type: "keep" })]
    for (const { taskId } of [never, by]) {
      await collect(taskId, { dpopJkt: K1, resource: "https://crm.example" })
      expect(await collect(taskId, { resource: "https://crm.example" })).toBe("renewal_not_allowed")
      expect(claimsOf(await collect(taskId, { resource: "https://docs.example" }))).toHaveLength(1)
    }
    expect(await kindsOf(never.taskId)).toContain("token.refused renewal_not_allowed")
    const renewed = await world.tasks.renew("runner", by.taskId, {})
    expect(renewed instanceof Refusal).toBe(false)
  })

  test("a bound task stays its key's, whatever the agent proves as it asks", async () => {
    const { taskId } = await start({ dpopJkt: K1 })
    expect(claimsOf(await collect(taskId, { provenJkt: K2, resource: "https://crm.example" }))).toMatchObject(
      [{ jkt: K1 }],
    )
  })

  test("what is renewed is what was collected, and no API beside it", async () => {
    const { taskId } = await start({ type: "keep" })
    await collect(taskId, { dpopJkt: K1, resource: "https://crm.example" })
    const renewed = await world.tasks.renew("runner", taskId, {})
    if (renewed instanceof Refusal) throw new Error(renewed.reason)
    expect(renewed.tokens.map(({ resource }) => resource)).toEqual(["https://crm.example"])
  })

  test("nor does it renew its own token there", async () => {
    const { taskId } = await start({ type: "edit" })
    expect(await collect(taskId, { dpopJkt: K1 })).toHaveLength(3)
    expect(await collect(taskId, { resource: ISSUER })).toBe("renewal_not_allowed")
  })

  test.each([
    ["pause", "task_paused"],
    ["cancel", "task_ended"],
  ] as const)("nothing after %s", async (change, code) => {
    const { taskId } = await start()
    await world.tasks.change("runner", taskId, change)
    expect(await collect(taskId, { dpopJkt: K1 })).toBe(code)
  })

  test("of two copies that collect at once both are told, and the tokens of one of them live", async () => {
    const { taskId } = await start()
    const both = await Promise.all([
      collect(taskId, { instance: "pod-1", dpopJkt: K1 }),
      collect(taskId, { instance: "pod-2", dpopJkt: K2 }),
    ])
    expect(both.every((tokens) => typeof tokens !== "string")).toBe(true)
    const task = await world.tasks.show({ clientId: "runner", staff: false }, taskId)
    expect(!(task instanceof Refusal) && task.tokens.map(({ state }) => state)).toEqual([
      "ended",
      "ended",
      "live",
      "live",
    ])
  })

  test("of two that are one and the same, one collects where nothing is renewed", async () => {
    const { taskId } = await start()
    const both = await Promise.all([collect(taskId), collect(taskId)])
    expect(both.map((tokens) => (typeof tokens === "string" ? tokens : tokens.length)).sort()).toEqual([
      2,
      "renewal_not_allowed",
    ])
  })
})
