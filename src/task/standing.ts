// Whether a token stands, by what is recorded of it and its task: the one reading of those facts for everybody who asks,
// so that introspection and status lists can't disagree. Time is NOT looked at: what has run out may still stand here.

export interface StandingRow {
  /** When the token was ended before its time, whatever ended it: a revocation, a lock, a takeover, its task. */
  readonly ended_at: number | null
  readonly state: string
  /** Of the task's latest pause. */
  readonly paused_at: number | null
}

/** `suspended`: ended by the pause that its task is in. It does not come back either; a resumption mints others. */
export type Standing = "valid" | "suspended" | "ended"

export function standingOf({ ended_at, state, paused_at }: StandingRow): Standing {
  if (state === "active") return ended_at === null ? "valid" : "ended"
  const byPause = ended_at === null || ended_at >= (paused_at ?? 0)
  return state === "paused" && byPause ? "suspended" : "ended"
}
