import { expect, test } from "vitest"
import { commitmentsIn, inClear, wrongValues } from "../../src/audit/opening.ts"
import { commit } from "../../src/ledger/commitment.ts"
import { KEY, OPENED, STATEMENT } from "../support/statement.ts"

const [first] = OPENED
if (!first) throw new Error("the statement opens nothing")

test("values take the place of their commitments, and nothing else changes", () => {
  const clear = inClear(STATEMENT, OPENED)
  expect([clear.task.purpose, clear.task.sub]).toEqual(["Triage the ticket", "people/ana@example.com"])
  expect(commitmentsIn(clear)).toEqual(new Set())
  expect(inClear(STATEMENT, [])).toEqual(JSON.parse(JSON.stringify(STATEMENT)))
  expect({ ...clear, task: 0, authority: 0, uses: 0, never_used: 0, approvals: 0 }).toEqual({
    ...STATEMENT,
    ...{ task: 0, authority: 0, uses: 0, never_used: 0, approvals: 0 },
  })
})

test("the right values open the right commitments", () => {
  expect(wrongValues(STATEMENT, KEY, OPENED)).toEqual([])
})

test.each([
  ["another value", KEY, { ...first, value: "tickets/SUP-1043" }],
  ["another member's name", KEY, { ...first, name: "purpose" }],
  ["another key", new Uint8Array(32), first],
  ["no key", new Uint8Array(), first],
  ["what the statement does not commit to", KEY, { ...first, hmac: "A".repeat(43) }],
  [
    "what it does not commit to, rightly committed",
    KEY,
    { name: "resource", value: "tickets/X", ...commit(KEY, "resource", "tickets/X") },
  ],
])("%s is found", (_what, key, opened) => {
  expect(wrongValues(STATEMENT, key, [opened])).toEqual([opened])
})
