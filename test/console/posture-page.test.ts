// The pages of posture and of agents, of plain data: nothing found, much found, and what came from elsewhere stands as text.
import { expect, test } from "vitest"
import { agentPage, type ShownAgent } from "../../src/console/agent-page.ts"
import { agentsPage } from "../../src/console/agents-page.ts"
import { consolePage } from "../../src/console/page.ts"
import { type Posture, posturePage, type ShownFinding } from "../../src/console/posture-page.ts"

const EVIL = `"><script>alert(1)</script>`
const NOW = Date.parse("2026-03-01T09:00:00Z")
const AT = "2026-03-01T08:59:00Z"

const QUIET: Posture = { now: NOW, at: AT, findings: [], tasks: [], tokens: [], keys: [], apis: [] }
const finding = (change: Partial<ShownFinding>): ShownFinding => ({
  rule: "agent-dormant",
  topic: "privilege",
  severity: "note",
  message: '"a" was given nothing',
  fix: "set `enabled: false` on it",
  ...change,
})

test("a page of nothing says so", () => {
  const text = consolePage(posturePage(QUIET))
  expect(text).toContain("Nothing was found.")
  expect(text).toContain("There are no live tokens.")
})

test("what is to be typed stands as code, and of many findings of one topic the gravest are shown", () => {
  const findings = Array.from({ length: 40 }, (_, n) => finding({ message: `finding ${n}.` }))
  const text = consolePage(posturePage({ ...QUIET, findings }))
  expect(text).toContain("set <code>enabled: false</code> on it")
  expect(text).toContain("finding 14.")
  expect(text).not.toContain("finding 15.")
  expect(text).toContain("And 25 more")
})

test("ages are told apart by their bounds", () => {
  const tasks = [3600, 28_800, 86_400, null].map((withinSeconds, count) => ({ withinSeconds, count }))
  const text = String(posturePage({ ...QUIET, tasks }).body)
  for (const words of ["up to 1 h", "1 h to 8 h", "8 h to 1 d", "longer than 1 d"])
    expect(text).toContain(words)
})

const agent: ShownAgent = {
  now: NOW,
  agent: "old-bot",
  owner: undefined,
  enabled: false,
  atMost: undefined,
  line: undefined,
  audits: true,
  liveTasks: 0,
  lastSeen: undefined,
  hours: [{ from: NOW, uses: 0, refusals: 0 }],
  operations: [],
  spread: [],
  spreadEntries: 20_000,
  alarms: [],
  reaches: [],
  tasks: [],
  onwards: false,
  next: undefined,
  delegations: [],
}
const task = {
  ...{ task: "task_1", type: "t", state: "active", instance: EVIL, orchestrator: "o" },
  ...{ startedAt: AT, endedAt: undefined },
}

test("an agent that the policy does not name says so, and what is empty says what would appear", () => {
  const text = consolePage(agentPage(agent))
  expect(text).toContain("not in the policy")
  expect(text).toContain("No task was ever started for it.")
  expect(text).toContain("The policy in force gives it nothing.")
})

test("its later pages are its tasks, with the way back and onwards", () => {
  const text = String(agentPage({ ...agent, tasks: [task], onwards: true, next: "task_1" }).body)
  expect(text).not.toContain("What it is")
  expect([...text.matchAll(/href="([^"]+)"/g)].map(([, href]) => href)).toEqual([
    "/console/tasks/task_1",
    "/console/agents/old-bot",
    "/console/agents/old-bot?after=task_1",
  ])
})

test("whatever names came from elsewhere is text", () => {
  const reach = {
    ...{ task: EVIL, operations: [EVIL], risk: "high", through: [EVIL], startedBy: [EVIL] },
    ...{ approvedBy: [EVIL], conditions: [EVIL], line: EVIL },
  }
  const { state: _, orchestrator: __, ...delegation } = task
  const pages = [
    agentPage({
      ...{ ...agent, agent: EVIL, owner: EVIL, atMost: [EVIL], line: EVIL, reaches: [reach], tasks: [task] },
      delegations: [{ ...delegation, type: EVIL }],
      operations: [{ operation: EVIL, granted: 1, used: 0, refused: 0, lastUsed: undefined }],
      spread: [{ operation: EVIL, uses: 1, resources: 1 }],
    }),
    agentsPage({
      ...{ now: NOW, count: 1, onwards: true, next: EVIL },
      agents: [
        {
          ...{ agent: EVIL, owner: EVIL, enabled: true, liveTasks: 1, granted: 2, used: 1 },
          ...{ lastSeen: AT, refusals: 1, alarms: 1 },
        },
      ],
    }),
    posturePage({
      ...QUIET,
      findings: [finding({ rule: EVIL, topic: EVIL, message: EVIL, fix: EVIL, agent: EVIL, line: EVIL })],
      keys: [{ key: EVIL, signs: EVIL, state: EVIL, createdAt: AT, waits: EVIL }],
      apis: [{ api: EVIL, instances: 1, heard: 0, declaring: 0 }],
    }),
  ]
  for (const page of pages) expect(consolePage(page)).not.toContain("<script")
})
