// Every statement of this room, once: where signing keys rest and how they go from state to state. Each change names the
// state that it was decided on, so of several who would make it one does.

import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"

const p = sql.placeholder

export type KeyState = "next" | "current" | "previous" | "retired"

export interface KeyRow {
  readonly kid: string
  readonly alg: string
  readonly state: KeyState
  readonly wrapped: Uint8Array
  readonly created_at: number
  readonly activated_at: number | null
  readonly used_at: number | null
  readonly superseded_at: number | null
  /** Epoch seconds. */
  readonly needed_until: number | null
}

/** The keys that are published. */
export const readKeys = statement<KeyRow>(
  "key.standing",
  sql`SELECT kid, alg, state, wrapped, created_at, activated_at, used_at, superseded_at, needed_until
    FROM signing_key WHERE state <> 'retired' ORDER BY created_at, kid`,
)

export interface ListedRow extends Omit<KeyRow, "wrapped"> {
  readonly retired_at: number | null
  readonly revocation: string | null
}

/** Every key there has been, the newest first, and the last order that revoked it. */
export const listKeys = statement<ListedRow>(
  "key.list",
  sql`SELECT s.kid AS kid, s.alg AS alg, s.state AS state, s.created_at AS created_at, s.activated_at AS activated_at,
      s.used_at AS used_at, s.superseded_at AS superseded_at, s.needed_until AS needed_until,
      s.retired_at AS retired_at, r.id AS revocation
    FROM signing_key s LEFT JOIN (SELECT value, max(id) AS id FROM revocation WHERE kind = 'key' GROUP BY value) r
      ON r.value = s.kid
    ORDER BY s.created_at DESC, s.kid DESC LIMIT 200`,
)

/** A guard: answers one row while there has never been a key. */
export const noKeys = statement("noKeys", sql`SELECT 1 AS none WHERE NOT EXISTS (SELECT 1 FROM signing_key)`)

export const keyById = statement<{ state: KeyState }>(
  "key.by_id",
  sql`SELECT state FROM signing_key WHERE kid = ${p("kid")}`,
)

/** A guard: the key rests as it was read, so under the key-encryption key that this process knows. */
export const keyRests = statement(
  "key.rests",
  sql`SELECT 1 AS rests FROM signing_key WHERE kid = ${p("kid")} AND state = ${p("state")}
    AND wrapped = ${p("wrapped")}`,
)

export const insertKey = statement(
  "key.insert",
  sql`INSERT INTO signing_key (kid, alg, state, public_jwk, wrapped, created_at, activated_at)
    VALUES (${p("kid")}, ${p("alg")}, ${p("state")}, ${p("publicJwk")}, ${p("wrapped")}, ${p("now")},
      ${p("activatedAt")})`,
)

/** Notes until when it is needed; nothing is signed with it for the first time after this. */
export const supersedeKey = statement(
  "key.supersede",
  sql`UPDATE signing_key SET state = 'previous', superseded_at = ${p("now")},
      needed_until = coalesce((SELECT k.exp FROM token k WHERE k.kid = ${nameId("kid")} AND k.exp > ${p("until")}
        ORDER BY k.exp DESC LIMIT 1), ${p("until")})
    WHERE kid = ${p("kid")} AND state = 'current'`,
)

export const activateKey = statement(
  "key.activate",
  sql`UPDATE signing_key SET state = 'current', activated_at = ${p("now")}
    WHERE kid = ${p("kid")} AND state = 'next'`,
)

/** Its private half goes; the public one stays, so that what it signed can be looked into. */
export const retireKey = statement(
  "key.retire",
  sql`UPDATE signing_key SET state = 'retired', retired_at = ${p("now")}, wrapped = ${p("nothing")}
    WHERE kid = ${p("kid")} AND state = ${p("state")}`,
)

export const confirmKey = statement(
  "key.confirm",
  sql`UPDATE signing_key SET used_at = ${p("now")}
    WHERE kid = ${p("kid")} AND state = 'current' AND used_at IS NULL`,
)

export const rewrapKey = statement(
  "key.rewrap",
  sql`UPDATE signing_key SET wrapped = ${p("to")} WHERE kid = ${p("kid")} AND state <> 'retired'
    AND wrapped = ${p("from")}`,
)

/** A guard: as many keys rest here as were read. */
export const countKeys = statement(
  "key.count",
  sql`SELECT 1 AS fits WHERE (SELECT count(*) FROM signing_key WHERE state <> 'retired') = ${p("count")}`,
)
