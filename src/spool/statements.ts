// All SQL of the spool, once. A process that shares the spool numbers its uses within a part of all numbers (PART_BITS), so
// that rows tell whose they are. What is done with the rows is spool.ts's and sharing.ts's.
import type { WriterStep } from "../database/writer.ts"

/** Two to the power of it are the numbers of one process, of which 2^53 / 2^45 = 256 can share a spool. */
export const PART_BITS = 45

const APPLICATION_ID = 0x7461736b
/** Of the tables below. */
const VERSION = 4
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
  CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS uses (
    first INTEGER PRIMARY KEY, count INTEGER NOT NULL, heads TEXT NOT NULL, tails TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS batch (
    sequence INTEGER PRIMARY KEY, first INTEGER NOT NULL, shares TEXT NOT NULL, envelope TEXT NOT NULL,
    outcomes TEXT NOT NULL, highest INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS taken (first INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, place INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS taken_sequence ON taken (sequence, place);
  CREATE TABLE IF NOT EXISTS proof (digest TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS proof_until ON proof (until);
  CREATE TABLE IF NOT EXISTS revocation (
    kind TEXT NOT NULL, value TEXT NOT NULL, before INTEGER NOT NULL, until INTEGER NOT NULL, code TEXT NOT NULL,
    cursor INTEGER NOT NULL, PRIMARY KEY (kind, value)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS worker (slot INTEGER PRIMARY KEY, cursor INTEGER NOT NULL, reached_at INTEGER NOT NULL);`

export const SPOOL = { applicationId: APPLICATION_ID, version: VERSION, schema: SCHEMA } as const

export const run = (sql: string, ...values: WriterStep["values"]): WriterStep => ({
  sql,
  values,
  rows: "any",
})

export const KEEP =
  "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
export const KEEP_FIRST = "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
export const KEEP_HIGHEST = `INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE
  SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)`
export const SETTINGS = "SELECT key, value FROM setting"
export const SETTING = "SELECT value FROM setting WHERE key = ?"

const BEGIN_CHAIN = "INSERT INTO setting (value, key) VALUES (?, 'chain')"
const MOVE_CHAIN = "UPDATE setting SET value = ? WHERE key = 'chain' AND value = ?"

/** Moves nothing where the chain stands elsewhere. */
export const moveChain = (from: string | undefined, to: string): WriterStep =>
  from === undefined
    ? { sql: BEGIN_CHAIN, values: [to], rows: 1 }
    : { sql: MOVE_CHAIN, values: [to, from], rows: 1 }

export const ADD_USES = "INSERT INTO uses (first, count, heads, tails) VALUES (?, ?, ?, ?)"
export const DROP_USES = `DELETE FROM uses WHERE first IN (SELECT value FROM json_each(?))
  AND first NOT IN (SELECT first FROM taken)`
export const TAKE_USES = `INSERT INTO taken (first, sequence, place)
  SELECT uses.first, ?, part.key FROM json_each(?) AS part JOIN uses ON uses.first = part.value`
export const OLDEST_USES = `SELECT first, count, heads, tails FROM uses WHERE first BETWEEN ? AND ?
  AND NOT EXISTS (SELECT 1 FROM taken WHERE taken.first = uses.first) ORDER BY first`
export const TAKEN_USES = `SELECT uses.first, count, heads, tails FROM taken JOIN uses ON uses.first = taken.first
  WHERE sequence = ? ORDER BY place`
export const HIGHEST_SEQ = `SELECT max(
  coalesce((SELECT max(first + count - 1) FROM uses WHERE first BETWEEN ? AND ?), 0),
  coalesce((SELECT max(highest) FROM batch WHERE highest BETWEEN ? AND ?), 0))`
export const HOLDS_THROUGH = `SELECT EXISTS (SELECT 1 FROM uses WHERE first BETWEEN ? AND ?)
  OR EXISTS (SELECT 1 FROM batch WHERE first BETWEEN ? AND ?)`

export const ADD_BATCH = `INSERT INTO batch (sequence, first, shares, envelope, outcomes, highest)
  VALUES (?, ?, ?, ?, ?, ?)`
export const OLDEST_BATCH = `SELECT sequence, first, shares, envelope, outcomes FROM batch
  ORDER BY sequence LIMIT 1`
export const OLDEST_SEQUENCE = "SELECT sequence FROM batch ORDER BY sequence LIMIT 1"
export const RELEASE_USES = "DELETE FROM uses WHERE first IN (SELECT first FROM taken WHERE sequence = ?)"
export const RELEASE_TAKEN = "DELETE FROM taken WHERE sequence = ?"
export const RELEASE_BATCH = "DELETE FROM batch WHERE sequence = ?"
export const BATCH_SHARES = "SELECT sequence, shares FROM batch WHERE first BETWEEN ? AND ?"
export const BACKLOG = `SELECT (SELECT count(*) FROM (SELECT 1 FROM batch LIMIT 8)) AS batches,
  (SELECT min(sequence) FROM batch) AS oldest`

/** None that ends before the proofs' floor: it may have been seen, and forgotten by a clock that has gone back since. */
export const CLAIM_PROOF = `INSERT INTO proof (digest, until) SELECT ?, ?
  WHERE ? >= coalesce((SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'proof_floor'), 0)`
/** Above the newest that goes, and no further: the clock that says so may be far ahead. */
export const KEEP_PROOF_FLOOR = `INSERT INTO setting (key, value)
  SELECT 'proof_floor', max(until) + 1 FROM proof WHERE until < ? HAVING count(*) > 0
  ON CONFLICT (key) DO UPDATE SET value = excluded.value
  WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)`
export const SWEEP_PROOFS = "DELETE FROM proof WHERE until < ?"

export const REVOCATIONS = "SELECT kind, value, before, until, code, cursor FROM revocation"
export const ADD_REVOCATION = `INSERT INTO revocation (kind, value, before, until, code, cursor) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (kind, value) DO UPDATE SET before = max(before, excluded.before), until = max(until, excluded.until),
  code = CASE WHEN excluded.cursor > cursor THEN excluded.code ELSE code END, cursor = max(cursor, excluded.cursor)`
export const SWEEP_REVOCATIONS = "DELETE FROM revocation WHERE until < ?"

/** Where the feed stands is what any process has reached: all that it was told stands in the table by then. */
export const KEEP_FURTHEST_FEED = `INSERT INTO setting (key, value) VALUES ('feed', ?) ON CONFLICT (key) DO UPDATE
  SET value = excluded.value WHERE excluded.value ->> '$.cursor' >= value ->> '$.cursor'`
/** One that joins knows what the table holds, and so has applied what any other has. */
export const JOIN = `INSERT INTO worker (slot, cursor, reached_at)
  SELECT ?, coalesce(feed ->> '$.cursor', 0), coalesce(feed ->> '$.reachedAt', 0)
    FROM (SELECT (SELECT value FROM setting WHERE key = 'feed') AS feed)
  WHERE true ON CONFLICT (slot) DO UPDATE SET cursor = excluded.cursor, reached_at = excluded.reached_at`
export const REACH =
  "UPDATE worker SET cursor = ? ->> '$.cursor', reached_at = ? ->> '$.reachedAt' WHERE slot = ?"
export const LEAVE = "DELETE FROM worker WHERE slot = ?"
export const LEAVE_ALL = "DELETE FROM worker"
export const WORKERS = "SELECT count(*) FROM worker"
/** How far the last of them is, and since when. */
export const LEAST_REACHED =
  "SELECT cursor, max(reached_at) AS reachedAt FROM worker GROUP BY cursor ORDER BY cursor LIMIT 1"
/** Of every process that has joined or left uses behind; one look-up for each, however many uses there are. */
export const SLOTS = `WITH RECURSIVE held (slot) AS (
    SELECT (SELECT min(first) FROM uses) >> ${PART_BITS}
    UNION ALL SELECT (SELECT min(first) FROM uses WHERE first >= (slot + 1) << ${PART_BITS}) >> ${PART_BITS} FROM held WHERE slot IS NOT NULL)
  SELECT slot FROM held WHERE slot IS NOT NULL UNION SELECT slot FROM worker`
