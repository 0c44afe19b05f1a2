// What is read of a database to verify its ledger: every entry whole, with what stands beside its bytes, and everything that
// was signed. Nothing is written.
import { type Statement, statement } from "../database/database.ts"
import { sql } from "../database/drizzle.ts"
import { before } from "./tree-statements.ts"

const p = sql.placeholder

/** An entry with what its row says of it in clear. */
export interface RestingEntry {
  readonly seq: number
  /**
   * Empty or null, as the leaf, where both rest in a bundle. Text where the driver makes it sooner than an array: where it has
   * a U+FFFD, that may stand for bytes that are no UTF-8 (see `restingBytes`).
   */
  readonly bytes: Uint8Array | string | null
  /** Text: hexadecimal, since an array of its own for each entry keeps the collector busy. */
  readonly leaf: Uint8Array | string | null
  /** The archive's file that ought to hold both, and holds something else. */
  readonly damaged?: string
  readonly personal: string | null
  /** The key of its commitments, where it is not its task's. */
  readonly key: Uint8Array | null
  readonly at: number
  readonly outcome: number | null
  // Ids of rows, which `restingTasks` and `restingTokens` tell: many entries name the same.
  readonly task: number | null
  readonly token: number | null
  // Ids of names, which `namesFrom` tells: joining them cost as much as everything else that is read of an entry.
  readonly kind: number
  readonly agent: number | null
  readonly instance: number | null
  readonly orchestrator: number | null
  readonly api: number | null
  readonly operation: number | null
  readonly code: number | null
  readonly sub: string | null
  readonly resource: string | null
  readonly reference: string | null
}

const inWindow = sql`e.seq > ${p("from")} AND e.seq <= ${p("to")}`

const entriesWith = (
  bytes: ReturnType<typeof sql>,
  leaf: ReturnType<typeof sql>,
) => sql`SELECT e.seq AS seq, ${bytes} AS bytes, ${leaf} AS leaf, b.personal AS personal, b.key AS key, e.at AS at,
      e.outcome AS outcome, e.task AS task, e.token AS token, e.kind AS kind, e.agent AS agent, e.instance AS instance,
      e.orchestrator AS orchestrator, e.api AS api, e.operation AS operation, e.code AS code, s.text AS sub,
      e.resource AS resource, e.reference AS reference
    FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq LEFT JOIN subject s ON s.id = e.subject
    WHERE ${inWindow} ORDER BY e.seq`

export const restingEntries: Statement<RestingEntry> = {
  ...statement<RestingEntry>("verify.entries", entriesWith(sql`CAST(b.bytes AS TEXT)`, sql`hex(b.leaf)`)),
  postgres: entriesWith(sql`b.bytes`, sql`b.leaf`),
}

/** Of one entry, as they rest. */
export const restingBytes = statement<{ bytes: Uint8Array }>(
  "verify.bytes",
  sql`SELECT b.bytes AS bytes FROM entry_bytes b WHERE b.seq = ${p("seq")}`,
)

export interface RestingTask {
  readonly id: number
  readonly task_id: string
  readonly key: Uint8Array | null
  readonly reference: string | null
}

/** Of the entries of a window. */
export const restingTasks = statement<RestingTask>(
  "verify.tasks",
  sql`SELECT t.id AS id, t.task_id AS task_id, t.key AS key, t.reference AS reference FROM task t
    WHERE t.id IN (SELECT e.task FROM entry e WHERE ${inWindow}) ORDER BY t.id`,
)

export interface RestingToken {
  readonly id: number
  readonly jti: string
  readonly task: number
}

export const restingTokens = statement<RestingToken>(
  "verify.tokens",
  sql`SELECT k.id AS id, k.jti AS jti, k.task AS task FROM token k
    WHERE k.id IN (SELECT e.token FROM entry e WHERE ${inWindow}) ORDER BY k.id`,
)

/** Names in the order of their ids, which are given one after the other. */
export const namesFrom = statement<{ id: number; text: string }>(
  "verify.names",
  sql`SELECT id, text FROM name WHERE id >= ${p("from")} AND id < ${p("to")}`,
)

/** What an instance signed with a number, and its key. */
export const keptBatch = statement<{ signed: Uint8Array | null; public_jwk: string }>(
  "verify.batch",
  sql`SELECT b.signed AS signed, v.public_jwk AS public_jwk FROM verifier_instance v
      LEFT JOIN use_batch b ON b.instance = v.id AND b.sequence = ${p("sequence")}
    WHERE v.instance = ${p("instance")}`,
)

/** `bytes`: of how many entries what was hashed rests somewhere; `beyond`: 1 where some is of a place after the newest. */
export const ledgerCounts = statement<{
  entries: number
  bytes: number
  beyond: number
  newest: number | null
}>(
  "verify.counts",
  sql`SELECT (SELECT count(*) FROM entry) AS entries,
    (SELECT count(*) FROM entry_bytes WHERE length(bytes) > 0) + 256 * (SELECT count(*) FROM ledger_bundle) AS bytes,
    CASE WHEN (SELECT max(seq) FROM entry_bytes) > (SELECT coalesce(max(seq), 0) FROM entry) THEN 1 ELSE 0 END AS beyond,
    (SELECT max(seq) FROM entry) AS newest`,
)

export const everyCheckpoint = statement<{ size: number; note: string }>(
  "verify.checkpoints",
  sql`SELECT size - ${before} AS size, note FROM ledger_checkpoint c WHERE c.size > ${before} ORDER BY c.size`,
)

export const everyKey = statement<{ vkey: string }>(
  "verify.keys",
  sql`SELECT vkey FROM ledger_key ORDER BY created_at DESC, state`,
)

export const nodeCounts = statement<{ level: number; nodes: number }>(
  "verify.nodes",
  sql`SELECT level, count(*) AS nodes FROM ledger_node GROUP BY level ORDER BY level`,
)

/** Whether an id that an entry names, and its row does not point to, exists as what it is named as. */
export const isKnown = {
  task_id: statement<{ known: number }>(
    "verify.known_task",
    sql`SELECT 1 AS known FROM task WHERE task_id = ${p("id")}`,
  ),
  jti: statement<{ known: number }>(
    "verify.known_token",
    sql`SELECT 1 AS known FROM token WHERE jti = ${p("id")}`,
  ),
}
