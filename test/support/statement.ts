// Closing statements as values: one of a task of everyday, and changes to it.
import type { Statement } from "../../src/audit/statement.ts"
import { commit } from "../../src/ledger/commitment.ts"

/** The key of its commitments. */
export const KEY = new Uint8Array(32).fill(7)
const hidden = (name: string, value: string) => commit(KEY, name, value)

const RULE = "support.yaml#/tasks/triage-ticket/grants"
const AT = "2026-03-01T09:00:00.250Z"
const LATER = "2026-03-01T09:41:12.000Z"

const TICKET = hidden("resource", "tickets/SUP-1042")

/** What it commits to. */
export const OPENED = [
  { name: "resource", value: "tickets/SUP-1042", ...TICKET },
  {
    name: "resource",
    value: "tickets/SUP-1042/comments",
    ...hidden("resource", "tickets/SUP-1042/comments"),
  },
  { name: "purpose", value: "Triage the ticket", ...hidden("purpose", "Triage the ticket") },
  { name: "sub", value: "people/ana@example.com", ...hidden("sub", "people/ana@example.com") },
  { name: "reason", value: "It is solved", ...hidden("reason", "It is solved") },
]

export const STATEMENT: Statement = {
  state: "final",
  number: 1,
  task: {
    id: "task_01a2015d-9a60-7bc1-8d89-654aa2e41021",
    type: "triage-ticket",
    state: "completed",
    agent: "triage-bot",
    instance: "pod-7f3c",
    orchestrator: "support-orchestrator",
    sub: hidden("sub", "people/ana@example.com"),
    purpose: hidden("purpose", "Triage the ticket"),
    started_at: AT,
    deadline: "2026-03-01T11:00:00.250Z",
    ended_at: LATER,
  },
  policies: [`sha-256:${"p".repeat(43)}`],
  authority: [
    {
      rule: `${RULE}/0`,
      api: "tickets",
      allowed: 1412,
      observed: 12,
      first: AT,
      last: LATER,
      operations: [
        { operation: "tickets:read", allowed: 1400, observed: 12, first: AT, last: LATER },
        { operation: "tickets:comment", allowed: 12, observed: 0, first: AT, last: LATER },
      ],
      resources: [
        { resource: TICKET, allowed: 1412, observed: 12, first: AT, last: LATER },
        { resource: hidden("resource", "tickets/SUP-1042/comments"), allowed: 0, observed: 0 },
      ],
    },
    {
      rule: `${RULE}/1`,
      api: "tickets",
      approval: true,
      allowed: 0,
      observed: 0,
      operations: [{ operation: "tickets:close", allowed: 0, observed: 0 }],
      resources: [{ resource: TICKET, allowed: 0, observed: 0 }],
    },
  ],
  uses: [
    {
      api: "tickets",
      operation: "tickets:read",
      resource: TICKET,
      allowed: 1400,
      observed: 12,
      first: AT,
      last: LATER,
    },
    {
      api: "tickets",
      operation: "tickets:comment",
      resource: TICKET,
      allowed: 12,
      observed: 0,
      first: AT,
      last: LATER,
    },
  ],
  never_used: [
    { rule: `${RULE}/0`, api: "tickets", resource: hidden("resource", "tickets/SUP-1042/comments") },
    { rule: `${RULE}/1`, api: "tickets", operation: "tickets:close" },
  ],
  refusals: [
    {
      by: "api",
      api: "tickets",
      operation: "tickets:close",
      code: "operation_not_granted",
      count: 1204,
      first: AT,
      last: LATER,
    },
    {
      by: "issuer",
      code: "operation_not_allowed",
      why: "operations beyond the grant were asked for",
      count: 2,
      first: AT,
      last: LATER,
    },
  ],
  approvals: [
    {
      approval: "apr_01a2015d-9a60-7bc1-8d89-654aa2e41022",
      api: "tickets",
      operation: "tickets:close",
      resource: TICKET,
      requested_by: "support-orchestrator",
      requested_at: AT,
      reason: hidden("reason", "It is solved"),
      decision: "granted",
      by: "people/lin@example.com",
      as: "leads",
      decided_at: LATER,
      collected: 1,
    },
  ],
  holders: [
    {
      agent: "triage-bot",
      instance: "pod-7f3c",
      lineage: [],
      tokens: 5,
      allowed: 1400,
      observed: 0,
      refused: 1206,
    },
    {
      agent: "summarizer",
      instance: "pod-1",
      lineage: ["del_01a2015d-9a60-7bc1-8d89-654aa2e41023"],
      tokens: 1,
      allowed: 12,
      observed: 12,
      refused: 0,
    },
  ],
  renewals: [{ agent: "triage-bot", instance: "pod-7f3c", api: "tickets", count: 4, first: AT, last: LATER }],
  verifiers: [
    {
      verifier: "01a2214f-0259-73de-ac3b-91c23927c6d5",
      api: "tickets",
      sequence: 1204,
      last_report: LATER,
      standing: "past_end",
    },
    {
      verifier: "01a2214f-0363-7142-8b77-e9aa8adc4f3e",
      api: "tickets",
      sequence: 3,
      last_report: AT,
      standing: "behind",
    },
  ],
  gaps: [
    {
      verifier: "01a2214f-0363-7142-8b77-e9aa8adc4f3e",
      api: "tickets",
      from: 2,
      to: 1041,
      why: "missing",
      told_at: AT,
      written_off_at: LATER,
    },
  ],
  not_recording: [{ api: "deployments", verifiers: 0, introspected: 2 }],
  ledger: {
    first: 63,
    last: 2960,
    entries: 2641,
    through: 3001,
    checkpoint:
      "taskmint.internal\n3001\n3nTMzXwL5uOLz1V7s7w4hqhbFMXoSPVOPPx6u0IAfzk=\n\n\u2014 taskmint.internal lvUKEA8c\n",
  },
}
