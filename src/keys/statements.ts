// Every statement of this room, once: where signing keys rest.

import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

interface KeyRow {
  readonly kid: string
  readonly alg: string
  readonly state: string
  readonly wrapped: Uint8Array
}

export const readKeys = statement<KeyRow>(
  "readKeys",
  sql`SELECT kid, alg, state, wrapped FROM signing_key ORDER BY created_at, kid`,
)

/** A guard: answers one row while there has never been a key. */
export const noKeys = statement("noKeys", sql`SELECT 1 AS none WHERE NOT EXISTS (SELECT 1 FROM signing_key)`)

export const insertKey = statement(
  "insertKey",
  sql`INSERT INTO signing_key (kid, alg, state, public_jwk, wrapped, created_at, activated_at)
    VALUES (${sql.placeholder("kid")}, ${sql.placeholder("alg")}, 'active', ${sql.placeholder("publicJwk")},
      ${sql.placeholder("wrapped")}, ${sql.placeholder("now")}, ${sql.placeholder("now")})`,
)
