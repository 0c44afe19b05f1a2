// What keeps a tile of entries from being archived, as a guard and as an answer.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { CANARY_TYPE } from "../token/name.ts"

const p = sql.placeholder

const neverClosed = sql`NOT EXISTS (SELECT 1 FROM task_statement s WHERE s.task = t.id)`
/** Of canaries there is no statement, and none will be. */
const canary = sql`coalesce((SELECT id FROM name WHERE text = ${CANARY_TYPE}), 0)`

/** Of the tasks told of between two places, one that runs or whose final statement is owed. */
export const openBetween = statement<{ readonly task_id: string }>(
  "archive.open",
  sql`SELECT t.task_id AS task_id FROM task t
    WHERE t.id IN (SELECT e.task FROM entry e WHERE e.seq >= ${p("from")} AND e.seq <= ${p("to")})
      AND (t.state IN ('active', 'paused') OR (${neverClosed} AND t.type <> ${canary})
        OR EXISTS (SELECT 1 FROM statement_due d WHERE d.task = t.id))
    ORDER BY t.id LIMIT 1`,
)
