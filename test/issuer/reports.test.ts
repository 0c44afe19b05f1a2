// The report of silence over HTTP: who may read it, what it says, page by page; and what else tells of an alarm.
import { afterAll, beforeAll, expect, test } from "vitest"
import { type House, openHouse, START } from "../support/issuer-house.ts"

let house: House

beforeAll(async () => {
  house = await openHouse()
  for (let index = 0; index < 15; index++)
    await house.ask("POST", "/tasks", {
      as: "support-orchestrator",
      json: { ...START, type: "nonsense", agent: { id: "triage-bot", instance: `pod-${index % 3}` } },
    })
  await house.issuer.sweep()
})
afterAll(() => house.remove())

const report = (query = "", as: "audit-team" | "operations-team" | "support-orchestrator" = "audit-team") =>
  house.ask("GET", `/reports/silence${query}`, { as })
/** The reading of these entries is one of them. */
const reads = async () => {
  const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
  return (body.entries as unknown[]).slice(0, -1)
}

test("says what stands, since when, and what is known of it", async () => {
  const { status, body } = await report()
  expect(status).toBe(200)
  const alarm = { alarm: "agent_refused", agent: "triage-bot", side: "issuer", last_code: "access_denied" }
  expect(body).toMatchObject({
    next: null,
    alarms: [0, 1, 2].map((pod) => ({ ...alarm, instance: `pod-${pod}` })),
  })
  const [first] = body.alarms as Record<string, unknown>[]
  expect(first).toMatchObject({ refusals: 5, since: expect.stringMatching(/Z$/) })
})

test("page by page", async () => {
  const first = (await report("?limit=2")).body
  expect(first.alarms).toHaveLength(2)
  const second = (await report(`?limit=2&after=${first.next}`)).body
  expect(second).toMatchObject({ next: null, alarms: [{ instance: "pod-2" }] })
  expect((await report("?alarm=task_unrenewed")).body).toEqual({ alarms: [], next: null })
})

test("each query is an entry", async () => {
  await report("?alarm=key_shared")
  const told = { body: { by: "audit-team", report: "silence", parameters: { alarm: "key_shared" } } }
  expect((await reads()).at(-1)).toMatchObject(told)
})

test.each(["?limit=0", "?limit=1001", "?alarm=nonsense", "?after=-1", "?since=x"])(
  "%s is refused",
  async (query) => {
    expect((await report(query)).status).toBe(400)
  },
)

test("is for auditors", async () => {
  for (const as of ["operations-team", "support-orchestrator"] as const)
    expect(await report("", as)).toMatchObject({ status: 403, body: { code: "role_missing" } })
})
