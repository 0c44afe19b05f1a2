// What an entry adds to the counts by hour and by API: of each kind that counts one example, and of those that do not.
import { expect, test } from "vitest"
import { tallyHours } from "../../src/audit/hour-count.ts"
import type { CountedRow } from "../../src/audit/rollup-statements.ts"

const AT = Date.parse("2026-03-01T09:59:59.999Z")
const bytes = (count?: number) => Buffer.from(JSON.stringify({ body: { count } }))
const row = (kind: string, change: Partial<CountedRow> = {}): CountedRow => ({
  ...{ at: AT, kind, seq: 7, task: 1, token: 1, type: "t", agent: "bot", api: "tickets" },
  ...{ operation: "tickets:read", resource: null, bytes: null, claims: null },
  ...{ type_id: 2, agent_id: 3, operation_id: 4, code: null, exp: null },
  ...change,
})

const hourly = (rows: readonly CountedRow[]) =>
  tallyHours(rows).hours.map(({ agent, starts, uses, refusals }) => [agent, starts, uses, refusals].join(" "))
const daily = (rows: readonly CountedRow[]) =>
  tallyHours(rows).apis.map((one) =>
    [one.api, one.allowed, one.observed, one.refused, one.introspected].join(" "),
  )

test.each([
  ["task.started", ["bot 1 0 0"], []],
  ["task.refused", ["bot 0 0 1"], []],
  ["token.refused", ["bot 0 0 1"], []],
  ["token.renewed", ["bot 0 0 0"], []],
  ["use.allowed", ["bot 0 1 0"], ["tickets 1 0 0 0"]],
  ["use.observed", ["bot 0 1 0"], ["tickets 0 1 0 0"]],
  ["use.refused", ["bot 0 0 1"], ["tickets 0 0 1 0"]],
  ["token.introspected", ["bot 0 0 0"], ["tickets 0 0 0 1"]],
  ["token.revoked", [], []],
  ["token.exposed", [], []],
  ["alarm.raised", [], []],
  ["task.expired", [], []],
  ["access.read", [], []],
])("%s", (kind, hours, apis) => {
  expect([hourly([row(kind)]), daily([row(kind)])]).toEqual([hours, apis])
})

test("refusals that came too fast count as many as they were, and a start that names nobody is nobody's", () => {
  expect(hourly([row("use.refused", { bytes: bytes(9) })])).toEqual(["bot 0 0 9"])
  expect(daily([row("use.refused", { bytes: bytes(9) })])).toEqual(["tickets 0 0 9 0"])
  expect(hourly([row("task.refused", { agent: null })])).toEqual([" 0 0 1"])
})

test("an hour begins at its first millisecond, and the last entry of each is known", () => {
  const rows = [
    row("use.allowed"),
    row("use.allowed", { at: AT - 5, seq: 8 }),
    row("use.allowed", { at: AT + 1, seq: 9 }),
  ]
  expect(tallyHours(rows).hours).toMatchObject([
    { uses: 2, last_at: AT, last_seq: 8 },
    { uses: 1, last_at: AT + 1, last_seq: 9 },
  ])
})
