import { expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { cut } from "../../src/policy/cut.ts"
import { decide } from "../../src/policy/decide.ts"
import { diffPolicies } from "../../src/policy/diff.ts"
import { countingFault, readEvidence } from "../../src/policy/evidence.ts"
import { loadStoredPolicy } from "../../src/policy/load.ts"
import { narrowFault, narrowPolicy } from "../../src/policy/narrow.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { contains } from "../../src/token/authority.ts"
import { CROWDED, EVIDENCE, evidenceOf, itemOf } from "../support/crowded-policy.ts"
import { policyOf } from "../support/policies.ts"

const policy = await policyOf({ "support.yaml": CROWDED })
const MIN = { minTasks: 20 }
const narrowed = narrowPolicy(policy, EVIDENCE, MIN)

async function loaded(texts: ReadonlyMap<string, string>): Promise<Policy> {
  const read = await loadStoredPolicy(texts, { dev: true })
  if ("faults" in read) throw new Error(read.toString())
  return read
}

test("only the touched lines change: comments, quotes and layout stay", () => {
  const lines = (narrowed.texts.get("support.yaml") ?? "").split("\n")
  const before = CROWDED.split("\n")
  expect(lines.filter((line) => !before.includes(line))).toEqual([
    "        operations: [tickets:read, tickets:comment]  # all of it",
    "        helper: [tickets:read]",
  ])
  expect(before.filter((line) => !lines.includes(line))).toEqual([
    '        operations: [tickets:read, tickets:comment, "tickets:merge"]  # all of it',
    "      - api: tickets # closing",
    "          - tickets:close # at last",
    "        resources: ['tickets/{ticket}']",
    "          - tickets:merge # rarely",
    "        helper: [tickets:close, tickets:read]",
  ])
})

test("it loads, widens nothing, and allows whatever was used", async () => {
  const narrower = await loaded(narrowed.texts)
  const ways = new Set(diffPolicies(policy, narrower).map(({ direction }) => direction))
  expect([...ways]).toEqual(["narrowing"])
  expect(narrowFault(policy, narrower, EVIDENCE)).toBe(undefined)
  const start = { type: "triage", orchestrator: "jobs", agent: "bot", inputs: { ticket: "SUP-1" } }
  const used = ["tickets:read", "tickets:comment"]
  const [before, after] = [
    decide(policy, { ...start, operations: used }),
    decide(narrower, { ...start, operations: used }),
  ]
  if (before instanceof Refusal || after instanceof Refusal) throw new Error("refused")
  expect([contains(after.authority, before.authority), contains(before.authority, after.authority)]).toEqual([
    true,
    true,
  ])
  expect(decide(narrower, { ...start, operations: ["tickets:close"] })).toMatchObject({
    code: "operation_not_allowed",
  })
})

test("what was given too seldom, or never, is left and said", () => {
  const few = narrowPolicy(
    policy,
    evidenceOf(itemOf(0, "tickets:merge", 19, 0), itemOf(0, "tickets:read", 50, 1)),
    MIN,
  )
  expect(few.removed).toEqual([])
  expect(few.texts).toEqual(policy.files)
  expect(few.left).toContainEqual({
    rule: "support.yaml#/tasks/triage/grants/0",
    operation: "tickets:merge",
    why: "19 task(s) were given it, fewer than 20",
  })
  expect(few.left).toContainEqual({
    rule: "support.yaml#/tasks/quiet/grants/0",
    operation: "tickets:read",
    why: "0 task(s) were given it, fewer than 20",
  })
})

test("a type of which nothing was used keeps everything", () => {
  const quiet = {
    ...itemOf(0, "tickets:read", 90, 0),
    type: "quiet",
    rule: "support.yaml#/tasks/quiet/grants/0",
  }
  const none = narrowPolicy(policy, evidenceOf(quiet), MIN)
  expect(none.removed).toEqual([])
  expect(none.left.find((one) => one.rule === quiet.rule)?.why).toMatch(/^no task of this type used anything/)
})

test("a use under a rule that has moved counts for every rule of the type", () => {
  const moved = evidenceOf(
    itemOf(0, "tickets:read", 50, 9),
    itemOf(1, "tickets:close", 50, 0),
    itemOf(7, "tickets:close", 1, 1),
  )
  expect(narrowPolicy(policy, moved, MIN).removed).toEqual([])
})

test("a result that takes away what was used, or widens, is found out", async () => {
  const without = (from: string, to: string) => loaded(new Map([["support.yaml", CROWDED.replace(from, to)]]))
  const lost = await without("[tickets:read, tickets:comment", "[tickets:comment")
  expect(narrowFault(policy, lost, EVIDENCE)).toBe(
    "tickets:read is used in triage (support.yaml#/tasks/triage/grants/0), and would be gone",
  )
  expect(narrowFault(policy, await without("deadline: 2h", "deadline: 3h"), EVIDENCE)).toBe(
    "triage may run for 3h; before: 2h",
  )
  const other = await without('"[A-Z]+-[0-9]+"', '"[A-Z]+-[0-9]{1,3}"')
  expect(diffPolicies(policy, other).map(({ direction }) => direction)).toEqual(["unknown"])
  expect(narrowFault(policy, other, EVIDENCE)).toMatch(/ticket/)
})

test.each([
  ["a: [x, y, z] # c\n", ["a", 0], "a: [y, z] # c\n"],
  ["a: [x, y, z]\n", ["a", 2], "a: [x, y]\n"],
  ["a: [x]\n", ["a", 0], undefined],
  ["a:\n  - x # one\n  # two\n  - y\n", ["a", 0], "a:\n  # two\n  - y\n"],
  ["a: { b: 1, c: { d: 2 } }\n", ["a", "c"], "a: { b: 1 }\n"],
  ["a:\n  b:\n    - 1\n    - 2 # x\n  c: 3\n", ["a", "b"], "a:\n  c: 3\n"],
  ["a:\n  - - x\n    - y\n", ["a", 0, 0], undefined],
  ["a: [x]\n", ["b", 0], undefined],
  ["a:\n  - x\n  - y", ["a", 1], "a:\n  - x\n"],
])("%j without %j", (text, path, left) => {
  expect(cut(text, path)).toBe(left)
})

test.each([
  [{}, "from: "],
  [{ ...EVIDENCE, items: [{ ...itemOf(0, "a:b", 1, 1), used: -1 }] }, "items.0.used: "],
])("what is no evidence is said", (value, said) => {
  expect(String(readEvidence(JSON.stringify(value)))).toContain(said)
})

const note = (size: number) => `taskmint.internal\n${size}\nAAAA\n\n\u2014 taskmint.internal AAAA\n`
const BEHIND = "it was made when 1000 of 1001 entries were counted"

test.each([
  ["a window that is over and counted", {}, undefined],
  ["one that goes on", { up_to_at: "2026-01-30T23:59:59.999Z", checkpoint: note(1001) }, BEHIND],
  ["one that goes on, counted to the end", { up_to_at: null, checkpoint: note(1000) }, undefined],
  ["no place", { up_to_at: null, up_to: undefined }, "it does not say how far it was counted (up_to)"],
  ["no checkpoint", { up_to_at: null }, "it does not say how far it was counted (up_to)"],
  ["no checkpoint that is one", { up_to_at: null, checkpoint: "1000" }, "its checkpoint is none"],
  ["a part", { only: { unused: true } }, "it was asked for a part of what happened"],
])("whether a report may lack uses: %s", (_, changes, fault) => {
  const read = readEvidence(JSON.stringify({ ...EVIDENCE, checkpoint: undefined, ...changes }))
  expect(typeof read === "string" ? read : countingFault(read)).toBe(fault)
})
