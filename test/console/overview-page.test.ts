// The overview's parts: a chart says in words what it shows, and what came from agents stands as text.
import { describe, expect, test } from "vitest"
import { alarmWords } from "../../src/console/alarm-words.ts"
import { alarmsPage } from "../../src/console/alarms-page.ts"
import { chart, summaryOf } from "../../src/console/chart.ts"
import { type Overview, overview } from "../../src/console/overview-page.ts"
import { consolePage } from "../../src/console/page.ts"

const HOUR = 3_600_000
const bars = (...values: number[]) => values.map((value, at) => ({ from: 9 * HOUR + at * HOUR, value }))
const CHART = { title: "Uses", what: "uses", span: "3 hours" }

describe("a chart", () => {
  test.each([
    [bars(), "No uses in 3 hours."],
    [bars(0, 0, 0), "No uses in 3 hours."],
    [bars(1, 1200, 3), "1,204 uses in 3 hours, the most at 10:00 UTC: 1,200."],
    [bars(2, 2, 2), "6 uses in 3 hours, the most at 09:00 UTC: 2."],
  ])("of %j says so in words", (given, words) => {
    expect(summaryOf({ ...CHART, bars: given })).toBe(words)
    expect(String(chart({ ...CHART, bars: given }))).toContain(`role="img" aria-label="${words}"`)
  })

  test("of what stands tells how much there is, and how much there was at once", () => {
    const given = { ...CHART, what: "live tasks", standing: true, bars: bars(4, 9, 3) }
    expect(summaryOf(given)).toBe("3 live tasks now, in 3 hours the most at 10:00 UTC: 9.")
    expect(String(chart(given))).toMatch(/<strong>3<\/strong>.*at most 9 at once/s)
  })

  test("draws to scale from the ground, and what happened once is seen beside what happened often", () => {
    const drawn = String(chart({ ...CHART, bars: bars(0, 50, 100, 1) }))
    const heights = [...drawn.matchAll(/class="allowed" [^>]*y="([\d.]+)"[^>]*height="([\d.]+)"/g)].map(
      ([, y, height]) => [Number(y), Number(height)],
    )
    expect(heights).toEqual([
      [20, 20],
      [0, 40],
      [38.5, 1.5],
    ])
    expect(drawn).not.toMatch(/style=|<script/)
  })
})

const NOTHING: Overview = {
  now: 12 * HOUR,
  liveTasks: 0,
  approvalsWaiting: 0,
  alarms: new Map(),
  hours: bars(0, 0).map(({ from }) => ({ from, starts: 0, uses: 0, refusals: 0 })),
  stood: { tasks: [0, 0], approvals: [0, 0], silentAgents: [0, 0], silentVerifiers: [0, 0] },
  behind: 0,
  newest: { alarms: [], refusals: [] },
}

test("an overview of nothing says what would appear, and that counts lag where they do", () => {
  const text = consolePage(overview(NOTHING))
  expect(text).toContain("No alarm stands.")
  expect(text).toContain("Nothing was refused lately.")
  expect(text).not.toContain("not counted yet")
  expect(consolePage(overview({ ...NOTHING, behind: 120_000 }))).toContain(
    "120,000 entries are not counted yet",
  )
})

test("who only approves is led to approvals and nowhere else", () => {
  const { newest: _, ...counts } = NOTHING
  const text = String(overview(counts).body)
  expect(new Set([...text.matchAll(/href="([^"]+)"/g)].map(([, href]) => href))).toEqual(
    new Set(["/console/approvals"]),
  )
})

test("who operates sees alarms and nothing of the ledger", () => {
  const text = String(overview({ ...NOTHING, newest: { alarms: [] } }).body)
  expect(text).toContain("No alarm stands.")
  expect(text).not.toContain("/console/ledger")
})

const EVIL = `"><script>alert(1)</script>`
const alarm = (kind: string, facts = {}) => ({ kind, value: EVIL, facts, since: "2026-03-01T09:00:00Z" })

const UNUSUAL = { type: EVIL, task: EVIL, usual: EVIL, happened: EVIL }

test.each([
  "verifier_silent",
  "verifier_gap",
  "verifier_drifted",
  "task_unrenewed",
  "task_uncollected",
  "agent_refused",
  "key_shared",
  "unusual_spread",
  "canary_used",
  "one_that_is_new",
])("what an alarm of %s tells is text, wherever it came from", (kind) => {
  const facts = {
    agent: EVIL,
    instance: EVIL,
    api: EVIL,
    last_code: EVIL,
    agents: [EVIL],
    side: EVIL,
    ...UNUSUAL,
  }
  const words = String(alarmWords(alarm(kind, facts)))
  const shown = consolePage(
    alarmsPage({
      now: 0,
      kind: undefined,
      counts: new Map([[kind, 1]]),
      alarms: [alarm(kind, facts)],
      onwards: false,
      next: undefined,
    }),
  )
  expect(shown).not.toContain("<script")
  if (kind !== "one_that_is_new") expect(words).not.toContain("<script")
})

test("what is unusual says who, what happened and what is usual, and leads to the task", () => {
  const facts = {
    agent: "triage-bot",
    type: "triage-ticket",
    task: "task_1",
    happened: "57 resources",
    usual: "at most 2",
  }
  const words = String(alarmWords(alarm("unusual_spread", facts)))
  expect(words.replaceAll(/<[^>]+>/g, "")).toBe(
    "triage-bot in a task of triage-ticket: 57 resources. Usual: at most 2",
  )
  expect(words).toContain('href="/console/tasks/task_1"')
})

test("refusals name their agent, their task and their code, as text", () => {
  const refusal = { at: "2026-03-01T09:00:00Z", kind: "use.refused", task: "task_1", agent: EVIL, code: EVIL }
  const text = consolePage(overview({ ...NOTHING, newest: { alarms: [], refusals: [refusal] } }))
  expect(text).not.toContain("<script")
  expect(text).toContain('href="/console/tasks/task_1"')
  expect(text).toContain(`href="/console/agents/${encodeURIComponent(EVIL)}"`)
})
