// What a task and an approval can be, in the contract's words. It decides nothing; what follows what, finish.ts and
// approval-statements.ts do.

export const TASK_STATES = [
  "active",
  "paused",
  "completed",
  "failed",
  "canceled",
  "expired",
  "revoked",
] as const

export const APPROVAL_STATES = ["requested", "granted", "collected", "denied", "expired"] as const
