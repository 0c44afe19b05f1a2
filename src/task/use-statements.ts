// All SQL of batches of uses taken in: which verifier instances there are, how far each has come, and the keys of the
// tasks that their uses name.

import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"
import { before } from "../ledger/tree-statements.ts"
import { feedFrom } from "./revocation-statements.ts"

const p = sql.placeholder

export interface SeenRow {
  readonly instance: string
  readonly api: string
  readonly sequence: number
  readonly cursor: number | null
  readonly last_seen: number
  readonly final: number
}

export interface InstanceRow extends SeenRow {
  readonly jkt: string
  readonly digest: string | null
  readonly applied_at: number | null
}

export const allInstances = statement<SeenRow>(
  "verifier_instance.all",
  sql`SELECT v.instance AS instance, a.text AS api, v.sequence AS sequence, v.cursor AS cursor,
      v.last_seen AS last_seen, v.final AS final
    FROM verifier_instance v JOIN name a ON a.id = v.api ORDER BY v.id DESC`,
)

/** Unless it has reported meanwhile. */
export const writeOffInstance = statement(
  "verifier_instance.write_off",
  sql`UPDATE verifier_instance SET final = 1 WHERE instance = ${p("instance")} AND sequence = ${p("known")}`,
)

export const instanceByName = statement<InstanceRow>(
  "verifier_instance.by_name",
  sql`SELECT v.instance AS instance, a.text AS api, v.jkt AS jkt, v.sequence AS sequence, v.digest AS digest,
      v.cursor AS cursor, v.applied_at AS applied_at, v.last_seen AS last_seen, v.final AS final
    FROM verifier_instance v JOIN name a ON a.id = v.api WHERE v.instance = ${p("instance")}`,
)

export const insertInstance = statement(
  "verifier_instance.insert",
  sql`INSERT INTO verifier_instance (instance, api, jkt, public_jwk, sequence, digest, cursor, applied_at, last_seen,
      final)
    VALUES (${p("instance")}, ${nameId("api")}, ${p("jkt")}, ${p("public_jwk")}, ${p("sequence")}, ${p("digest")},
      ${p("cursor")}, ${p("applied_at")}, ${p("now")}, ${p("final")})`,
)

/** The guard of every batch: the instance still stands where it was read. */
export const advanceInstance = statement(
  "verifier_instance.advance",
  sql`UPDATE verifier_instance SET sequence = ${p("sequence")}, digest = ${p("digest")}, cursor = ${p("cursor")},
      applied_at = ${p("applied_at")}, last_seen = ${p("now")}, final = ${p("final")}
    WHERE instance = ${p("instance")} AND sequence = ${p("known")}`,
)

/** After its entry, in the same transaction. */
export const insertBatch = statement(
  "use_batch.insert",
  sql`INSERT INTO use_batch (instance, sequence, digest, entry)
    VALUES ((SELECT id FROM verifier_instance WHERE instance = ${p("instance")}), ${p("sequence")}, ${p("digest")},
      (SELECT max(seq) FROM entry))`,
)

/** The entry that tells of a batch. */
export const batchEntry = statement<{ entry: number; bytes: Uint8Array }>(
  "use_batch.entry",
  sql`SELECT b.entry - ${before} AS entry, e.bytes AS bytes FROM use_batch b JOIN entry_bytes e ON e.seq = b.entry
    WHERE b.sequence = ${p("sequence")}
      AND b.instance = (SELECT id FROM verifier_instance WHERE instance = ${p("instance")})`,
)

export const batchDigest = statement<{ digest: string }>(
  "use_batch.digest",
  sql`SELECT digest FROM use_batch WHERE sequence = ${p("sequence")}
    AND instance = (SELECT id FROM verifier_instance WHERE instance = ${p("instance")})`,
)

export const taskKey = statement<{ key: Uint8Array | null; reference: string | null; type: string }>(
  "task.key",
  sql`SELECT t.key AS key, t.reference AS reference, n.text AS type FROM task t JOIN name n ON n.id = t.type
    WHERE t.task_id = ${p("task_id")}`,
)

/**
 * What the cursor passed since the last report is applied, once. The instance's own time counts between the order and
 * its report: a clock that is wrong can't put it outside.
 */
export const insertApplied = statement(
  "applied.insert",
  sql`INSERT INTO applied (revocation, instance, at)
    SELECT DISTINCT r.id, v.id, CASE WHEN ${p("applied_at")} < r.at THEN r.at WHEN ${wholeNumber("applied_at")} > ${p("now")}
      THEN ${p("now")} ELSE ${p("applied_at")} END
    FROM verifier_instance v JOIN feed f ON f.api = v.api JOIN revocation r ON r.id = f.revocation
    WHERE v.instance = ${p("instance")} AND f.cursor > ${p("from")} - ${feedFrom} AND f.cursor <= ${p("to")} - ${feedFrom}
    ON CONFLICT (revocation, instance) DO NOTHING`,
)

export const keyOfToken = statement<{ kid: string }>(
  "token.key",
  sql`SELECT s.text AS kid FROM token k JOIN name s ON s.id = k.kid WHERE k.jti = ${p("jti")}`,
)
