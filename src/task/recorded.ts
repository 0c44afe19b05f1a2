// What a start answered, once more: its recorded claims, signed again. It decides which of a task's tokens these are; that the
// request is the same is seen in start.ts.
import type { Refusal } from "../errors.ts"
import { Unreadable } from "../token/jwt.ts"
import { parseOwnToken } from "../token/own-token.ts"
import { parseTaskToken } from "../token/token.ts"
import { type MintedToken, type PlannedToken, signTokens } from "./mint.ts"
import type { Parts } from "./parts.ts"
import { GENERATION, OWN_API, type TaskRow, type TokenRow, tokensOfTask } from "./statements.ts"

/** Signs the claims of the start, or of the newest takeover, again, of tokens that still live: same `jti`, same `exp`. */
export async function signRecorded(parts: Parts, task: TaskRow): Promise<readonly MintedToken[] | Refusal> {
  const now = parts.ledger.at()
  const rows = await parts.engine.query(tokensOfTask, { task_id: task.task_id })
  const live = rows.filter(
    (row) => row.generation === GENERATION.start && row.ended_at === null && row.exp * 1000 > now,
  )
  const planned = live.flatMap((row) => recordedToken(row) ?? [])
  return signTokens(parts, task.task_id, planned, now)
}

/** Undefined where the claims were erased. */
function recordedToken(row: TokenRow): PlannedToken | undefined {
  if (row.claims === null) return undefined
  const claims = JSON.parse(row.claims)
  const token = row.api === OWN_API ? parseOwnToken(claims) : parseTaskToken(claims)
  if (token instanceof Unreadable) throw new Error("A recorded token can't be read")
  const of = "aud" in token ? token : { ...token, aud: token.iss, grants: [] }
  return { ...of, api: row.api, jkt: token.jkt, kid: row.kid, claims: row.claims }
}
