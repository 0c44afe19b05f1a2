// All SQL about what is told outwards, once. A delivery is claimed by moving its time: of all issuers that look, one changes
// the row, and whoever ends before it was told leaves it due later.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

export interface DeliveryRow {
  readonly id: number
  readonly jti: string
  readonly address: string
  readonly claims: string
  readonly due: number
  readonly until: number
  readonly attempts: number
}

export const insertDelivery = statement(
  "delivery.insert",
  sql`INSERT INTO delivery (jti, address, claims, due, until)
    VALUES (${p("jti")}, ${p("address")}, ${p("claims")}, ${p("due")}, ${p("until")})`,
)

const columns = sql`id, jti, address, claims, due, until, attempts`

/** The longest due first. */
export const dueDeliveries = statement<DeliveryRow>(
  "delivery.due",
  sql`SELECT ${columns} FROM delivery WHERE address = ${p("address")} AND due <= ${p("now")} AND until > ${p("now")}
    ORDER BY due, id LIMIT ${p("limit")}`,
)

/** One winner for each time that it is due. */
export const claimDelivery = statement(
  "delivery.claim",
  sql`UPDATE delivery SET due = ${p("next")}, attempts = attempts + 1 WHERE id = ${p("id")} AND due = ${p("due")}`,
)

export const deleteDelivery = statement("delivery.delete", sql`DELETE FROM delivery WHERE id = ${p("id")}`)

export const overdueDeliveries = statement<DeliveryRow>(
  "delivery.overdue",
  sql`SELECT ${columns} FROM delivery WHERE until <= ${p("now")} ORDER BY id LIMIT ${p("limit")}`,
)

/** How many wait, and how many of them longer than they should. */
export const countDeliveries = statement<{ readonly waiting: number; readonly late: number }>(
  "delivery.count",
  sql`SELECT count(*) AS waiting, count(CASE WHEN until <= ${p("late")} THEN 1 END) AS late FROM delivery`,
)
