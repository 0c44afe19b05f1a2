// The report of unusual work over HTTP: who may read it, what it says, page by page and by each filter; what a webhook is told.
import { afterAll, beforeAll, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { type Receiver, startReceiver } from "../support/receiver.ts"
import { createReporter, reportedToken } from "../support/reporter.ts"

let house: House
let receiver: Receiver
const tasks: string[] = []

beforeAll(async () => {
  receiver = await startReceiver()
  const webhooks = { addresses: [receiver.url], privateHosts: ["127.0.0.1"] }
  house = await openHouse({ webhooks })
  const reporter = createReporter(house)
  const as = "support-orchestrator"
  for (let index = 0; index < 3; index++) {
    const { body } = await house.ask("POST", "/tasks", {
      as,
      json: { ...START, inputs: { ticket: `SUP-${index}` } },
    })
    const [token] = body.tokens as { access_token: string }[]
    const held = reportedToken(token?.access_token ?? "")
    tasks.push(held.task)
    await house.ask("POST", `/tasks/${held.task}/complete`, { as })
    house.clock.advance(1000)
    const resource = ["tickets", "SECRET-7"]
    await reporter.report([reporter.use(held, { resource })])
  }
  const forged = { task: tasks[0] ?? "", jti: newId("tok", house.clock.now()), actor: "triage-bot/pod-9" }
  await reporter.report([reporter.use(forged, { operation: "tickets:close" })])
  await house.issuer.sweep()
})
afterAll(async () => {
  await house.remove()
  await receiver.close()
})

type Items = readonly Readonly<Record<string, unknown>>[]
const ask = (query = "", as: "audit-team" | "support-orchestrator" = "audit-team") =>
  house.ask("GET", `/reports/anomalies${query}`, { as })
const itemsOf = async (query = "") => (await ask(query)).body.anomalies as Items

test("says what was usual, what happened and in which task, and no resource", async () => {
  const { status, body } = await ask()
  expect(status).toBe(200)
  const items = body.anomalies as Items
  expect(items).toHaveLength(4)
  expect(items[0]).toMatchObject({
    rule: "use_after_task_end",
    type: "triage-ticket",
    agent: "triage-bot",
    instance: "pod-1",
    api: "tickets",
    operation: "tickets:read",
    task: tasks[0],
    usual: "nothing is used in a task that has ended",
    happened: "a use that was let through later",
  })
  expect(items[3]).toMatchObject({
    rule: "use_of_unknown_token",
    operation: "tickets:close",
    instance: "pod-9",
  })
  expect(JSON.stringify(body)).not.toContain("SECRET")
})

test("names who is not known well enough yet, and what is wanted", async () => {
  expect((await ask()).body.learning).toEqual({
    wanted: { tasks: 50, days: 7 },
    agents: [{ type: "triage-ticket", agent: "triage-bot", tasks: 0, days: 1 }],
  })
})

test.each([
  ["?rule=use_of_unknown_token", 1],
  ["?rule=unusual_spread", 0],
  ["?agent=triage-bot", 4],
  ["?agent=triage", 0],
  ["?agent=bot", 0],
  ["?type=triage-ticket&agent=triage-bot&rule=use_after_task_end", 3],
  ["?type=summarize-ticket", 0],
])("%s: %d", async (query, anomalies) => {
  expect(await itemsOf(query)).toHaveLength(anomalies)
})

test("page by page, none twice", async () => {
  const seen: Items[number][] = []
  for (let after = ""; ; ) {
    const { body } = await ask(`?limit=1${after}`)
    seen.push(...(body.anomalies as Items))
    if (body.next === null) break
    after = `&after=${body.next}`
  }
  expect(seen).toEqual(await itemsOf())
})

test.each(["?rule=task_unrenewed", "?agent=%25", "?agent=a_b", "?limit=0", "?since=x"])(
  "%s is refused",
  async (query) => {
    expect((await ask(query)).status).toBe(400)
  },
)

test("is for auditors, and each reading is an entry", async () => {
  expect((await ask("", "support-orchestrator")).status).toBe(403)
  await ask("?agent=triage-bot")
  const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
  const told = { by: "audit-team", report: "anomalies", parameters: { agent: "triage-bot" } }
  expect((body.entries as Items).at(-2)).toMatchObject({ body: told })
})

test("is apart from silence, whose report has none of it", async () => {
  const { body } = await house.ask("GET", "/reports/silence", { as: "audit-team" })
  expect(body.alarms).toEqual([])
})

test("a webhook is told, and a day later the report has nothing", async () => {
  const codes = receiver.got.map(({ token }) => {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))
    return claims.events["urn:taskmint:event:alarm.raised"]?.code
  })
  expect(codes.filter(Boolean).sort()).toEqual([
    ...Array(3).fill("use_after_task_end"),
    "use_of_unknown_token",
  ])
  house.clock.advance(86_400_000)
  await house.issuer.sweep()
  expect(await itemsOf()).toEqual([])
})
