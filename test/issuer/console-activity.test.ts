// The console's pages of what agents do, over a busy half day: the numbers, where they lead, who may see them, and that looking is
// recorded.
import { afterAll, beforeAll, expect, test } from "vitest"
import { type BusyHouse, openBusyHouse } from "../support/busy.ts"
import type { CallerName } from "../support/issuer-house.ts"

let busy: BusyHouse
beforeAll(async () => {
  busy = await openBusyHouse()
})
afterAll(() => busy.house.remove())

async function open(path: string, as: CallerName = "audit-team") {
  const answer = await busy.house.call("GET", path, { as })
  return { status: answer.status, text: await answer.text() }
}

/** `value what href` of each tile. */
const tilesOf = (text: string): string[] =>
  [...text.matchAll(/<a href="([^"]+)"><strong[^>]*>([^<]+)<\/strong><span class="what">([^<]+)</g)].map(
    ([, href, value, what]) => `${value} ${what} ${href}`,
  )

test("the overview counts what is, and leads to where it is told", async () => {
  const { status, text } = await open("/console")
  expect(status).toBe(200)
  expect(tilesOf(text)).toEqual([
    "1 live task /console/tasks?state=active",
    "1 approval that waits /console/approvals",
    "0 silent agents /console/alarms?alarm=task_unrenewed",
    "1 silent verifier /console/alarms?alarm=verifier_silent",
    "1 alarm that stands /console/alarms",
  ])
})

test("its charts count uses, refusals and starts by the hour, and what stood at the end of each", async () => {
  const { text } = await open("/console")
  const summaries = [...text.matchAll(/role="img" aria-label="([^"]+)"/g)].map(([, words]) => words)
  expect(summaries).toEqual([
    "22 uses in 24 hours, the most at 12:00 UTC: 8.",
    "16 refusals in 24 hours, the most at 13:00 UTC: 6.",
    "5 starts in 24 hours, the most at 09:00 UTC: 1.",
    "1 live task now, in 24 hours the most at 13:00 UTC: 1.",
    "1 approval that waits now, in 24 hours the most at 13:00 UTC: 1.",
    "No silent agents in 24 hours.",
    "1 silent verifier now, in 24 hours the most at 13:00 UTC: 1.",
  ])
})

test("the newest alarm and the newest refusals are named, with links", async () => {
  const { text } = await open("/console")
  expect(text).toContain(`the verifier ${busy.silent} of tickets`)
  expect(
    text.match(/a use of <code>tickets:close<\/code> by <a href="\/console\/agents\/triage-bot">/g),
  ).toHaveLength(5)
  expect(text).toContain(`href="/console/tasks/${busy.task}"`)
})

test("who operates is shown alarms, and nothing of the ledger", async () => {
  for (const path of ["/console", "/console/agents/triage-bot"]) {
    const { status, text } = await open(path, "operations-team")
    expect(status).toBe(200)
    expect(text).not.toContain("/console/ledger")
  }
})

test("alarms are listed by kind, with what to do", async () => {
  const { text } = await open("/console/alarms?alarm=verifier_silent")
  expect(text).toContain("<h1>Silent verifiers</h1>")
  expect(text).toContain("taskmint verifier forget")
  expect((await open("/console/alarms?alarm=key_shared")).text).toContain("None of these stands.")
  expect((await open("/console/alarms?alarm=other")).status).toBe(400)
})

const plain = (text: string): string =>
  text
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ")
    .replaceAll("&quot;", '"')

test("the list of agents tells of each what it has, used and was refused", async () => {
  const { text } = await open("/console/agents")
  const rows = [...text.matchAll(/<tr><td[^>]*>.*?<\/tr>/gs)].map(([row]) => plain(row).trim())
  expect(rows).toEqual([
    "deploy-bot release-platform@example.com 0 nothing granted never 0 0",
    "summarizer ml-platform@example.com 0 nothing granted never 0 0",
    "triage-bot support-platform@example.com 1 1 of 3 operations 1 min ago 16 0",
  ])
  expect((await open("/console/agents?after=summarizer")).text).not.toContain("deploy-bot")
})

test("an agent's page tells what it was given and used, what it may by which line, and its tasks", async () => {
  const text = plain((await open("/console/agents/triage-bot")).text)
  expect(text).toContain("tickets:close never used 5 0 15 never")
  expect(text).toContain("tickets:read 5 22 0 1 min ago")
  expect(text).toMatch(/tickets:read 22 10 Among/)
  expect(text).toMatch(
    /tickets:close high risk once operations-team agrees support-orchestrator support\.yaml:\d+/,
  )
  expect(text.match(/triage-ticket (active|completed)/g)).toHaveLength(5)
})

test("the page of posture tells what should be otherwise, and what to do", async () => {
  const text = plain((await open("/console/posture")).text)
  expect(text).toContain(
    'warning no verifier instance stands for "deployments" put a verifier in front of it',
  )
  expect(text).toMatch(/deployments\.yaml:\d+ · api-without-verifier/)
  expect(text).toMatch(/Live tasks by age up to 1 h 1 /)
  expect(text).toMatch(/tokens current 4 h 1 min ago/)
})

test("the report of posture counts what lives and names keys, and its findings fit its words", async () => {
  const { body } = await busy.house.ask("GET", "/reports/posture", { as: "audit-team" })
  expect(body).toMatchObject({
    tasks: [{ within_seconds: 3600, count: 1 }, {}, {}, { within_seconds: null, count: 0 }],
    tokens: [{ within_seconds: 300, count: 1 }, {}, {}, {}],
    keys: [
      { signs: "tokens", state: "current" },
      { signs: "ledger", state: "current" },
    ],
  })
  const findings = body.findings as Record<string, unknown>[]
  expect(findings.map(({ rule }) => rule)).toEqual(["api-without-verifier", "api-silent"])
  for (const one of findings) expect(one).toMatchObject({ topic: "served", fix: expect.any(String) })
})

test.each(["nobody", "triage-bot%27--", "%3Cscript%3E", "Triage-Bot", "x".repeat(64)])(
  "there is no agent %s",
  async (name) => {
    const { status, text } = await open(`/console/agents/${name}`)
    expect(status).toBe(404)
    expect(text).not.toContain("<script")
  },
)

test.each([
  ["/console/agents", "agents"],
  ["/console/posture", "posture"],
  ["/console/agents/triage-bot", "agent"],
  ["/console", "overview"],
  ["/console/alarms?alarm=key_shared", "silence"],
])("whoever opens %s is in the ledger for it", async (path, report) => {
  await open(path)
  const { body } = await busy.house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
  const told = (body.entries as { body: Record<string, unknown> }[]).map((entry) => entry.body)
  expect(told).toContainEqual(expect.objectContaining({ by: "audit-team", report }))
})

const PAGES = ["", "/alarms", "/agents", "/agents/triage-bot", "/posture"].map((path) => `/console${path}`)

test.each(PAGES)("%s is not for APIs and orchestrators", async (path) => {
  for (const as of ["tickets", "support-orchestrator"] as const)
    expect((await open(path, as)).status).toBe(403)
})

test("every page stays below 100 KB and holds no script, style attribute or address of elsewhere", async () => {
  for (const path of PAGES) {
    const { text } = await open(path)
    expect(Buffer.byteLength(text), path).toBeLessThan(100 * 1024)
    expect(text, path).not.toMatch(/<script|style=|https?:\/\//)
  }
  expect(busy.house.faults).toEqual([])
})
