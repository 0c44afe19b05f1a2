// All SQL behind the course of a task, once: what came of it over time, counted by the database in steps of equal length, so
// that as little is read of 10,000 uses as of ten.
import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"

const p = sql.placeholder

const taskId = sql`(SELECT id FROM task WHERE task_id = ${p("task_id")})`
const kinds = (...texts: readonly string[]) =>
  sql`(SELECT id FROM name WHERE text IN (${sql.join(
    texts.map((text) => sql.raw(`'${text}'`)),
    sql`, `,
  )}))`

/** Place of the first of a task's newest so many entries, and whether there are more before it. */
export const newestOfTask = statement<{ readonly first: number | null; readonly earlier: number }>(
  "course.newest",
  sql`SELECT n.first AS first,
      CASE WHEN EXISTS (SELECT 1 FROM entry o WHERE o.task = ${taskId} AND o.seq < n.first) THEN 1 ELSE 0 END AS earlier
    FROM (SELECT min(seq) AS first FROM (SELECT seq FROM entry WHERE task = ${taskId}
      ORDER BY seq DESC LIMIT ${p("most")}) AS w) AS n`,
)

export interface StepRow {
  readonly kind: string
  /** The step, from 0. */
  readonly step: number
  readonly entries: number
  readonly first_at: number
  readonly last_at: number
}

/** Uses and refusals from a place on, by steps of `width` milliseconds. */
export const stepsOfTask = statement<StepRow>(
  "course.steps",
  sql`SELECT k.text AS kind, g.step AS step, g.entries AS entries, g.first_at AS first_at, g.last_at AS last_at
    FROM (SELECT e.kind AS kind, (e.at - ${wholeNumber("from")}) / ${wholeNumber("width")} AS step,
        count(*) AS entries, min(e.at) AS first_at, max(e.at) AS last_at FROM entry e
      WHERE e.task = ${taskId} AND e.seq >= ${p("first")} AND e.kind IN
        ${kinds("use.allowed", "use.observed", "use.refused", "token.refused", "task.refused")}
      GROUP BY 1, 2) g JOIN name k ON k.id = g.kind ORDER BY g.step, k.text`,
)

/** When its state changed, the newest first. */
export const changesOfTask = statement<{ readonly kind: string; readonly at: number }>(
  "course.changes",
  sql`SELECT k.text AS kind, e.at AS at FROM entry e JOIN name k ON k.id = e.kind
    WHERE e.task = ${taskId} AND e.seq >= ${p("first")} AND e.kind IN ${kinds(
      "task.paused",
      "task.resumed",
      "task.completed",
      "task.failed",
      "task.canceled",
      "task.expired",
      "task.revoked",
    )} ORDER BY e.seq DESC LIMIT ${p("limit")}`,
)
