// All SQL of token status lists. That a place has one holder at a time is a property of the key and of the condition
// under which a row is taken over. A status is written where the token is ended, in the same transaction.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import type { PlaceStatus } from "../token/status-list.ts"
import { oneAndBelow } from "./delegation-statements.ts"
import { covered } from "./revocation-statements.ts"

const p = sql.placeholder

export const insertStatusList = statement(
  "status_list.insert",
  sql`INSERT INTO status_list (id) VALUES (${p("list")}) ON CONFLICT DO NOTHING`,
)

/** Gives a place to a token that is inserted already; no row changes while the place has a holder. */
export const takePlace = statement(
  "status_place.take",
  sql`INSERT INTO status_place (list, idx, token, exp)
    VALUES (${p("list")}, ${p("idx")}, (SELECT id FROM token WHERE jti = ${p("jti")}), ${p("exp")})
    ON CONFLICT (list, idx) DO UPDATE SET token = excluded.token, exp = excluded.exp, status = 0
      WHERE status_place.exp <= ${p("rested")}`,
)

/** What all tokens of a task are told to be; what is invalid (1) stays so. Must run before others are minted. */
export const tellOfTask = statement(
  "status_place.of_task",
  sql`UPDATE status_place SET status = ${p("status")} WHERE status <> 1
    AND token IN (SELECT id FROM token WHERE task = (SELECT id FROM task WHERE task_id = ${p("task_id")}))`,
)

/** Tells that the tokens of a delegation, and of those below it, are invalid. */
export const tellOfDelegation = statement(
  "status_place.of_delegation",
  sql`UPDATE status_place SET status = 1
    WHERE token IN (SELECT id FROM token WHERE delegation IN (${oneAndBelow}))`,
)

/** Tells that covered tokens are invalid. Must run before endCovered. */
export const tellCovered = statement(
  "status_place.covered",
  sql`UPDATE status_place SET status = 1 WHERE token IN (SELECT k.id FROM token k WHERE ${covered})`,
)

export const statusLists = statement<{ readonly id: string }>(
  "status_list.all",
  sql`SELECT id FROM status_list ORDER BY id`,
)

export const statusListById = statement<{ readonly id: string }>(
  "status_list.by_id",
  sql`SELECT id FROM status_list WHERE id = ${p("list")}`,
)

/** Places that have a holder. */
export const heldPlaces = statement<{ readonly list: string; readonly idx: number; readonly exp: number }>(
  "status_place.held",
  sql`SELECT list, idx, exp FROM status_place WHERE exp > ${p("rested")}`,
)

/** The places of a list that are not valid, as long as their tokens matter. */
export const toldPlaces = statement<PlaceStatus>(
  "status_place.told",
  sql`SELECT idx, status FROM status_place
    WHERE list = ${p("list")} AND status <> 0 AND exp > ${p("since_seconds")}`,
)
