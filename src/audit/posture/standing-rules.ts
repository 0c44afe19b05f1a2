// The rules of posture beyond what is served: how grave each is, what it is about, and what to do. It finds nothing.
import type { Severity } from "../../policy/review-rule.ts"

/** What a finding is about; in this order they are told. */
export const TOPICS = [
  "served",
  "verifiers",
  "policy",
  "keys",
  "privilege",
  "names",
  "owners",
  "approvals",
  "tasks",
] as const
export type Topic = (typeof TOPICS)[number]

/** Stable: pipelines know a rule by it. */
export type StandingRule =
  | "api-observes"
  | "api-unrecorded"
  | "policy-refused"
  | "policy-superseded"
  | "tasks-of-older-policy"
  | "rotation-overdue"
  | "rotation-waits"
  | "signer-missing"
  | "key-unconfirmed"
  | "ledger-key-old"
  | "canary-dead"
  | "agent-over-privileged"
  | "agent-dormant"
  | "task-type-dormant"
  | "name-unused"
  | "name-gone"
  | "lock-on-nobody"
  | "owner-unreachable"
  | "approval-always-granted"
  | "approval-never-asked"
  | "tasks-long-lived"

interface Row {
  readonly topic: Topic
  readonly severity: Severity
  /** What to do. */
  readonly fix: string
}

export const STANDING_RULES: Readonly<Record<StandingRule, Row>> = {
  "api-observes": {
    topic: "verifiers",
    severity: "warning",
    fix: "look at its `use.observed` entries, grant what is meant, then turn observing off",
  },
  "api-unrecorded": {
    topic: "verifiers",
    severity: "warning",
    fix: "put a verifier that records in front of it: what happens there stands in no statement",
  },
  "policy-refused": {
    topic: "policy",
    severity: "error",
    fix: "run `taskmint policy check` on the folder and correct it; the policy in force stays meanwhile",
  },
  "policy-superseded": {
    topic: "policy",
    severity: "warning",
    fix: "bring the folder up to date, or put its digest in force with `taskmint policy use`",
  },
  "tasks-of-older-policy": {
    topic: "policy",
    severity: "note",
    fix: "nothing: their next mint is by the policy in force, and what it would not give has ended",
  },
  "rotation-overdue": {
    topic: "keys",
    severity: "warning",
    fix: "look at the issuer's log for why, then `taskmint keys rotate`",
  },
  "rotation-waits": {
    topic: "keys",
    severity: "warning",
    fix: "keep one issuer running without a break for some minutes: it has to publish a key before the key signs",
  },
  "signer-missing": {
    topic: "keys",
    severity: "warning",
    fix: "give the issuer the next signer: every one that it has had its turn",
  },
  "key-unconfirmed": {
    topic: "keys",
    severity: "note",
    fix: "look whether verifiers reach `jwks.json`: no use under this key was recorded",
  },
  "ledger-key-old": {
    topic: "keys",
    severity: "note",
    fix: "`taskmint keys rotate --ledger`, and tell auditors the new key",
  },
  "canary-dead": {
    topic: "keys",
    severity: "warning",
    fix: "plant others in their places with `taskmint canary`; `taskmint ledger query --kind canary.issued` names these",
  },
  "agent-over-privileged": {
    topic: "privilege",
    severity: "warning",
    fix: "take it out of the grants or of the agent's `at_most`: `taskmint ledger least-privilege` and `taskmint policy narrow` show how",
  },
  "agent-dormant": {
    topic: "privilege",
    severity: "note",
    fix: "set `enabled: false` on it, or take it out",
  },
  "task-type-dormant": {
    topic: "privilege",
    severity: "note",
    fix: "set `enabled: false` on it, or take it out",
  },
  "name-unused": {
    topic: "names",
    severity: "note",
    fix: "take it out, or name it in the task type that needs it",
  },
  "name-gone": {
    topic: "names",
    severity: "warning",
    fix: "cancel or revoke these tasks, or name it in the policy again: nothing more is minted for them",
  },
  "lock-on-nobody": {
    topic: "names",
    severity: "note",
    fix: "lift it with `taskmint lock lift`, unless the name must never come back",
  },
  "owner-unreachable": {
    topic: "owners",
    severity: "note",
    fix: "write a mailing list, an https link or a #channel",
  },
  "approval-always-granted": {
    topic: "approvals",
    severity: "note",
    fix: "ask the approvers whether they decide anything here; grant it outright, or narrow what is asked for",
  },
  "approval-never-asked": {
    topic: "approvals",
    severity: "note",
    fix: "take the grant out: what is missed can still be added",
  },
  "tasks-long-lived": {
    topic: "tasks",
    severity: "note",
    fix: "shorten the deadlines of their types, or complete what is done",
  },
}
