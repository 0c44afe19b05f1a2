// What one difference between two policies is, and which way it goes. It decides nothing about policies; diff.ts finds.
import type { Place } from "./policy.ts"

/**
 * `widening`: somebody may do more, longer, or with less said. `unknown`: it can't be proved either way, so it may widen.
 * `neutral`: nobody may do more or less.
 */
export type Direction = "widening" | "unknown" | "narrowing" | "neutral"

/** In the order of how much they ask of a reviewer. */
export const DIRECTIONS: readonly Direction[] = ["widening", "unknown", "narrowing", "neutral"]

export type Subject =
  | "access"
  | "approval"
  | "condition"
  | "inputs"
  | "users"
  | "time"
  | "proof"
  | "renewal"
  | "delegation"
  | "limits"
  | "authentication"
  | "roles"
  | "api"
  | "anomalies"
  | "text"

/** Whom a finding is about: all of a kind where it is absent. */
export interface Concern {
  readonly task?: string
  readonly orchestrators?: readonly string[]
  readonly agents?: readonly string[]
  /** Rules in users; null: the orchestrator itself, without a user. */
  readonly users?: readonly (string | null)[]
  /** A caller's, a person's, an identity provider's or an anomaly rule's name: no task by itself. */
  readonly name?: string
}

export interface Finding {
  readonly direction: Direction
  readonly subject: Subject
  /** One sentence. */
  readonly text: string
  readonly concerns: Concern
  /** Where the old policy says so; absent where it says nothing. */
  readonly old?: Place
  readonly new?: Place
}

/** Two places, each left out where there is none. */
export const sides = (old: Place | undefined, now: Place | undefined): Pick<Finding, "old" | "new"> => ({
  ...(old && { old }),
  ...(now && { new: now }),
})

/** `7d`, `2h`, `10m`, `90s`: as policies write it. */
export function formatSeconds(seconds: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const
  const unit = units.find(([, size]) => seconds > 0 && seconds % size === 0)
  return unit ? `${seconds / unit[1]}${unit[0]}` : `${seconds}s`
}
