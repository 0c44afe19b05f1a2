// A table of entries tells what the pages send people there for: who did it, to whom, and what matters of its body.
import { describe, expect, test } from "vitest"
import { HEADINGS, rowsOfEntries } from "../../src/cli/entry-row.ts"

const DIGEST = `sha-256:${"a".repeat(43)}`
const at = "2026-03-01T14:20:00.000Z"

const rowOf = (entry: Readonly<Record<string, unknown>>, columns?: number) => {
  const [row = []] = rowsOfEntries([{ seq: 1, at, ...entry }], columns)
  return Object.fromEntries(HEADINGS.map((heading, n) => [heading, row[n]]))
}

describe("who did it, and the detail, of", () => {
  const cases: readonly (readonly [
    kind: string,
    entry: Readonly<Record<string, unknown>>,
    who: string,
    detail: string,
  ])[] = [
    [
      "policy.loaded",
      { body: { digest: DIGEST, previous: "sha-256:b", files: 3, by: "operations-team" } },
      "operations-team",
      `digest ${DIGEST}, previous sha-256:b`,
    ],
    [
      "canary.issued",
      {
        jti: "tok_1",
        agent: "triage-bot",
        instance: "pod-1",
        body: { by: "ops", live: false, kid: "k", reason: "in the wiki", type: "canary" },
      },
      "ops",
      'triage-bot/pod-1, token tok_1, type canary, live false, reason "in the wiki"',
    ],
    [
      "alarm.raised",
      {
        agent: "triage-bot",
        instance: "pod-1",
        jti: "tok_1",
        code: "canary_used",
        body: { alarm: "canary_used", shown_at: "use", by: "tickets" },
      },
      "triage-bot/pod-1",
      "token tok_1, shown_at use, by tickets",
    ],
    [
      "alarm.raised",
      { body: { alarm: "callers_not_authenticated", counts: { invalid_client: 2 } } },
      "",
      'alarm callers_not_authenticated, counts {"invalid_client":2}',
    ],
    [
      "alarm.raised",
      {
        api: "tickets",
        code: "ledger_broken",
        body: { why: "fork", verifier: "v1", theirs: "a\nb\n", ours: "c" },
      },
      "tickets",
      "why fork, verifier v1",
    ],
    [
      "client.authenticated",
      { body: { client: "audit-team", by: "private_key_jwt", kid: "k" } },
      "audit-team",
      "by private_key_jwt",
    ],
    ["access.read", { body: { by: "audit-team", report: "silence" } }, "audit-team", "report silence"],
    [
      "lock.set",
      {
        agent: "triage-bot",
        instance: "pod-1",
        body: { of: "instance", by: "ops", until: null, revocation: "rev_1", reason: "odd" },
      },
      "ops",
      "triage-bot/pod-1, of instance, revocation rev_1, reason odd",
    ],
    [
      "token.revoked",
      {
        jti: "tok_1",
        body: { of: "token", by: "ops", revocation: "rev_1", reason: { hmac: "0123456789abcdef" } },
      },
      "ops",
      "token tok_1, of token, revocation rev_1, reason hmac 0123456789ab",
    ],
    [
      "token.revoked",
      { sub: "people/ana", body: { of: "subject", by: "ops" } },
      "ops",
      "people/ana, of subject",
    ],
    [
      "task.started",
      { agent: "a", instance: "i", body: { type: "triage", purpose: "x, by ops", grants: [{}] } },
      "a/i",
      'type triage, purpose "x, by ops"',
    ],
    [
      "approval.requested",
      { agent: "a", instance: "i", body: { by: ["p"], approval: "apr_1" } },
      "a/i",
      "approval apr_1",
    ],
    ["kind.unknown", { api: "tickets", body: { one: 1 } }, "tickets", "one 1"],
    ["token.introspected", { api: "tickets" }, "tickets", ""],
  ]
  test.each(cases)("%s %o", (kind, entry, who, detail) => {
    expect(rowOf({ kind, ...entry })).toMatchObject({ KIND: kind, WHO: who, DETAIL: detail })
  })
})

test("the task stands whole", () => {
  expect(rowOf({ kind: "task.expired", task_id: "task_1" }).TASK).toBe("task_1")
})

test("on a screen the detail is cut to the line, and a digest never is", () => {
  const long = {
    kind: "task.started",
    agent: "a",
    instance: "i",
    body: { type: "t", purpose: "x".repeat(100) },
  }
  expect(rowOf(long, 200).DETAIL).toMatch(/…$/)
  expect(rowOf(long, 400).DETAIL).toBe(`type t, purpose ${"x".repeat(100)}`)
  const loaded = { kind: "policy.loaded", body: { digest: DIGEST, previous: DIGEST } }
  expect(rowOf(loaded, 80).DETAIL).toContain(DIGEST)
})
