// A policy file as people write them: comments at every place, lists in both styles, and more than anybody uses; and evidence
// of what was used of it.
import type { Evidence, EvidenceItem } from "../../src/policy/evidence.ts"

export const CROWDED = `# Support.
version: 1
apis: { tickets: { resource: https://tickets.example, owner: a@example.com, operations: { tickets:read: { risk: low }, tickets:comment: { risk: low }, tickets:close: { risk: high }, tickets:merge: { risk: high } } } }
agents:
  bot: { owner: a@example.com }   # the one
  helper: { owner: a@example.com }
orchestrators: { jobs: { owner: a@example.com } }
tasks:
  # what we do all day
  triage:
    orchestrators: [jobs]
    agents:   [bot]
    deadline: 2h   # long enough
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" } }
    grants:
      # reading
      - api: tickets
        operations: [tickets:read, tickets:comment, "tickets:merge"]  # all of it
        resources: ["tickets/{ticket}"]
      - api: tickets # closing
        operations:
          - tickets:close # at last
        resources: ['tickets/{ticket}']

      # merging
      - api: tickets
        operations:
          - tickets:merge # rarely
          - tickets:read
        resources: ["tickets/*"]
    delegation:
      to:
        helper: [tickets:close, tickets:read]
    renew: none
  quiet:
    orchestrators: [jobs]
    agents: [bot]
    deadline: 1h
    grants: [{ api: tickets, operations: [tickets:read], resources: ["tickets/*"] }]
`

const item = (
  index: number,
  operation: string,
  granted: number,
  used: number,
  refused = 0,
): EvidenceItem => ({
  type: "triage",
  agent: "bot",
  rule: `support.yaml#/tasks/triage/grants/${index}`,
  api: "tickets",
  operation,
  granted,
  used,
  refused,
  last_used: used > 0 ? "2026-01-01T00:00:00.000Z" : null,
  resources: used > 0 ? 1 : null,
})

export const evidenceOf = (...items: readonly EvidenceItem[]): Evidence => ({
  from: "2026-01-01T00:00:00.000Z",
  to: "2026-01-31T00:00:00.000Z",
  entries: 1000,
  up_to: 1000,
  up_to_at: "2026-01-31T00:00:00.000Z",
  items: [...items],
})

/** Read in every task; commenting was tried; nobody merged or closed. */
export const EVIDENCE = evidenceOf(
  item(0, "tickets:read", 50, 200),
  item(0, "tickets:comment", 50, 0, 1),
  item(0, "tickets:merge", 50, 0),
  item(1, "tickets:close", 50, 0),
  item(2, "tickets:merge", 50, 0),
  item(2, "tickets:read", 50, 3),
)
export const itemOf = item
