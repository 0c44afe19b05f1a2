// `ledger verify` and gaps: one that is told of is part of a whole ledger, one that is not breaks it.
import { expect, test } from "vitest"
import { createReports } from "../../src/ledger/verify-reports.ts"

const VERIFIER = "01923456-789a-7bcd-8ef0-123456789abc"

interface Line {
  readonly kind: "use.allowed" | "verifier.gap" | "verifier.reported"
  readonly sequence: number
  readonly [member: string]: string | number | boolean
}

/** What is found of these entries, in order. */
const found = (lines: readonly Line[]) => {
  const reports = createReports(true)
  return lines
    .map(({ kind, ...body }) => reports.misfit({ kind, body: { verifier: VERIFIER, ...body } }, {}))
    .filter((one) => one !== undefined)
}
const report = (sequence: number, more: object = {}): Line => ({
  kind: "verifier.reported",
  sequence,
  digest: `d${sequence}`,
  previous: `d${sequence - 1}`,
  uses: 0,
  ...more,
})
const gap = (sequence: number, more: object): Line => ({ kind: "verifier.gap", sequence, ...more })
const missing = gap(4, { why: "missing", from: 2, to: 3 })
const skipping = report(4, { after: 1 })

test.each<[string, readonly Line[], readonly string[]]>([
  ["batches that follow each other", [report(1), report(2)], []],
  ["heartbeats between", [report(1), report(5)], []],
  ["a use less than the batch brought", [report(1, { uses: 1 })], ["uses_missing"]],
  ["a gap that is told of", [report(1), missing, skipping], []],
  ["H14 a gap whose entry was taken out", [report(1), skipping], ["gap_untold"]],
  [
    "another gap than the one told of",
    [report(1), gap(4, { why: "missing", from: 3, to: 3 }), skipping],
    ["gap_untold"],
  ],
  [
    "one that came late, and was told of",
    [report(1), missing, skipping, gap(2, { closed: true }), report(2)],
    [],
  ],
  [
    "one that came late twice",
    [report(1), missing, skipping, gap(2, { closed: true }), report(2), report(2)],
    ["batch_repeated"],
  ],
  ["one that came late untold", [report(1), missing, skipping, report(2)], ["batch_repeated"]],
  [
    "a batch that follows another, told of",
    [report(1), gap(2, { why: "chain_differs", from: 1, to: 1 }), report(2, { previous: "x" })],
    [],
  ],
  ["a batch that follows another", [report(1), report(2, { previous: "x" })], ["batch_chain_differs"]],
])("%s", (_what, lines, expected) => expect(found(lines)).toEqual(expected))
