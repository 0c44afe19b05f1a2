// What stands for a while, told from the entries that begin and end it: by a reader that keeps count of everything all along.
import fc from "fast-check"
import { expect, test } from "vitest"
import type { CountedRow } from "../../src/audit/rollup-statements.ts"
import { levelsOf, STANDING, tallyStanding } from "../../src/audit/standing-count.ts"

const HOUR = 3_600_000
const row = (kind: string, code: string | null = null, at = 5 * HOUR): CountedRow => ({
  ...{ at, kind, code, seq: 7, task: 1, token: 1, type: "t", agent: "bot", api: "tickets" },
  ...{ operation: null, resource: null, bytes: null, claims: null },
  ...{ type_id: 2, agent_id: 3, operation_id: null, exp: null },
})

test.each([
  ["task.started", null, "tasks 1 0"],
  ["task.completed", null, "tasks 0 1"],
  ["task.failed", null, "tasks 0 1"],
  ["task.canceled", null, "tasks 0 1"],
  ["task.expired", null, "tasks 0 1"],
  ["task.revoked", null, "tasks 0 1"],
  ["approval.requested", null, "approvals 1 0"],
  ["approval.granted", null, "approvals 0 1"],
  ["approval.denied", null, "approvals 0 1"],
  ["approval.expired", null, "approvals 0 1"],
  ["alarm.raised", "task_unrenewed", "silent_agents 1 0"],
  ["alarm.cleared", "task_unrenewed", "silent_agents 0 1"],
  ["verifier.silent", "verifier_silent", "silent_verifiers 1 0"],
  ["verifier.returned", "verifier_silent", "silent_verifiers 0 1"],
  ["alarm.cleared", "verifier_silent", "silent_verifiers 0 1"],
])("%s (%s)", (kind, code, counts) => {
  const told = tallyStanding([row(kind, code)]).map(({ what, began, ended }) => `${what} ${began} ${ended}`)
  expect(told).toEqual([counts])
})

test.each([
  ["task.paused", null],
  ["task.refused", null],
  ["use.allowed", null],
  ["alarm.raised", "agent_refused"],
  ["alarm.cleared", "key_shared"],
  ["alarm.raised", null],
])("%s (%s) begins and ends nothing that is counted", (kind, code) => {
  expect(tallyStanding([row(kind, code)])).toEqual([])
})

const PAIRS = {
  tasks: ["task.started", "task.completed"],
  approvals: ["approval.requested", "approval.granted"],
  silent_agents: ["alarm.raised", "alarm.cleared"],
  silent_verifiers: ["verifier.silent", "verifier.returned"],
} as const

test("what stood at the end of each hour is told from what stands now", () => {
  const begun = fc.record({
    what: fc.constantFrom(...STANDING),
    from: fc.integer({ min: 0, max: 30 * HOUR - 1 }),
    lasts: fc.integer({ min: 0, max: 20 * HOUR }),
  })
  fc.assert(
    fc.property(fc.array(begun, { maxLength: 40 }), (all) => {
      const now = 30 * HOUR - 1
      const rows = all.flatMap(({ what, from, lasts }) => {
        const [begins, ends] = PAIRS[what]
        const code = what === "silent_agents" ? "task_unrenewed" : null
        const end = from + lasts
        return [row(begins, code, from), ...(end <= now ? [row(ends, code, end)] : [])]
      })
      const hours = Array.from({ length: 24 }, (_each, n) => 6 + n)
      const standsAt = (what: string, at: number) =>
        all.filter((one) => one.what === what && one.from <= at && one.from + one.lasts > at).length
      const counts = tallyStanding(rows)
      for (const what of STANDING)
        expect(
          levelsOf(
            standsAt(what, now),
            hours,
            counts.filter((one) => one.what === what),
          ),
        ).toEqual(hours.map((hour) => standsAt(what, (hour + 1) * HOUR - 1)))
    }),
  )
})

test("where hours were not counted there is never less than none", () => {
  expect(levelsOf(0, [1, 2], [{ hour: 2, what: "tasks", began: 3, ended: 0 }])).toEqual([0, 0])
})
