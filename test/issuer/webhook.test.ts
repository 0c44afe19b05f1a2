// Which webhooks an issuer starts with, how often it tries, and that what it tells opens nothing.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { waitAfter } from "../../src/issuer/delivery.ts"
import { readWebhooks, type WebhookOptions } from "../../src/issuer/webhook.ts"
import { approvalTexts } from "../support/approvals.ts"
import { ACCESS_TOKEN, EXCHANGE } from "../support/crew.ts"
import { ASSERTION_TYPE, type House, openHouse, START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"
import { type Receiver, startReceiver } from "../support/receiver.ts"

describe("a webhook", () => {
  test.each<[string, WebhookOptions, RegExp]>([
    ["that is no URL", { addresses: ["events"] }, /no URL/],
    ["with a user", { addresses: ["https://a:b@events.example/"] }, /user or a fragment/],
    ["with a fragment", { addresses: ["https://events.example/#a"] }, /user or a fragment/],
    ["named twice", { addresses: ["https://events.example", "https://events.example/"] }, /twice/],
    ["on loopback, not listed", { addresses: ["http://127.0.0.1:1/"] }, /may not be asked/],
    [
      "of a cloud's metadata, though listed",
      { addresses: ["https://169.254.169.254/"], privateHosts: ["169.254.169.254"] },
      /may not be asked/,
    ],
    [
      "in plain http, though listed",
      { addresses: ["http://10.0.0.1/"], privateHosts: ["10.0.0.1"] },
      /without https/,
    ],
    [
      "that a private host is listed for and is not there",
      { addresses: ["https://events.example/"], privateHosts: ["event.example"] },
      /no webhook is at the private host event\.example/,
    ],
    [
      "too many",
      { addresses: Array.from({ length: 11 }, (_, at) => `https://events.example/${at}`) },
      /more than 10/,
    ],
  ])("%s is refused, and its path not told", (_what, options, says) => {
    expect(() => readWebhooks(options)).toThrow(says)
    expect(() => readWebhooks(options)).toThrow(TypeError)
  })

  test("is told to its origin; private ones only where they are listed", () => {
    const addresses = ["https://events.example/a", "https://events.internal:8443/b"]
    expect(readWebhooks({ addresses, privateHosts: ["events.internal"] })).toMatchObject([
      { audience: "https://events.example", outward: { privateAddresses: false } },
      { audience: "https://events.internal:8443", outward: { privateAddresses: true } },
    ])
  })

  test("is tried after ten seconds at the earliest and an hour at the latest, whatever the number", () => {
    const between = (attempts: number) => [waitAfter(attempts, () => 0), waitAfter(attempts, () => 1)]
    expect([0, 1, 8, 5000].map(between)).toEqual([
      [10_000, 20_000],
      [20_000, 40_000],
      [1_800_000, 3_600_000],
      [1_800_000, 3_600_000],
    ])
  })
})

describe("A24 what a webhook was told is no credential", () => {
  let receiver: Receiver
  let house: House
  let event: string

  beforeEach(async () => {
    receiver = await startReceiver()
    const webhooks = { addresses: [receiver.url], privateHosts: ["127.0.0.1"] }
    house = await openHouse({ dev: true, files: approvalTexts(POLICIES), webhooks })
    const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    const question = { operation: "tickets:close", resource: "tickets/SUP-1042", reason: "x" }
    const json = { task_id: body.task_id, ...question }
    await house.ask("POST", "/approvals", { as: "support-orchestrator", json })
    await house.issuer.sweep()
    event = receiver.got[0]?.token ?? ""
  })
  afterEach(async () => {
    await house.remove()
    await receiver.close()
  })

  const client = { client_assertion_type: ASSERTION_TYPE }
  test("A24 neither to ask with, nor at /token", async () => {
    expect(event.split(".")).toHaveLength(3)
    expect((await house.ask("GET", "/tasks", { token: event })).status).toBe(401)
    const asked = [
      { grant_type: "client_credentials", ...client, client_assertion: event },
      {
        grant_type: EXCHANGE,
        ...client,
        client_assertion: house.assertion("support-orchestrator"),
        subject_token: event,
        subject_token_type: ACCESS_TOKEN,
        resource: "https://tickets.internal.example",
      },
    ]
    const answers = await Promise.all(asked.map((members) => house.form(members)))
    expect(answers.map(({ status }) => status)).toEqual([401, 400])
    expect(await answers[1]?.json()).toMatchObject({ error: "invalid_grant" })
  })
})
