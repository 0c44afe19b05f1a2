// Every statement about the ledger's keys, once. Each change names the state that it was decided on.
import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const p = sql.placeholder

export interface LedgerKeyRow {
  readonly vkey: string
  readonly state: "current" | "leaving" | "retired"
  readonly wrapped: Uint8Array
}

/** All there have ever been, the newest first. */
export const ledgerKeys = statement<LedgerKeyRow>(
  "ledger_key.all",
  sql`SELECT vkey, state, wrapped FROM ledger_key ORDER BY created_at DESC, state`,
)

/** A guard: answers one row while there has never been one. */
export const noLedgerKeys = statement(
  "ledger_key.none",
  sql`SELECT 1 AS none WHERE NOT EXISTS (SELECT 1 FROM ledger_key)`,
)

export const insertLedgerKey = statement(
  "ledger_key.insert",
  sql`INSERT INTO ledger_key (vkey, state, wrapped, created_at) VALUES (${p("vkey")}, 'current', ${p("wrapped")}, ${p("now")})`,
)

/** A guard: it signs, and nobody signs beside it but who is named (or nobody, where that is the empty text). */
export const ledgerKeyStands = statement(
  "ledger_key.stands",
  sql`SELECT 1 AS stands FROM ledger_key WHERE state = 'current' AND vkey = ${p("vkey")}
    AND NOT EXISTS (SELECT 1 FROM ledger_key l WHERE l.state = 'leaving' AND l.vkey <> ${p("leaving")})`,
)

export const supersedeLedgerKey = statement(
  "ledger_key.supersede",
  sql`UPDATE ledger_key SET state = 'leaving' WHERE state = 'current' AND vkey = ${p("vkey")}`,
)

/** Its private half goes; the public one stays, so that what it signed can be checked. */
export const retireLedgerKey = statement(
  "ledger_key.retire",
  sql`UPDATE ledger_key SET state = 'retired', retired_at = ${p("now")}, wrapped = ${p("nothing")}
    WHERE state = 'leaving' AND vkey = ${p("vkey")}`,
)

/** All of them, with nobody handing over. */
export const retireLedgerKeys = statement(
  "ledger_key.retire_all",
  sql`UPDATE ledger_key SET state = 'retired', retired_at = ${p("now")}, wrapped = ${p("nothing")}
    WHERE state <> 'retired'`,
)

export const rewrapLedgerKey = statement(
  "ledger_key.rewrap",
  sql`UPDATE ledger_key SET wrapped = ${p("to")} WHERE vkey = ${p("vkey")} AND state <> 'retired'
    AND wrapped = ${p("from")}`,
)

/** A guard: as many keys rest here as were read. */
export const countLedgerKeys = statement(
  "ledger_key.count",
  sql`SELECT 1 AS fits WHERE (SELECT count(*) FROM ledger_key WHERE state <> 'retired') = ${p("count")}`,
)
