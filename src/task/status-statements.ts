// All SQL of token status lists. That a place has one holder at a time is a property of the key and of the condition
// under which a row is taken over.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import type { StandingRow } from "./standing.ts"

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
    ON CONFLICT (list, idx) DO UPDATE SET token = excluded.token, exp = excluded.exp
      WHERE status_place.exp <= ${p("rested")}`,
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

/** The places of a list whose tokens don't stand, by the facts that introspection decides on. */
export const placesNotValid = statement<StandingRow & { readonly idx: number }>(
  "status_place.not_valid",
  sql`SELECT l.idx AS idx, k.ended_at AS ended_at, t.state AS state, t.paused_at AS paused_at
    FROM status_place l JOIN token k ON k.id = l.token JOIN task t ON t.id = k.task
    WHERE l.list = ${p("list")} AND l.exp > ${p("since_seconds")}
      AND (k.ended_at IS NOT NULL OR t.state <> 'active')`,
)
