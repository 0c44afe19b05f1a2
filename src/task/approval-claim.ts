// The one use of a token that is for one use: given at most once, to whichever verifier of its API asks first, and to that
// use again when the answer was lost. The use itself is recorded as every other is.
import { type Step, Unexpected } from "../database/database.ts"
import type { Code } from "../errors.ts"
import { SKEW_SECONDS, toEpochSeconds } from "../time.ts"
import { claimStanding, claimUse } from "./approval-statements.ts"
import { claimSubject, unclaimed } from "./limit-statements.ts"
import type { Parts } from "./parts.ts"
import { countSteps } from "./use-limits.ts"

export interface Claim {
  readonly jti: string
  /** The id under which the verifier will record the use. */
  readonly use: string
}

/** Somebody else may be counted first, this often. */
const ATTEMPTS = 4

/** Undefined: it is that use's now. Else why not, as the verifier is to answer. */
export async function claimOnce(parts: Parts, api: string, { jti, use }: Claim): Promise<Code | undefined> {
  // As long as verifiers take tokens.
  const now = toEpochSeconds(parts.ledger.at()) - SKEW_SECONDS
  const claim = { statement: claimUse, values: { jti, use, api, now_seconds: now }, rows: 1 }
  for (let attempt = 0; ; attempt += 1) {
    const counting = await countClaim(parts, api, jti)
    const first = counting.length > 0 ? [{ statement: unclaimed, values: { jti }, rows: 1 }] : []
    try {
      await parts.engine.atomically([...first, claim, ...counting])
      return undefined
    } catch (cause) {
      if (!(cause instanceof Unexpected)) throw cause
      if (cause.statement === claimUse.name) break
      if (attempt === ATTEMPTS) return "temporarily_unavailable"
    }
  }
  const [standing] = await parts.engine.query(claimStanding, { jti, api })
  if (!standing || standing.used !== null) return "token_used"
  if (standing.state === "paused") return "task_paused"
  if (standing.state !== "active") return "task_ended"
  return standing.ended_at === null ? "token_used" : "token_revoked"
}

/** Where uses are limited a claim counts, once: its use is not counted again when it is reported. */
async function countClaim(parts: Parts, api: string, jti: string): Promise<readonly Step[]> {
  const [subject] = await parts.engine.query(claimSubject, { jti, api })
  if (!subject || subject.use !== null) return []
  return countSteps(parts, subject.task_id, [subject.operation])
}
