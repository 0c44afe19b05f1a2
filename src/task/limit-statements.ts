// All SQL about what tasks have used of their limits. That a task stops at its limit and is stopped once is a property of the
// guard: uses are only added below it by one statement, and at it only together with what ends the task's tokens.
import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"

const p = sql.placeholder

const taskId = sql`(SELECT id FROM task WHERE task_id = ${p("task_id")})`

export interface UsedRow {
  readonly operation: string
  readonly used: number
}

export const usesOfTask = statement<UsedRow>(
  "use_count.of_task",
  sql`SELECT n.text AS operation, c.used AS used FROM use_count c JOIN name n ON n.id = c.operation
    WHERE c.task = ${taskId}`,
)

/** Counts uses where the task stays below its limits with them: of this operation, and of all that are counted. */
export const countBelow = statement(
  "use_count.below",
  sql`INSERT INTO use_count (task, operation, used)
    SELECT ${taskId}, ${nameId("operation")}, ${wholeNumber("uses")}
    WHERE ${wholeNumber("uses")} < ${wholeNumber("most")}
      AND (SELECT coalesce(sum(used), 0) FROM use_count WHERE task = ${taskId}) + ${wholeNumber("uses")}
        < ${wholeNumber("most_in_all")}
    ON CONFLICT (task, operation) DO UPDATE SET used = use_count.used + excluded.used
      WHERE use_count.used + excluded.used < ${wholeNumber("most")}`,
)

/** Counts uses whatever the limit is. */
export const countAny = statement(
  "use_count.any",
  sql`INSERT INTO use_count (task, operation, used)
    SELECT ${taskId}, ${nameId("operation")}, ${wholeNumber("uses")} WHERE 0 < ${wholeNumber("uses")}
    ON CONFLICT (task, operation) DO UPDATE SET used = use_count.used + excluded.used`,
)

/** A guard: nothing was counted since it was read. */
export const usesAsRead = statement(
  "use_count.as_read",
  sql`SELECT 1 AS yes WHERE ${wholeNumber("used")} = (SELECT coalesce(sum(used), 0) FROM use_count WHERE task = ${taskId})`,
)

/** A guard: nobody has resumed it meanwhile. */
export const stillPaused = statement(
  "task.still_paused",
  sql`SELECT id FROM task WHERE task_id = ${p("task_id")} AND state = 'paused'`,
)

/** A guard: no use was given the token yet. */
export const unclaimed = statement(
  "approval.unclaimed",
  sql`SELECT id FROM approval WHERE token = ${p("jti")} AND "use" IS NULL`,
)

/** The uses of a task that were counted when they were claimed. */
export const claimedUses = statement<{ readonly use: string }>(
  "approval.claimed_uses",
  sql`SELECT "use" AS "use" FROM approval WHERE task = ${taskId} AND "use" IS NOT NULL`,
)

/** Of a token for one use: which task it is of, and for what. */
export const claimSubject = statement<{
  readonly task_id: string
  readonly operation: string
  readonly use: string | null
}>(
  "approval.claim_subject",
  sql`SELECT t.task_id AS task_id, n.text AS operation, a."use" AS "use" FROM approval a
    JOIN task t ON t.id = a.task JOIN name n ON n.id = a.operation
    WHERE a.token = ${p("jti")} AND a.api = ${nameId("api")}`,
)
