// All SQL of batches of uses taken in: which verifier instances there are, how far each has come, and the tasks and tokens
// that their uses name.

import { statement } from "../database/database.ts"
import { sql, wholeNumber } from "../database/drizzle.ts"
import { nameId } from "../database/names.ts"
import { before } from "../ledger/tree-statements.ts"
import type { UsedToken } from "./misuse.ts"
import { feedFrom } from "./revocation-statements.ts"

const p = sql.placeholder

export interface SeenRow {
  readonly instance: string
  readonly api: string
  readonly sequence: number
  readonly cursor: number | null
  readonly last_seen: number
  readonly final: number
  /** Milliseconds that its clock was ahead of ours when it last told. */
  readonly drift: number | null
  readonly drifted_since: number | null
  readonly written_off_at: number | null
}

export interface InstanceRow extends SeenRow {
  readonly jkt: string
  readonly digest: string | null
  readonly applied_at: number | null
}

export interface ListedRow extends SeenRow {
  readonly id: number
  readonly joined_at: number | null
  /** 1: another instance of its API joined since it was last heard, and it said no last word. */
  readonly replaced: number
}

const seen = sql`v.instance AS instance, a.text AS api, v.sequence AS sequence, v.cursor AS cursor,
  v.last_seen AS last_seen, v.final AS final, v.drift AS drift, v.drifted_since AS drifted_since,
  v.written_off_at AS written_off_at`

const listed = sql`v.id AS id, ${seen}, v.joined_at AS joined_at,
  CASE WHEN v.final = 0 AND v.last_seen < ${p("quiet")} AND EXISTS (SELECT 1 FROM verifier_instance n
    WHERE n.api = v.api AND n.joined_at > v.last_seen) THEN 1 ELSE 0 END AS replaced
  FROM verifier_instance v JOIN name a ON a.id = v.api`

/** The last to join first; `before` an id, an empty API means every one. */
export const instancesPage = statement<ListedRow>(
  "verifier_instance.page",
  sql`SELECT ${listed} WHERE v.id < ${p("before")} AND (${p("api")} = '' OR a.text = ${p("api")})
      AND (${wholeNumber("incomplete")} = 0 OR v.written_off_at IS NOT NULL
        OR (v.final = 0 AND v.last_seen < ${p("quiet")})
        OR EXISTS (SELECT 1 FROM verifier_gap g WHERE g.instance = v.id))
    ORDER BY v.id DESC LIMIT ${p("limit")}`,
)

export const instanceById = statement<ListedRow>(
  "verifier_instance.listed",
  sql`SELECT ${listed} WHERE v.instance = ${p("instance")}`,
)

/** Unless it has reported meanwhile. */
export const writeOffInstance = statement(
  "verifier_instance.write_off",
  sql`UPDATE verifier_instance SET final = 1, written_off_at = ${p("now")}
    WHERE instance = ${p("instance")} AND sequence = ${p("known")} AND last_seen = ${p("last_seen")}`,
)

export const instanceByName = statement<InstanceRow>(
  "verifier_instance.by_name",
  sql`SELECT ${seen}, v.jkt AS jkt, v.digest AS digest, v.applied_at AS applied_at
    FROM verifier_instance v JOIN name a ON a.id = v.api WHERE v.instance = ${p("instance")}`,
)

export const insertInstance = statement(
  "verifier_instance.insert",
  sql`INSERT INTO verifier_instance (instance, api, jkt, public_jwk, sequence, digest, cursor, applied_at, last_seen,
      final, joined_at, drift, drifted_since)
    VALUES (${p("instance")}, ${nameId("api")}, ${p("jkt")}, ${p("public_jwk")}, ${p("sequence")}, ${p("digest")},
      ${p("cursor")}, ${p("applied_at")}, ${p("now")}, ${p("final")}, ${p("now")}, ${p("drift")},
      ${p("drifted_since")})`,
)

/** The guard of every batch: the instance still stands where it was read. */
export const advanceInstance = statement(
  "verifier_instance.advance",
  sql`UPDATE verifier_instance SET sequence = ${p("sequence")}, digest = ${p("digest")}, cursor = ${p("cursor")},
      applied_at = ${p("applied_at")}, last_seen = ${p("now")}, final = ${p("final")},
      drift = ${p("drift")}, drifted_since = ${p("drifted_since")}, written_off_at = NULL
    WHERE instance = ${p("instance")} AND sequence = ${p("known")}`,
)

/** A guard: it stands where it was read. What comes late says nothing of up to when it has reported. */
export const instanceStands = statement(
  "verifier_instance.stands",
  sql`SELECT id FROM verifier_instance WHERE instance = ${p("instance")} AND sequence = ${p("known")}`,
)

/** After its entry, in the same transaction. */
export const insertBatch = statement(
  "use_batch.insert",
  sql`INSERT INTO use_batch (instance, sequence, digest, signed, entry)
    VALUES ((SELECT id FROM verifier_instance WHERE instance = ${p("instance")}), ${p("sequence")}, ${p("digest")},
      ${p("signed")}, (SELECT max(seq) FROM entry))`,
)

/** The entry that tells of a batch. */
export const batchEntry = statement<{ seq: number; entry: number; bytes: Uint8Array | null }>(
  "use_batch.entry",
  sql`SELECT b.entry AS seq, b.entry - ${before} AS entry, e.bytes AS bytes
    FROM use_batch b LEFT JOIN entry_bytes e ON e.seq = b.entry
    WHERE b.entry IS NOT NULL AND b.sequence = ${p("sequence")}
      AND b.instance = (SELECT id FROM verifier_instance WHERE instance = ${p("instance")})`,
)

export const batchDigest = statement<{ digest: string }>(
  "use_batch.digest",
  sql`SELECT digest FROM use_batch WHERE sequence = ${p("sequence")}
    AND instance = (SELECT id FROM verifier_instance WHERE instance = ${p("instance")})`,
)

export interface UsedRow extends UsedToken {
  /** 1: there is a task by that id. */
  readonly known_task: number
  /** Of the task's commitments; null where they were erased. */
  readonly key: Uint8Array | null
  readonly reference: string | null
  /** The task's. */
  readonly type: string | null
}

/** One row, whatever there is of the two. */
export const tokenOfUse = statement<UsedRow>(
  "token.of_use",
  sql`SELECT CASE WHEN t.id IS NULL THEN 0 ELSE 1 END AS known_task, t.key AS key, t.reference AS reference,
      n.text AS type, t.ended_at AS task_ended_at, k.iat AS iat, k.exp AS exp,
      k.ended_at AS token_ended_at, a.text AS token_api, CASE WHEN k.task = t.id THEN 1 ELSE 0 END AS same_task
    FROM (SELECT 1 AS one) o LEFT JOIN task t ON t.task_id = ${p("task_id")} LEFT JOIN token k ON k.jti = ${p("jti")}
    LEFT JOIN name n ON n.id = t.type LEFT JOIN name a ON a.id = k.api`,
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
