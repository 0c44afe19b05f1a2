// What evidence says of the operations that a policy lists: which go, and which stay though nobody used them. Data alone.
export interface NarrowOptions {
  /** What fewer tasks were given is left as it is. */
  readonly minTasks: number
}

/** One operation of one list. */
export interface Removed {
  /** Of a grant, of an agent's `at_most` or of what an agent may be handed: `support.yaml#/agents/triage-bot/at_most`. */
  readonly rule: string
  readonly operation: string
  /** To so many tasks it was given, and none used it. */
  readonly granted: number
}

/** An operation, or a resource with wildcards. */
export interface Left {
  readonly rule: string
  readonly operation?: string
  readonly resource?: string
  readonly why: string
}

export interface Judged {
  readonly removed: readonly Removed[]
  /** Unused as far as the evidence goes, and yet left. */
  readonly left: readonly Left[]
}
