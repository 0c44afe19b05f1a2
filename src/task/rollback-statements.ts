// What accepting a rollback asks and tells beside the statements of revocations: tasks that are open, and orders to each
// API that end everything there.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"

const p = sql.placeholder

export const openTasks = statement<{ task_id: string }>(
  "rollback.open_tasks",
  sql`SELECT task_id FROM task WHERE state IN ('active', 'paused') ORDER BY deadline, id LIMIT ${p("limit")}`,
)

/** A guard: every task has ended. */
export const noOpenTask = statement(
  "rollback.no_open_task",
  sql`SELECT 1 AS none WHERE NOT EXISTS (SELECT 1 FROM task WHERE state IN ('active', 'paused'))`,
)

/** Also of tokens that this database has never heard of. */
export const feedWholeApi = statement(
  "feed.whole_api",
  sql`INSERT INTO feed (kind, value, before, until, api, code)
    VALUES ('api', ${p("resource")}, ${p("before")}, ${p("until")}, ${nameId("api")}, 'token_revoked')`,
)
