// What a verifier keeps on its own disk: uses until they are acknowledged, the batch under way, proofs seen, and what it
// knew of keys and revocations. It decides nothing; every statement of this room is here, once.

import { Duplicate } from "../database/database.ts"
import { lockFile, openFile } from "../database/file.ts"
import type { WriterStep } from "../database/writer.ts"
import { openWriter } from "../database/writer.ts"
import type { RevocationItem } from "../token/revocation.ts"

/** One use, not yet in a batch. `text` is its JSON without the outcome. */
export interface StoredUse {
  readonly seq: number
  readonly task: string
  readonly text: string
}

/** Uses in a row, written together: what waits for one fsync is one row of the spool. At least one. */
export type UseGroup = readonly StoredUse[]

/** A batch that is not acknowledged: the exact bytes that are sent, however often. */
export interface StoredBatch {
  readonly sequence: number
  readonly text: string
  /** The lowest use in it; zero when it is empty. */
  readonly first: number
  /** Bytes of the spool that its uses held, by task. */
  readonly shares: Readonly<Record<string, number>>
}

export type SettingKey = "instance" | "chain" | "keys" | "catalogue" | "feed" | "floor"

export interface Spool {
  /** What was kept under that name, as of the opening and every keep since. */
  kept(key: SettingKey): string | undefined
  keep(key: SettingKey, value: string): Promise<void>
  /** Durable when it resolves. Their numbers follow each other. */
  addUses(group: UseGroup): Promise<void>
  /** The oldest groups that are in no batch: of so many uses, or of the first group that has more. */
  oldestUses(limit: number): UseGroup[]
  /** Whether a use up to that one is here still, in a batch or in none. */
  holdsThrough(seq: number): boolean
  highestSeq(): number
  /** Bytes held by uses, by task. */
  shares(): ReadonlyMap<string, number>
  /** Moves uses of these groups into a batch and the chain onwards: all of it or nothing. The others of them stay. */
  storeBatch(
    batch: StoredBatch,
    groups: readonly UseGroup[],
    taken: ReadonlySet<number>,
    chain: string,
  ): Promise<void>
  /** The oldest that is not acknowledged. */
  oldestBatch(): StoredBatch | undefined
  releaseBatch(sequence: number): Promise<void>
  addRevocations(items: readonly RevocationItem[], feed: string): Promise<void>
  /** Read as they are asked for: there may be many. Nothing else is read meanwhile. */
  revocations(): Iterable<RevocationItem>
  /** False: that proof was seen before. One atomic insert. */
  claimProof(digest: string, until: number): Promise<boolean>
  /** Forgets proofs and revocations that ended before (epoch seconds), and keeps the time floor that remains of them. */
  sweep(proofsBefore: number, revocationsBefore: number, floor: number): Promise<void>
  close(): Promise<void>
  readonly broken: Promise<Error>
}

/** What a use takes beside its text, about: its task's id, its share of a row and of a batch's frame. */
export const ROW_OVERHEAD_BYTES = 64

const APPLICATION_ID = 0x7461736b
/** Of the tables below. */
const VERSION = 2
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
  CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS uses (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, lines TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS batch (
    sequence INTEGER PRIMARY KEY, first INTEGER NOT NULL, shares TEXT NOT NULL, text TEXT NOT NULL, highest INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS proof (digest TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS proof_until ON proof (until);
  CREATE TABLE IF NOT EXISTS revocation (
    kind TEXT NOT NULL, value TEXT NOT NULL, before INTEGER NOT NULL, until INTEGER NOT NULL, code TEXT NOT NULL,
    cursor INTEGER NOT NULL, PRIMARY KEY (kind, value)
  ) WITHOUT ROWID;`

const KEEP =
  "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
const ADD_USES = "INSERT INTO uses (first, count, lines) VALUES (?, ?, ?)"
const TAKE_USES = "DELETE FROM uses WHERE first IN (SELECT value FROM json_each(?))"
const ADD_BATCH = "INSERT INTO batch (sequence, first, shares, text, highest) VALUES (?, ?, ?, ?, ?)"
const OLDEST_BATCH = "SELECT sequence, first, shares, text FROM batch ORDER BY sequence LIMIT 1"
const HOLDS_THROUGH = `SELECT EXISTS (SELECT 1 FROM uses WHERE first <= ?)
  OR EXISTS (SELECT 1 FROM batch WHERE first BETWEEN 1 AND ?)`
const RELEASE_BATCH = "DELETE FROM batch WHERE sequence = ?"
const CLAIM_PROOF = "INSERT INTO proof (digest, until) VALUES (?, ?)"
const ADD_REVOCATION = `INSERT INTO revocation (kind, value, before, until, code, cursor) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (kind, value) DO UPDATE SET before = max(before, excluded.before), until = max(until, excluded.until),
  code = CASE WHEN excluded.cursor > cursor THEN excluded.code ELSE code END, cursor = max(cursor, excluded.cursor)`

/**
 * Opens the spool, making it (0600) where there is none. Throws when another process holds it, when the file is not a
 * spool, or when it is damaged: what may still be evidence is never overwritten.
 */
export async function openSpool(path: string): Promise<Spool> {
  const lock = lockFile(path)
  try {
    prepare(path)
    const writer = await openWriter({ path })
    const reader = openFile(path, { readonly: true })
    return spoolOver(writer, reader, () => lock.release())
  } catch (fault) {
    lock.release()
    throw fault
  }
}

function prepare(path: string): void {
  const file = openFile(path, { create: true })
  try {
    const id = file.pragma("application_id", { simple: true })
    const tables = file.prepare("SELECT count(*) FROM sqlite_schema").pluck().get()
    if (id !== APPLICATION_ID && tables !== 0) throw new Error(`${path} is not a spool of a verifier`)
    if (tables !== 0 && file.pragma("user_version", { simple: true }) !== VERSION)
      throw new Error(
        `the spool ${path} was made by another version of taskmint: let that version ship it, or move it aside and keep it`,
      )
    file.exec(SCHEMA)
    if (file.pragma("quick_check(1)", { simple: true }) !== "ok")
      throw new Error(
        `the spool ${path} is damaged; move it aside and keep it: it may hold uses not yet reported`,
      )
  } finally {
    file.close()
  }
}

interface BatchRow {
  readonly sequence: number
  readonly first: number
  readonly shares: string
  readonly text: string
}

type Writer = Awaited<ReturnType<typeof openWriter>>
type Reader = ReturnType<typeof openFile>

function spoolOver(writer: Writer, reader: Reader, release: () => void): Spool {
  const settings = new Map(
    (reader.prepare("SELECT key, value FROM setting").all() as { key: string; value: string }[]).map(
      ({ key, value }) => [key, value],
    ),
  )
  const batch = reader.prepare<[], BatchRow>(OLDEST_BATCH)
  const run = (sql: string, ...values: WriterStep["values"]): WriterStep => ({ sql, values, rows: "any" })
  return {
    broken: writer.broken,
    kept: (key) => settings.get(key),
    async keep(key, value) {
      await writer.commit([run(KEEP, key, value)])
      settings.set(key, value)
    },
    oldestBatch() {
      const row = batch.get()
      return row && { ...row, shares: JSON.parse(row.shares) }
    },
    async storeBatch({ sequence, text, first, shares }, groups, taken, chain) {
      const highest = [...taken].reduce((a, b) => Math.max(a, b), 0)
      const firsts = groups.flatMap(([use]) => use?.seq ?? [])
      const staying = groups.flat().filter((use) => !taken.has(use.seq))
      await writer.commit([
        { sql: TAKE_USES, values: [JSON.stringify(firsts)], rows: groups.length },
        ...staying.map((use) => addGroup([use])),
        run(ADD_BATCH, sequence, first, JSON.stringify(shares), text, highest),
        run(KEEP, "chain", chain),
      ])
      settings.set("chain", chain)
    },
    releaseBatch: (sequence) => writer.commit([run(RELEASE_BATCH, sequence)]),
    async addRevocations(items, feed) {
      const steps = items.map((one) =>
        run(ADD_REVOCATION, one.kind, one.value, one.before, one.until, one.code, one.cursor),
      )
      await writer.commit([...steps, run(KEEP, "feed", feed)])
      settings.set("feed", feed)
    },
    claimProof: (digest, until) =>
      writer.commit([{ sql: CLAIM_PROOF, values: [digest, until], rows: 1 }]).then(() => true, isDuplicate),
    async sweep(proofsBefore, revocationsBefore, floor) {
      await writer.commit([
        run("DELETE FROM proof WHERE until < ?", proofsBefore),
        run("DELETE FROM revocation WHERE until < ?", revocationsBefore),
        run(KEEP, "floor", String(floor)),
      ])
      settings.set("floor", String(floor))
    },
    ...usesIn(writer, reader),
    ...readings(reader),
    async close() {
      reader.close()
      await writer.close()
      release()
    },
  }
}

function usesIn(writer: Writer, reader: Reader): Pick<Spool, "addUses" | "oldestUses" | "holdsThrough"> {
  const oldest = reader.prepare<[], GroupRow>("SELECT first, lines FROM uses ORDER BY first")
  const holds = reader.prepare<[number, number], number>(HOLDS_THROUGH).pluck()
  return {
    addUses: (group) => writer.commit([addGroup(group)]),
    oldestUses(limit) {
      const groups: UseGroup[] = []
      let count = 0
      for (const row of oldest.iterate()) {
        const group = readGroup(row)
        groups.push(group)
        count += group.length
        if (count >= limit) break
      }
      return groups
    },
    holdsThrough: (seq) => holds.get(seq, seq) === 1,
  }
}

interface GroupRow {
  readonly first: number
  readonly lines: string
}

/** One line for each use: its task, a space, its JSON, in neither of which a line ends. */
function addGroup(group: UseGroup): WriterStep {
  const lines = group.map(({ task, text }) => `${task} ${text}`).join("\n")
  return { sql: ADD_USES, values: [group[0]?.seq ?? 0, group.length, lines], rows: 1 }
}

const readGroup = ({ first, lines }: GroupRow): UseGroup =>
  lines.split("\n").map((line, at) => {
    const space = line.indexOf(" ")
    return { seq: first + at, task: line.slice(0, space), text: line.slice(space + 1) }
  })

/** What is read once, at the start. */
function readings(reader: Reader): Pick<Spool, "highestSeq" | "shares" | "revocations"> {
  return {
    highestSeq: () =>
      Number(
        reader
          .prepare(
            `SELECT max(coalesce((SELECT max(first + count - 1) FROM uses), 0),
              coalesce((SELECT max(highest) FROM batch), 0))`,
          )
          .pluck()
          .get(),
      ),
    shares() {
      const held = new Map<string, number>()
      const add = (task: string, bytes: number) => held.set(task, (held.get(task) ?? 0) + bytes)
      const uses = reader.prepare<[], GroupRow>("SELECT first, lines FROM uses")
      for (const row of uses.iterate())
        for (const { task, text } of readGroup(row)) add(task, text.length + ROW_OVERHEAD_BYTES)
      for (const text of reader.prepare<[], string>("SELECT shares FROM batch").pluck().iterate())
        for (const [task, bytes] of Object.entries<number>(JSON.parse(text))) add(task, bytes)
      return held
    },
    revocations: () =>
      reader
        .prepare<[], RevocationItem>("SELECT kind, value, before, until, code, cursor FROM revocation")
        .iterate(),
  }
}

function isDuplicate(fault: unknown): false {
  if (fault instanceof Duplicate) return false
  throw fault
}
