// A policy with wildcards of every kind and users with limits, and entries of tasks that touched some of what it grants.
import type { Entry } from "../../src/ledger/entry.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { toInstant } from "../../src/time.ts"
import { PEOPLE_PROVIDER } from "./users.ts"

export const TOUCHED = `version: 1
identity_providers:
  people: ${PEOPLE_PROVIDER}
apis: { tickets: { resource: https://tickets.example, owner: a, operations: { tickets:read: { risk: low }, tickets:comment: { risk: low }, tickets:close: { risk: low } } } }
agents: { bot: { owner: a } }
orchestrators: { jobs: { owner: a } }
users:
  team: { provider: people, claims: { groups: team }, at_most: [tickets:read, tickets:comment, tickets:close] } # ours
tasks:
  triage:
    orchestrators: [jobs]
    agents: [bot]
    on_behalf_of: [team]
    deadline: 2h
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" }, place: { enum: [here, there] } }
    grants:
      - api: tickets
        operations: [tickets:read, tickets:comment] # both
        resources:
          # one ticket
          - tickets/* # any
          - 'archive/**'
          - "{place}/*/daily"
      - { api: tickets, operations: [tickets:close], resources: ["tickets/{ticket}", "tickets/*"] } # closing
`

/** One use: of which task, of what. */
export interface Touch {
  readonly operation: string
  readonly resource: string | { readonly hmac: string }
  readonly kind?: Entry["kind"]
  readonly count?: number
}

export interface Ran {
  readonly inputs: Readonly<Record<string, string>>
  readonly user?: string
  /** Operations that it was given; absent: all. */
  readonly given?: readonly string[]
  readonly touches: readonly Touch[]
}

const BEGIN = Date.parse("2026-01-02T00:00:00Z")
const ALL = ["tickets:read", "tickets:comment", "tickets:close"]

/** The ledger of tasks of "triage", one after the other. */
export function entriesOf(policy: Policy, ran: readonly Ran[]): Entry[] {
  let seq = 0
  const entry = (kind: Entry["kind"], rest: Omit<Entry, "seq" | "at" | "kind">): Entry => {
    seq += 1
    return { seq, at: toInstant(BEGIN + seq * 1000), kind, agent: "bot", orchestrator: "jobs", ...rest }
  }
  return ran.flatMap(({ inputs, user, given = ALL, touches }, index) => {
    const task_id = `task_${index}`
    const grants = [{ operations: [...given], rule: "p.yaml#/tasks/triage/grants/0" }]
    const body = {
      ...{ type: "triage", inputs, grants, policy: policy.digest, purpose: "a test" },
      ...(user !== undefined && { user_rule: user }),
    }
    return [
      entry("task.started", { task_id, instance: "pod-1", body }),
      ...touches.map(({ operation, resource, kind = "use.allowed", count }) =>
        entry(kind, {
          ...{ task_id, api: "tickets", operation, resource },
          ...(count !== undefined && { body: { count } }),
        }),
      ),
    ]
  })
}

/** So many tasks, each with an input of its own. */
export const tasks = (count: number, touches: (ticket: string, index: number) => readonly Touch[]): Ran[] =>
  Array.from({ length: count }, (_, index) => {
    const ticket = `SUP-${index}`
    return { inputs: { ticket, place: index % 2 ? "here" : "there" }, touches: touches(ticket, index) }
  })

export const read = (resource: string, operation = "tickets:read"): Touch => ({ operation, resource })
