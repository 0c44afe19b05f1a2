// How long tasks went on: what they did last, what ended them, and what is not known yet.
import { expect, test } from "vitest"
import { createLasting } from "../../src/audit/lasting.ts"
import type { Entry } from "../../src/ledger/entry.ts"
import { toInstant } from "../../src/time.ts"

const BEGIN = Date.parse("2026-01-02T00:00:00Z")
type Told = readonly [kind: Entry["kind"], seconds: number, servedSeconds?: number]

const entriesOf = (task: string, told: readonly Told[]): Entry[] =>
  told.map(([kind, seconds, served], index) => ({
    ...{ seq: index + 1, at: toInstant(BEGIN + seconds * 1000), kind, task_id: task },
    body: {
      ...(kind === "task.started" && { type: "triage" }),
      ...(served !== undefined && { served_at: toInstant(BEGIN + served * 1000) }),
    },
  }))

const START: Told = ["task.started", 0]
const CASES: readonly (readonly [string, readonly Told[], number | undefined])[] = [
  ["until its end", [START, ["use.allowed", 5], ["task.completed", 60]], 60],
  ["until it failed", [START, ["task.failed", 7]], 7],
  ["all of the deadline that it ran into", [START, ["use.allowed", 5], ["task.expired", 7200]], 7200],
  [
    "until a use was served, however late it was told",
    [START, ["task.canceled", 30], ["use.allowed", 900, 40]],
    40,
  ],
  [
    "until the use that was served last, whichever is told last",
    [START, ["task.canceled", 30], ["use.allowed", 900, 40], ["use.allowed", 901, 35]],
    40,
  ],
  ["no longer than it asked for something", [START, ["task.canceled", 30], ["use.refused", 900]], 30],
  ["nobody knows how long, while it runs", [START, ["use.allowed", 5]], undefined],
  [
    "nobody knows how long, without its start",
    [
      ["use.allowed", 5],
      ["task.completed", 60],
    ],
    undefined,
  ],
]

test.each(CASES)("a task lasted %s", (_, told, seconds) => {
  const lasting = createLasting()
  for (const entry of entriesOf("task_1", told)) lasting.take(entry)
  const expected = seconds === undefined ? [] : [{ type: "triage", tasks: 1, longest_seconds: seconds }]
  expect(lasting.report()).toEqual(expected)
})

test("of a type the longest is told, and how many there were", () => {
  const lasting = createLasting()
  for (const [index, seconds] of [20, 50, 10].entries())
    for (const entry of entriesOf(`task_${index}`, [START, ["task.completed", seconds]])) lasting.take(entry)
  expect(lasting.report()).toEqual([{ type: "triage", tasks: 3, longest_seconds: 50 }])
})
