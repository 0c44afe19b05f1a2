// What an account tells of the entries of a task: the shapes that story.ts fills and statement.ts puts together.
import type { Commitment } from "../ledger/commitment.ts"
import type { Json, Kind } from "../ledger/event.ts"

/** An entry as it is hashed: personal members are commitments. */
export interface HashedEntry {
  readonly at: string
  readonly kind: Kind
  readonly agent?: string
  readonly instance?: string
  readonly orchestrator?: string
  readonly api?: string
  readonly operation?: string
  readonly code?: string
  readonly sub?: Commitment
  readonly resource?: Commitment
  readonly reference?: Commitment
  readonly body?: { readonly [member: string]: Json }
}

export type TaskState = "active" | "paused" | "completed" | "failed" | "canceled" | "expired" | "revoked"

/** Times in RFC 3339. */
export interface TaskFacts {
  readonly type: string
  readonly state: TaskState
  readonly agent: string
  readonly instance: string
  readonly orchestrator: string
  readonly sub?: Commitment
  readonly purpose?: Commitment
  readonly reference?: Commitment
  readonly started_at: string
  readonly deadline: number
  readonly ended_at?: string
}

export interface Refused {
  /** Who refused: the API's verifier, or the issuer. */
  readonly by: "api" | "issuer"
  readonly api?: string
  readonly operation?: string
  readonly code: string
  /** Of the issuer's: its reason. */
  readonly why?: string
}

export interface ApprovalAccount {
  readonly approval: string
  readonly api: string
  readonly operation: string
  readonly resource?: Commitment
  readonly requested_by: string
  readonly requested_at: string
  readonly reason?: Commitment
  readonly decision: "requested" | "granted" | "denied" | "expired"
  /** The person, and as which name of staff. */
  readonly by?: string
  readonly as?: string
  readonly decided_at?: string
  readonly decision_reason?: Commitment
  /** Tokens that were collected of it. */
  readonly collected: number
}

export interface Share {
  readonly tokens: number
  readonly refused: number
}

export interface HolderStory extends Share {
  readonly agent: string
  readonly instance: string
  /** Of a sub-agent: every delegation that it held, outermost first, the last its own. */
  readonly lineage: readonly string[]
}
