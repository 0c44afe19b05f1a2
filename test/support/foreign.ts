// A policy with one API whose verifier is somebody else's and one whose verifier is ours, and tasks that use both.
export const CRM = "https://crm.internal.example"
export const DOCS = "https://docs.internal.example"

const api = (name: string, resource: string, rest = "") =>
  `{ resource: ${resource}, owner: a, operations: { ${name}:read: { risk: low } }${rest} }`

/** `foreign: true` on the crm, unless told otherwise. */
export const foreignPolicy = (foreign = true): string => `version: 1
apis:
  crm: ${api("crm", CRM, foreign ? ", foreign: true" : "")}
  docs: ${api("docs", DOCS)}
agents: { bot: { owner: a } }
orchestrators: { runner: { owner: a } }
tasks:
  look:
    orchestrators: [runner]
    agents: [bot]
    deadline: 2h
    grants:
      - { api: crm, operations: [crm:read], resources: ["**"] }
      - { api: docs, operations: [docs:read], resources: ["**"] }
    limits: { active_tasks: 100000, starts_per_hour: 100000 }
`

export const RUNNER = "runner"
export const LOOK = {
  type: "look",
  agent: { id: "bot", instance: "pod-1" },
  purpose: "Look something up",
  inputs: {},
} as const
