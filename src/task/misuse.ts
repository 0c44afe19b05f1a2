// What is wrong with a use that a verifier says has happened: its token is not in the ledger, was over by then, or is
// another's. It decides what is told of that, in the use's own entry and as an alarm. Nothing is refused for it: it happened.

import type { AlwaysRule } from "../policy/anomaly-rules.ts"
import { SKEW_SECONDS } from "../time.ts"
import type { UseRecord } from "../token/batch.ts"

/** Members of `anomalies` in the entry of a use, and codes of the alarm about it. */
export type Anomaly = AlwaysRule

/** What the ledger's side knows of the task and the token that a use names. Epoch milliseconds, or seconds as in tokens. */
export interface UsedToken {
  /** Null: there is no such token. */
  readonly iat: number | null
  readonly exp: number | null
  /** 1: the token is one of the task that the use names. */
  readonly same_task: number
  /** The API's name. */
  readonly token_api: string | null
  readonly token_ended_at: number | null
  readonly task_ended_at: number | null
}

/** How stale revocations may be before an operation of this risk is not served, in seconds; null: until the token ends. */
export const STALE_SECONDS = { high: 30, moderate: 300, low: null } as const

export interface Served {
  /** The API that reports. */
  readonly api: string
  /** Epoch milliseconds: when it was served by our clock. */
  readonly at: number
  /** When we heard of it. */
  readonly heardAt: number
  /** Of its operation; undefined: the policy does not know it any more, which counts as high. */
  readonly risk: keyof typeof STALE_SECONDS | undefined
}

/** With these the verifier said itself that the token was none to let through; observe mode does so all the same. */
const SAID: ReadonlySet<string | undefined> = new Set([
  "token_invalid",
  "token_expired",
  "token_revoked",
  "task_paused",
  "task_ended",
])

/**
 * Empty: nothing is wrong. A token counts as over where its verifier could know: after its time and the skew that
 * clocks are allowed, after its end and the staleness that the operation's risk allows; after the end of its task, at once.
 */
export function anomaliesOf(
  { decision, code }: Pick<UseRecord, "decision" | "code">,
  token: UsedToken,
  served: Served,
): readonly Anomaly[] {
  const { iat, exp } = token
  const found: Anomaly[] = []
  if (served.at > served.heardAt + SKEW_SECONDS * 1000) found.push("use_dated_ahead")
  if (iat === null || exp === null) return [...found, "use_of_unknown_token"]
  if (token.same_task === 0) found.push("use_of_other_task")
  if (decision === "refused" || (decision === "observed" && SAID.has(code))) return found
  if (token.token_api !== served.api) found.push("use_at_other_api")
  return [...found, ...outsideLife({ ...token, iat, exp }, served)]
}

function outsideLife(
  token: UsedToken & { readonly iat: number; readonly exp: number },
  { at, risk = "high" }: Served,
): readonly Anomaly[] {
  const found: Anomaly[] = []
  const stale = STALE_SECONDS[risk]
  if (at < (token.iat - SKEW_SECONDS) * 1000) found.push("use_before_issue")
  // Verifiers compare whole seconds.
  if (at >= (token.exp + SKEW_SECONDS + 1) * 1000) found.push("use_after_expiry")
  if (token.task_ended_at !== null && at > token.task_ended_at) found.push("use_after_task_end")
  else if (token.token_ended_at !== null && stale !== null && at > token.token_ended_at + stale * 1000)
    found.push("use_after_token_end")
  return found
}
