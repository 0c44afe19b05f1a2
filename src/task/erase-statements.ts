// What erasing changes in the tables of tasks. Every guard is a statement: a task that runs, a lock that stands and a
// revocation that is still told keep what they need.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder
const taskId = sql`(SELECT id FROM task WHERE task_id = ${p("task_id")})`

export interface SubjectFound {
  readonly id: number
}

export const subjectByText = statement<SubjectFound>(
  "erase.subject_by_text",
  sql`SELECT id FROM subject WHERE text = ${p("sub")}`,
)

export const tasksOfSubject = statement<{ task_id: string }>(
  "erase.tasks_of_subject",
  sql`SELECT task_id FROM task WHERE subject = ${p("subject")} ORDER BY id`,
)

/** What rests in the row of a task besides its state, and whether it points to a name. */
export const ownTraces = statement<{ kept: number; named: number }>(
  "erase.left_in_task",
  sql`SELECT count(coalesce(t.purpose, t.inputs, t.reference)) + count(t.key) AS kept, count(s.text) AS named
    FROM task t LEFT JOIN subject s ON s.id = t.subject WHERE t.task_id = ${p("task_id")}`,
)

/** The guard too: it changes no row of a task that runs. */
export const eraseTaskRow = statement(
  "erase.task",
  sql`UPDATE task SET purpose = NULL, inputs = NULL, reference = NULL, key = NULL, request_digest = '',
      authority = ${p("authority")}
    WHERE task_id = ${p("task_id")} AND state NOT IN ('active', 'paused')`,
)

/** A principal without a name, for a task that is erased alone. */
export const insertNobody = statement("erase.nobody", sql`INSERT INTO subject (text) VALUES (NULL)`)

export const pointToNobody = statement(
  "erase.task_subject",
  sql`UPDATE task SET subject = (SELECT max(id) FROM subject WHERE text IS NULL) WHERE task_id = ${p("task_id")}`,
)

export const eraseTokens = statement(
  "erase.tokens",
  sql`UPDATE token SET claims = NULL WHERE task = ${taskId} AND claims IS NOT NULL`,
)

export const eraseDelegation = statement(
  "erase.delegation",
  sql`UPDATE delegation SET authority = ${p("authority")} WHERE delegation_id = ${p("delegation")}`,
)

export const eraseApprovals = statement(
  "erase.approvals",
  sql`UPDATE approval SET resource = '', parameters = NULL, digest = '', reason = NULL WHERE task = ${taskId}`,
)

/** Hashes of its resources, by which what is usual is counted. */
export const eraseTouched = statement("erase.touched", sql`DELETE FROM anomaly_task WHERE task = ${taskId}`)

export const eraseReasons = statement(
  "erase.reasons",
  sql`UPDATE revocation SET reason = NULL WHERE (kind = 'task' AND value = ${p("task_id")})
    OR (kind = 'token' AND value IN (SELECT jti FROM token WHERE task = ${taskId}))
    OR (kind = 'delegation' AND value IN (SELECT delegation_id FROM delegation WHERE task = ${taskId}))`,
)

/** A guard: of this person no task runs. */
export const noneRuns = statement(
  "erase.none_runs",
  sql`SELECT id FROM task WHERE state IN ('active', 'paused') AND subject = ${p("subject")}`,
)

/** A guard: no lock names the person. */
export const noneLocked = statement(
  "erase.none_locked",
  sql`SELECT value FROM "lock" WHERE kind = 'subject' AND value = ${p("sub")}`,
)

/** A guard: every verifier has either been told by now that their tokens ended, or would find them expired. */
export const noneTold = statement(
  "erase.none_told",
  sql`SELECT cursor FROM feed WHERE kind = 'subject' AND value = ${p("sub")} AND until > ${p("since_seconds")}`,
)

export const eraseSubjectRow = statement(
  "erase.subject",
  sql`UPDATE subject SET text = NULL WHERE id = ${p("subject")} AND text = ${p("sub")}`,
)

/** Whoever is erased is signed in nowhere. */
export const eraseSessions = statement(
  "erase.sessions",
  sql`DELETE FROM console_session WHERE person = ${p("sub")}`,
)

export const eraseRevocations = statement(
  "erase.revocations",
  sql`UPDATE revocation SET value = '', reason = NULL WHERE kind = 'subject' AND value = ${p("sub")}`,
)

/** Whatever else was ordered with words that name the person. Not LIKE: no character of a name is a wildcard. */
export const eraseReasonsNaming = statement(
  "erase.reasons_naming",
  sql`UPDATE revocation SET reason = NULL WHERE replace(reason, ${p("sub")}, '') <> reason`,
)

/** The rows stay: the newest is where the feed ends. */
export const eraseFeed = statement(
  "erase.feed",
  sql`UPDATE feed SET value = '' WHERE kind = 'subject' AND value = ${p("sub")}`,
)
