// The report of least privilege over HTTP: what it says of an incident, page by page and by each filter, and counting anew.
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Incident, openIncident } from "../support/incident.ts"
import type { CallerName } from "../support/issuer-house.ts"

let incident: Incident
beforeAll(async () => {
  incident = await openIncident()
  await incident.house.issuer.sweep()
})
afterAll(() => incident.house.remove())

type Items = readonly Readonly<Record<string, unknown>>[]
const ask = (query = "", as: CallerName = "audit-team") =>
  incident.house.ask("GET", `/reports/least-privilege${query}`, { as })
const itemsOf = async (query = "") => (await ask(query)).body.items as Items
const RULE = "support.yaml#/tasks/triage-ticket/grants/"
const bot = { type: "triage-ticket", agent: "triage-bot", api: "tickets", granted: 1, resources: null }
const READ = { ...bot, rule: `${RULE}0`, operation: "tickets:read", used: 2, refused: 0 }
const COMMENT = {
  ...bot,
  rule: `${RULE}0`,
  operation: "tickets:comment",
  used: 0,
  refused: 0,
  last_used: null,
}
const CLOSE = { ...bot, rule: `${RULE}1`, operation: "tickets:close", used: 1, refused: 0 }
/** The same operation, asked for with the token that does not grant it. */
const TRIED = { ...CLOSE, rule: "", granted: 0, used: 0, refused: 7, last_used: null }
const sorted = (items: Items) =>
  [...items].sort((a, b) => `${a.operation}${a.rule}`.localeCompare(`${b.operation}${b.rule}`))

test("granted against used and refused, with the last use, the signed place and who did nothing", async () => {
  const { body } = await ask()
  expect(sorted(body.items as Items)).toMatchObject([TRIED, CLOSE, COMMENT, READ])
  expect(body).toMatchObject({
    from: "2026-01-30T00:00:00.000Z",
    to: "2026-03-02T00:00:00.000Z",
    next: null,
    checkpoint: expect.stringMatching(/^taskmint\.internal\n/),
  })
  expect((body.dormant as Record<string, string[]>).agents).toContain("summarizer")
  expect((body.dormant as Record<string, string[]>).agents).not.toContain("triage-bot")
  expect((body.dormant as Record<string, string[]>).types).toContain("summarize-ticket")
  const last = (body.items as Items).find(({ operation }) => operation === "tickets:read")?.last_used
  expect(last).toBe("2026-03-01T09:01:00.250Z")
  expect(Number(body.entries)).toBeGreaterThan(10)
  expect(body.up_to).toBe(body.entries)
  expect(body.up_to_at).toMatch(/^2026-03-01T09:/)
})

test.each([
  ["?to=9999-12-31T23:59:59Z", 200],
  ["?to=0000-01-02T00:00:00Z", 200],
  ["?to=9999-12-31T23:59:59-01:00", 400],
])("%s is said back in years of four digits, or refused", async (query, status) => {
  const answer = await ask(query)
  expect(answer.status).toBe(status)
  const { from = "", to = "" } = answer.body
  if (status === 200) for (const one of [from, to]) expect(one).toMatch(/^\d{4}-\d\d-\d\dT/)
})

test.each([
  ["?agent=triage-bot", 4],
  ["?agent=summarizer", 0],
  ["?agent=nobody", 0],
  ["?type=triage-ticket", 4],
  ["?type=summarize-ticket", 0],
  [`?rule=${encodeURIComponent(`${RULE}1`)}`, 1],
  ["?to=2026-03-01T00:00:00Z", 0],
  ["?to=2026-03-01T00:00:01Z", 4],
  ["?from=2026-03-02T00:00:00Z&to=2026-03-09T00:00:00Z", 0],
])("%s: %d rights", async (query, rights) => {
  expect(await itemsOf(query)).toHaveLength(rights)
})

test("page by page, none twice", async () => {
  const seen: Items[number][] = []
  for (let after = ""; ; ) {
    const { body } = await ask(`?limit=1${after}`)
    seen.push(...(body.items as Items))
    if (body.next === null) break
    after = `&after=${body.next}`
  }
  expect(seen).toEqual(await itemsOf())
})

test("counted anew by an operator it says the same", async () => {
  const before = await itemsOf()
  const again = { as: "operations-team" } as const
  expect((await incident.house.call("POST", "/reports/least-privilege/rebuild", again)).status).toBe(202)
  expect((await ask()).body).toMatchObject({ items: [], entries: 0, up_to: 0, up_to_at: null })
  await incident.house.issuer.sweep()
  expect(await itemsOf()).toEqual(before)
})

test("each query is one entry", async () => {
  await ask("?agent=triage-bot")
  const { body } = await incident.house.ask("GET", "/ledger/entries?kind=access.read&limit=1000", {
    as: "audit-team",
  })
  expect((body.entries as Items).at(-2)).toMatchObject({
    body: { by: "audit-team", report: "least-privilege", parameters: { agent: "triage-bot" } },
  })
})

test.each(["?limit=0", "?after=1", "?after=1-2-3-4-x", "?from=yesterday", "?days=30"])(
  "%s is refused",
  async (query) => {
    expect((await ask(query)).status).toBe(400)
  },
)

test("is for auditors; counting anew is for operators", async () => {
  for (const as of ["operations-team", "support-orchestrator"] as const)
    expect((await ask("", as)).status).toBe(403)
  const as = "audit-team"
  expect((await incident.house.call("POST", "/reports/least-privilege/rebuild", { as })).status).toBe(403)
})
