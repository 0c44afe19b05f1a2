// The time line of a task: drawn to scale, the same told as a table, and of one size however much there is.
import { describe, expect, test } from "vitest"
import type { Course } from "../../src/audit/course.ts"
import { taskPage } from "../../src/console/task-page.ts"
import { timeline } from "../../src/console/timeline.ts"
import { timeLineOf } from "../../src/console/timeline-lanes.ts"
import type { TaskView } from "../../src/task/show.ts"

const BEGAN = Date.parse("2026-03-01T09:00:00Z")
const MINUTE = 60_000
const agent = { id: "triage-bot", instance: "pod-1" }

const tokenAt = (minute: number, minutes: number, delegation?: string): TaskView["tokens"][number] => ({
  jti: `tok_${minute}`,
  api: "tickets",
  delegation,
  issuedAt: BEGAN + minute * MINUTE,
  expiresAt: BEGAN + (minute + minutes) * MINUTE,
  state: "expired",
  endedAt: undefined,
})

const delegationAt = (
  minute: number,
  id: string,
  parent: string | undefined,
): TaskView["lineage"][number] => ({
  id,
  parent,
  agent: { id: `helper-${id}`, instance: "pod-2" },
  startedAt: BEGAN + minute * MINUTE,
  endedAt: undefined,
  grants: [{ api: "tickets", operations: ["tickets:read"], resources: ["tickets/A"], rule: "r" }],
})

const taskOf = (changes: Partial<TaskView> = {}): TaskView => ({
  taskId: "task_019ca8a0-3f7a-715c-becf-04cff2923b9c",
  type: "triage-ticket",
  state: "completed",
  agent,
  orchestrator: "support-orchestrator",
  sub: "support-orchestrator",
  reference: undefined,
  startedAt: BEGAN,
  deadline: BEGAN + 120 * MINUTE,
  endedAt: BEGAN + 100 * MINUTE,
  purpose: "Triage the ticket",
  policy: "sha-256:x",
  grants: [],
  lineage: [],
  approvable: [],
  approvals: [],
  tokens: [tokenAt(0, 50)],
  timeline: [],
  ...changes,
})

const QUIET: Course = {
  steps: [],
  changes: [
    { state: "paused", at: BEGAN + 25 * MINUTE },
    { state: "active", at: BEGAN + 50 * MINUTE },
    { state: "completed", at: BEGAN + 100 * MINUTE },
  ],
  rules: [],
  outside: { allowed: 0, observed: 0 },
  earlier: false,
}

const drawn = (task: TaskView, course: Course = QUIET) =>
  String(timeline(timeLineOf(task, course, BEGAN + 100 * MINUTE)))
const pageOf = (task: TaskView, course: Course = QUIET) =>
  String(taskPage({ task, course, now: BEGAN + 100 * MINUTE, operates: true, audits: true }).body)

describe("the time line", () => {
  test("is to scale: half the time is half the width, and a pause stands where it was", () => {
    const text = drawn(taskOf())
    expect(text).toContain('<rect class="quiet" x="0%" width="50%"')
    expect(text).toContain('<rect class="observed" x="25%" width="25%"')
    expect(text).toContain('<circle class="agreed" cx="100%"')
  })

  test("tells the same as a table, in the order of time", () => {
    const rows = [
      ...drawn(taskOf()).matchAll(
        /<tr><td[^>]*>(.*?)<\/td><td[^>]*>(.*?)<\/td><td[^>]*>(.*?)<\/td><td[^>]*>(.*?)<\/td>/g,
      ),
    ]
    expect(rows.map(([, ...cells]) => cells.join("|"))).toEqual([
      "09:00:00|25 min|Task|active",
      "09:00:00|50 min|triage-bot at tickets|token, expired",
      "09:25:00|25 min|Task|paused",
      "09:50:00|50 min|Task|active",
      "10:40:00||Task|completed",
    ])
  })

  test("draws a token that ended early as long as it lived", () => {
    const early = { ...tokenAt(0, 50), state: "ended" as const, endedAt: BEGAN + 10 * MINUTE }
    expect(drawn(taskOf({ tokens: [early] }))).toContain('x="0%" width="10%"')
  })

  test("draws many tokens as what touches, and says how many they are", () => {
    const tokens = Array.from({ length: 40 }, (_each, place) => tokenAt(place < 20 ? place : place + 40, 1))
    const text = drawn(taskOf({ tokens }))
    expect(text.match(/<rect class="quiet"/g)).toHaveLength(2)
    expect(text.match(/<title>20 tokens/g)).toHaveLength(2)
  })

  test("of a task with everything in thousands makes a page below 100 KB", () => {
    const many = <T>(make: (place: number) => T) =>
      Array.from({ length: 2000 }, (_each, place) => make(place))
    const delegations = many((place) =>
      delegationAt(place / 25, `d${place}`, place === 0 ? undefined : `d${place - 1}`),
    )
    const text = pageOf(
      taskOf({
        lineage: delegations,
        tokens: many((place) => tokenAt((place * 7) % 100, 0.2, `d${place % 40}`)),
        approvals: many((place) => ({
          approvalId: `apr_${place}`,
          taskId: "t",
          type: "triage-ticket",
          agent,
          orchestrator: "support-orchestrator",
          sub: "support-orchestrator",
          purpose: "p",
          api: "tickets",
          operation: "tickets:close",
          resource: "tickets/A",
          parameters: undefined,
          reason: "because",
          delegation: undefined,
          requestedBy: "triage-bot",
          requestedAt: BEGAN + place * 1000,
          by: ["leads"],
          state: "denied" as const,
          expiresAt: BEGAN + 200 * MINUTE,
          decidedBy: "people/lin",
          decidedAt: BEGAN + place * 1000 + 500,
        })),
      }),
      {
        ...QUIET,
        steps: Array.from({ length: 48 }, (_each, step) => ({
          ...{ first: BEGAN + step * 2 * MINUTE, last: BEGAN + step * 2 * MINUTE },
          ...{ allowed: 5000, observed: 300, refused: 200 },
        })),
        rules: many((place) => ({
          rule: `support.yaml#/tasks/x/grants/${place}`,
          api: "tickets",
          allowed: 1,
          observed: 0,
          operations: [{ operation: "tickets:read", allowed: 1, observed: 0 }],
          resources: [],
        })),
      },
    )
    expect(Buffer.byteLength(text)).toBeLessThan(90_000)
  })
})

test("the delegation tree stands as it was delegated, whatever order it is read in", () => {
  const lineage = [
    delegationAt(1, "a", undefined),
    delegationAt(2, "b", "a"),
    delegationAt(3, "c", undefined),
  ]
  const tree = /<div class="tree">[\s\S]*?<\/div>/.exec(pageOf(taskOf({ lineage })))?.[0] ?? ""
  const shape = tree.replaceAll(/<(?!\/?(ul|li)>)[^>]*>/g, "").replaceAll(/\s+/g, " ")
  expect(shape).toMatch(
    /^triage-bot .*<ul><li>helper-a .*<ul><li>helper-b .*<\/li><\/ul><\/li><li>helper-c .*<\/li><\/ul>$/,
  )
})

test("an operator of a task that is open is offered what changes it, of one that ended nothing", () => {
  const ended = pageOf(taskOf())
  expect(ended).not.toContain("<form")
  const open = pageOf(taskOf({ state: "paused", endedAt: undefined }))
  expect([...open.matchAll(/formaction="[^"]*\/(\w+)"/g)].map(([, act]) => act)).toEqual(["resume", "revoke"])
})
