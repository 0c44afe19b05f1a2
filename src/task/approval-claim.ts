// The one use of a token that is for one use: given at most once, to whichever verifier of its API asks first, and to that
// use again when the answer was lost. The use itself is recorded as every other is.
import { Unexpected } from "../database/database.ts"
import type { Code } from "../errors.ts"
import { SKEW_SECONDS, toEpochSeconds } from "../time.ts"
import { claimStanding, claimUse } from "./approval-statements.ts"
import type { Parts } from "./parts.ts"

export interface Claim {
  readonly jti: string
  /** The id under which the verifier will record the use. */
  readonly use: string
}

/** Undefined: it is that use's now. Else why not, as the verifier is to answer. */
export async function claimOnce(parts: Parts, api: string, { jti, use }: Claim): Promise<Code | undefined> {
  // As long as verifiers take tokens.
  const now = toEpochSeconds(parts.ledger.at()) - SKEW_SECONDS
  const values = { jti, use, api, now_seconds: now }
  try {
    await parts.engine.atomically([{ statement: claimUse, values, rows: 1 }])
    return undefined
  } catch (cause) {
    if (!(cause instanceof Unexpected)) throw cause
  }
  const [standing] = await parts.engine.query(claimStanding, { jti, api })
  if (!standing || standing.used !== null) return "token_used"
  if (standing.state === "paused") return "task_paused"
  if (standing.state !== "active") return "task_ended"
  return standing.ended_at === null ? "token_used" : "token_revoked"
}
