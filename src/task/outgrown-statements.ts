// All SQL about tokens that the policy in force has outgrown, once, named. That each ends once, with one entry, is the row
// that is told of it: it is written only while the token lives.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { OWN_API, type TaskRow, taskColumns, taskJoins } from "./statements.ts"

const p = sql.placeholder

export interface LiveRow extends TaskRow {
  readonly token: number
  readonly jti: string
  /** Epoch seconds. */
  readonly token_exp: number
  readonly claims: string | null
  /** Whose holder has it; null: the task's own agent. */
  readonly delegation: string | null
}

/** Live tokens for APIs with their tasks, those that run out first at first: after one of them, so many. */
export const liveTokens = statement<LiveRow>(
  "token.live",
  sql`SELECT ${taskColumns}, k.id AS token, k.jti AS jti, k.exp AS token_exp, k.claims AS claims,
      de.delegation_id AS delegation
    FROM ${taskJoins} JOIN token k ON k.task = t.id LEFT JOIN delegation de ON de.id = k.delegation
    WHERE k.exp > ${p("now_seconds")} AND k.ended_at IS NULL AND k.api <> coalesce((SELECT id FROM name WHERE text = ${OWN_API}), 0)
      AND (k.exp > ${p("exp")} OR (k.exp = ${p("exp")} AND k.id > ${p("token")}))
    ORDER BY k.exp, k.id LIMIT ${p("limit")}`,
)

/** Tells the verifiers of its API; changes no row where it has ended by now. Runs before endToken. */
export const feedToken = statement(
  "feed.token",
  sql`INSERT INTO feed (kind, value, before, until, api, code)
    SELECT 'token', jti, iat, exp, api, 'token_revoked' FROM token WHERE jti = ${p("jti")} AND ended_at IS NULL`,
)

export const tellOfToken = statement(
  "status_place.of_token",
  sql`UPDATE status_place SET status = 1 WHERE token = (SELECT id FROM token WHERE jti = ${p("jti")})`,
)

export const endToken = statement(
  "token.end",
  sql`UPDATE token SET ended_at = ${p("now")} WHERE jti = ${p("jti")} AND ended_at IS NULL`,
)

/** Which policy the live tokens were last held against, by its digest. */
export const writeReviewed = statement(
  "setting.reviewed",
  sql`INSERT INTO setting (key, value) VALUES (${p("key")}, ${p("digest")})
    ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
)
