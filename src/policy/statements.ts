// Every statement of the policy room, once. One row names the policy in force; a policy's texts are kept for ever.

import { statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"

const value = (name: string) => sql`${sql.placeholder(name)}`

export const inForceRow = statement<{ digest: string; since: number }>(
  "policy-in-force",
  sql`SELECT digest, since FROM policy_in_force WHERE id = 1`,
)

/** A guard: one row while the policy that was decided on is still the one in force. */
export const stillInForce = statement<{ id: number }>(
  "policy-still-in-force",
  sql`SELECT id FROM policy_in_force WHERE id = 1 AND digest = ${value("digest")}`,
)

export const storedFiles = statement<{ files: string }>(
  "policy-files",
  sql`SELECT files FROM policy WHERE digest = ${value("digest")}`,
)

/** Those that ever took force for the first time before an instant, the newest first. */
export const policiesBefore = statement<{ digest: string; loaded_at: number }>(
  "policies-before",
  sql`SELECT digest, loaded_at FROM policy WHERE loaded_at < ${value("before")}
    ORDER BY loaded_at DESC, digest LIMIT ${value("limit")}`,
)

/** A duplicate where the digest was seen before. */
export const insertPolicy = statement(
  "insert-policy",
  sql`INSERT INTO policy (digest, files, loaded_at) VALUES (${value("digest")}, ${value("files")}, ${value("at")})`,
)

export const insertInForce = statement(
  "insert-policy-in-force",
  sql`INSERT INTO policy_in_force (id, digest, since) VALUES (1, ${value("digest")}, ${value("at")})`,
)

export const replaceInForce = statement(
  "replace-policy-in-force",
  sql`UPDATE policy_in_force SET digest = ${value("digest")}, since = ${value("at")}
    WHERE id = 1 AND digest = ${value("previous")}`,
)
