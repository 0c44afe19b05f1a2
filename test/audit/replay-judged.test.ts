// What a replay makes of single uses and of several judgements: never more than what would have been permitted.
import { expect, test, vi } from "vitest"
import { createReplay } from "../../src/audit/replay.ts"
import { type Verdict, worstOf } from "../../src/audit/replay-tally.ts"
import type { Entry } from "../../src/ledger/entry.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { crewPolicy } from "../support/crew.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"
import { USER_POLICY } from "../support/users.ts"

// Each policy is read by a thread of its own.
vi.setConfig({ testTimeout: 120_000 })

const NONE = { permitted: 0, less: 0, refused: 0, cannot_tell: 0 }
const crew = () => policyOf({ ...shippedTexts(), "support.yaml": crewPolicy() })

function replay(policy: Policy, entries: readonly Entry[]) {
  const run = createReplay({ candidate: policy, from: "1970-01-01T00:00:00.000Z" })
  for (const entry of entries) run.take(entry)
  return run.report()
}

const startOf = (policy: Policy, change: Partial<Entry> = {}): Entry => ({
  seq: 1,
  at: "2026-01-01T00:00:00.000Z",
  kind: "task.started",
  task_id: "task_1",
  agent: "triage-bot",
  orchestrator: "support-orchestrator",
  ...change,
  body: { policy: policy.digest, inputs: { ticket: "SUP-1" }, ...change.body },
})
const useAt = (at: string, change: Partial<Entry> = {}): Entry => ({
  seq: 9,
  at,
  kind: "use.allowed",
  task_id: "task_1",
  jti: "tok_1",
  agent: "triage-bot",
  api: "tickets",
  operation: "tickets:read",
  resource: "tickets/SUP-1",
  ...change,
})

test("nobody stands behind a task for longer than 8 hours, whatever the deadline of its type is", async () => {
  const policy = await policyOf({ ...shippedTexts(), "users.yaml": USER_POLICY })
  const body = { type: "triage-for-user", user_rule: "support-staff" }
  const start = startOf(policy, { sub: "people/ana", body })
  const uses = ["07:59:59.999", "08:00:00.000"].map((time) =>
    replay(policy, [start, useAt(`2026-01-01T${time}Z`)]),
  )
  expect(uses.map(({ uses: { permitted }, hits }) => [permitted, hits[0]?.why])).toEqual([
    [1, undefined],
    [0, "task_ended: the deadline would have passed"],
  ])
  const own = startOf(policy, { body: { type: "triage-for-user" } })
  expect(replay(policy, [own, useAt("2026-01-02T23:00:00.000Z")]).uses.permitted).toBe(1)
})

test("a use below a delegation that was not read can't be told, and is never permitted", async () => {
  const policy = await crew()
  const renewed: Entry = {
    ...useAt("2026-01-01T00:00:01.000Z", { agent: "summarizer" }),
    seq: 2,
    kind: "token.renewed",
    body: { lineage: ["del_1"] },
  }
  const start = startOf(policy, { body: { type: "triage-ticket" } })
  const report = replay(policy, [start, renewed, useAt("2026-01-01T00:00:02.000Z", { agent: "summarizer" })])
  expect([report.uses, report.hits[0]?.why]).toEqual([
    { ...NONE, total: 1, cannot_tell: 1 },
    "a delegation above began before what was read",
  ])
})

test("a use at an API that the candidate does not have, or by another name, is refused", async () => {
  const policy = await crew()
  const start = startOf(policy, { body: { type: "triage-ticket" } })
  for (const api of ["deployments", "elsewhere"]) {
    const { uses, hits } = replay(policy, [start, useAt("2026-01-01T00:00:02.000Z", { api })])
    expect([uses.refused, hits[0]?.why]).toEqual([
      1,
      "insufficient_scope: the operation would not be granted",
    ])
  }
})

test.each<[Verdict[], Verdict]>([
  [["permitted", "permitted"], "permitted"],
  [["permitted", "less"], "less"],
  [["less", "cannot_tell"], "cannot_tell"],
  [["cannot_tell", "refused", "permitted"], "refused"],
  [[], "cannot_tell"],
])("of several judgements %j the worst counts: %s", (verdicts, worst) => {
  for (const order of [verdicts, verdicts.toReversed()])
    expect(worstOf(order.map((verdict) => ({ verdict }))).verdict).toBe(worst)
})
