// Agents that get nothing but refusals, by what is told of the ledger: how many in how long, on which side, and what ends it.
import { describe, expect, test } from "vitest"
import { createRefusals } from "../../src/audit/refusals.ts"
import type { OutcomeRow } from "../../src/audit/statements.ts"

const AT = Date.parse("2026-03-01T09:00:00Z")
const row = (
  kind: string,
  entries: number,
  places: readonly [number, number],
  change: Partial<OutcomeRow> = {},
) => ({
  ...{ kind, agent: "bot", instance: "pod-1", outcome: kind.endsWith("refused") ? 0 : 1, entries },
  ...{ first_seq: places[0], last_seq: places[1], first_at: AT, last_at: AT, code: null },
  ...change,
})
const nothing = async () => []

async function runsOf(rows: readonly OutcomeRow[], now = AT, since: readonly OutcomeRow[] = []) {
  const refusals = createRefusals()
  await refusals.take(rows, async () => since)
  return refusals.runs(now).map(({ side, refusals: count }) => `${side} ${count}`)
}

test.each<[string, readonly OutcomeRow[], readonly string[]]>([
  ["five at APIs", [row("use.refused", 5, [1, 5])], ["api 5"]],
  ["four are too few", [row("use.refused", 4, [1, 4])], []],
  [
    "of starts and tokens together",
    [row("task.refused", 2, [1, 2]), row("token.refused", 3, [3, 5])],
    ["issuer 5"],
  ],
  [
    "APIs and the issuer are looked at apart",
    [row("use.refused", 4, [1, 4]), row("token.refused", 4, [5, 8])],
    [],
  ],
  ["something allowed after them", [row("use.refused", 5, [1, 5]), row("use.allowed", 1, [6, 6])], []],
  [
    "something allowed at the other side",
    [row("use.refused", 5, [1, 5]), row("token.issued", 1, [6, 6])],
    ["api 5"],
  ],
  [
    "something allowed before them",
    [row("use.observed", 1, [1, 1]), row("use.refused", 5, [2, 6])],
    ["api 5"],
  ],
])("%s", async (_, rows, runs) => {
  expect(await runsOf(rows)).toEqual(runs)
})

describe("where something was allowed in between, what came after it counts, once", () => {
  const between = [
    row("task.refused", 4, [1, 8]),
    row("token.refused", 4, [2, 9]),
    row("token.issued", 1, [5, 5]),
  ]
  test.each<[number, readonly string[]]>([
    [2, []],
    [3, ["issuer 5"]],
  ])("two and %i", async (count, runs) => {
    const after = [
      row("task.refused", 2, [6, 8]),
      row("token.refused", count, [7, 9]),
      row("use.refused", 9, [10, 19]),
    ]
    expect(await runsOf(between, AT, after)).toEqual(runs)
  })
})

test("it is raised for four minutes after the last, and is over after five", async () => {
  const refusals = createRefusals()
  await refusals.take([row("use.refused", 5, [1, 5])], nothing)
  const standing = [239_999, 240_000, 299_999, 300_000].map((later) => [
    refusals.runs(AT + later).length,
    refusals.isRefused("api", "bot/pod-1", AT + later),
  ])
  expect(standing).toEqual([
    [1, true],
    [0, true],
    [0, true],
    [0, false],
  ])
})

test("what is older than five minutes does not count with what is new", async () => {
  const refusals = createRefusals()
  await refusals.take([row("use.refused", 3, [1, 3])], nothing)
  const later = { first_at: AT + 300_000, last_at: AT + 300_000 }
  await refusals.take([row("use.refused", 3, [4, 6], later)], nothing)
  expect(refusals.runs(AT + 300_000)).toEqual([])
})

test("ten thousand instances are followed; of more the first ones tell", async () => {
  const refusals = createRefusals()
  const rows = Array.from({ length: 10_001 }, (_, at) =>
    row("use.refused", 5, [at + 1, at + 1], { instance: `pod-${at}` }),
  )
  await refusals.take(rows, nothing)
  const followed = refusals.runs(AT)
  expect([followed.length, followed.at(-1)?.instance]).toEqual([10_000, "pod-9999"])
  await refusals.take([row("use.refused", 1, [20_000, 20_000], { instance: "pod-0" })], nothing)
  expect(refusals.runs(AT)[0]?.refusals).toBe(6)
})
