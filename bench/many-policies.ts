// A policy as large as one may be: 1,000 files with ten task types each, of three kinds in turn, and the requests that
// start tasks of them.
import type { TaskRequest } from "../src/policy/decide.ts"

export const FILES = 1000
/** What a decision of a type has to look at beside names. */
export const KINDS = ["names alone", "a pattern", "a pattern and matches()"] as const

const AGENTS = 20
const NOW = Date.UTC(2026, 0, 15, 12)

/** The files, by name. There are at most as many as task types. */
export function manyPolicies(tasks: number): Record<string, string> {
  const files = Math.min(tasks + 1, FILES)
  const texts = new Map<string, string>([["names.yaml", NAMES]])
  for (let index = 0; index < tasks; index++) {
    const name = `tasks-${index % (files - 1)}.yaml`
    texts.set(name, (texts.get(name) ?? "version: 1\ntasks:\n") + taskType(index))
  }
  return Object.fromEntries(texts)
}

const agentOf = (index: number) => `agent-${index % AGENTS}`

const NAMES = `version: 1
apis:
  tickets:
    resource: https://tickets.example
    owner: support@example.com
    operations: { tickets:read: { risk: low }, tickets:comment: { risk: moderate } }
orchestrators: { jobs: { owner: support@example.com } }
agents:
${Array.from({ length: AGENTS }, (_, index) => `  ${agentOf(index)}: { owner: support@example.com }`).join("\n")}
`

const RULES = [
  `{ ticket: { enum: [SUP-1042, SUP-1043, OPS-7] } }`,
  `{ ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,9}" } }`,
  `{ ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,9}" } }
    when: 'matches(task.purpose, "^[A-Z][a-z]+ ") && usage.uses < 1000000'`,
]

const taskType = (index: number) => `  # ${index}: what comes in by mail
  triage-${index}:
    description: Read one ticket of queue ${index}, and comment on it
    orchestrators: [jobs]
    agents: [${agentOf(index)}]
    deadline: 2h
    inputs: ${RULES[index % KINDS.length]}
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets/{ticket}", "tickets/{ticket}/comments"] }
      - { api: tickets, operations: [tickets:comment], resources: ["tickets/{ticket}/comments"] }
`

/** A start of the type with this number, allowed; of one ticket after the other, where the type takes any. */
export const startOf = (index: number, ticket = "SUP-1042"): TaskRequest => ({
  type: `triage-${index}`,
  orchestrator: "jobs",
  agent: agentOf(index),
  inputs: { ticket: index % KINDS.length === 0 ? "SUP-1042" : ticket },
  circumstances: {
    now: NOW,
    purpose: "Triage what came in",
    usage: { starts: 10, uses: 100, refusals: 0 },
  },
})
