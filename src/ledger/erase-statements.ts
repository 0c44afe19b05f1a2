// What erasing changes in the ledger's tables: values and keys beside the hashed bytes, never the bytes. Of an archived entry
// they still stand where they stood, if it has any. What was said about an erasure itself stays.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

const notAnErasure = sql`kind <> coalesce((SELECT id FROM name WHERE text = 'ledger.erased'), 0)`
const ofTask = sql`task = (SELECT id FROM task WHERE task_id = ${p("task_id")}) AND ${notAnErasure}`

/** Entries of a task that still have a value or a key. */
export const unerasedOfTask = statement<{ entries: number }>(
  "erase.left_of_task",
  sql`SELECT count(*) AS entries FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq WHERE ${ofTask} AND
    (e.subject IS NOT NULL OR e.resource IS NOT NULL OR e.reference IS NOT NULL OR b.personal IS NOT NULL OR b.key IS NOT NULL)`,
)

export const resourcesOfTask = statement<{ resource: string }>(
  "erase.resources",
  sql`SELECT DISTINCT resource FROM entry WHERE ${ofTask} AND resource IS NOT NULL`,
)

export const eraseRowsOfTask = statement(
  "erase.rows_of_task",
  sql`UPDATE entry SET subject = NULL, resource = NULL, reference = NULL WHERE ${ofTask}`,
)

export const eraseBytesOfTask = statement(
  "erase.values_of_task",
  sql`UPDATE entry_bytes SET personal = NULL, key = NULL
    WHERE seq IN (SELECT seq FROM entry WHERE ${ofTask}) AND (personal IS NOT NULL OR key IS NOT NULL)`,
)

const reported = sql`coalesce((SELECT id FROM name WHERE text = 'verifier.reported'), 0)`
const isUse = sql`e.kind IN (SELECT id FROM name WHERE text IN ('use.allowed', 'use.refused', 'use.observed'))`

/** What was signed of batches with uses of the task: each is told of by the first report after the use. */
export const eraseSignedOfTask = statement(
  "erase.signed_of_task",
  sql`UPDATE use_batch SET signed = NULL WHERE signed IS NOT NULL AND entry IN (
      SELECT (SELECT r.seq FROM entry r WHERE r.seq > e.seq AND r.kind = ${reported} ORDER BY r.seq LIMIT 1)
      FROM entry e WHERE e.task = (SELECT id FROM task WHERE task_id = ${p("task_id")}) AND ${isUse})`,
)

/** Of an entry without a task, what may tell of somebody. */
export interface LooseRow {
  readonly seq: number
  readonly subject: number | null
  readonly reference: string | null
  readonly personal: string | null
}

export const looseEntries = statement<LooseRow>(
  "erase.loose",
  sql`SELECT e.seq AS seq, e.subject AS subject, e.reference AS reference, b.personal AS personal
    FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq
    WHERE e.seq > ${p("from")} AND e.seq <= ${p("to")} AND e.task IS NULL AND ${notAnErasure}
      AND (e.subject IS NOT NULL OR e.reference IS NOT NULL OR b.personal IS NOT NULL)
    ORDER BY e.seq`,
)

export const eraseRow = statement(
  "erase.row",
  sql`UPDATE entry SET subject = NULL, resource = NULL, reference = NULL WHERE seq = ${p("seq")}`,
)

export const eraseBytes = statement(
  "erase.values",
  sql`UPDATE entry_bytes SET personal = NULL, key = NULL WHERE seq = ${p("seq")}`,
)

/** A guard: no entry after that place names the person. */
export const nobodySince = statement(
  "erase.nobody_since",
  sql`SELECT seq FROM entry WHERE seq > ${p("scanned")} AND subject = ${p("subject")}`,
)
