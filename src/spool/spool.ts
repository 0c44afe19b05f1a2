// What a verifier keeps on its own disk: uses until they are acknowledged, the batch under way, proofs seen, and what it
// knew of keys and revocations. It decides nothing; who may open it together with others, sharing.ts does.

import { Unexpected } from "../database/database.ts"
import { openFile } from "../database/file.ts"
import { lockFile } from "../database/lock.ts"
import { openWriter, type Writer, type WriterStep } from "../database/writer.ts"
import type { Refusal } from "../errors.ts"
import type { RevocationItem } from "../token/revocation.ts"
import {
  addBatch,
  type BatchRow,
  type NewBatch,
  readBatch,
  readShares,
  releaseBatch,
  type StoredBatch,
  type Taking,
} from "./batch-row.ts"
import { addGroup, bytesOf, readGroup, type UseGroup } from "./group-row.ts"
import { prepareSpool, SHARE_ADVICE } from "./spool-file.ts"
import * as sql from "./statements.ts"

export type SettingKey =
  | "instance"
  | "keys"
  | "catalogue"
  | "feed"
  | "floor"
  | "sharedBy"
  | "nonces"
  | "ledger"

/** Uses that are recorded and must not be served, by number. */
export type Unserved = ReadonlyMap<number, Refusal>

/** Written ahead, a use is served before the issuer knows of it. */
const ALL_SERVED: Unserved = new Map()

/** What is kept, under which name. */
export type Kept = readonly [key: SettingKey, value: string]

/** Numbers of uses, both ends included: of all, or of one of the processes that share the spool. */
export interface Part {
  readonly from: number
  readonly to: number
}

/** Where the chain of batches stands, as text; undefined: before the first. */
export interface ChainMove {
  readonly from: string | undefined
  readonly to: string
}

export interface Spool {
  /** What was kept under that name, as of the opening and every keep since. */
  kept(key: SettingKey): string | undefined
  /** The same as it stands now, whoever kept it. */
  latest(key: SettingKey): string | undefined
  keep(key: SettingKey, value: string): Promise<void>
  /** Keeps it where nothing is kept; answers what is. */
  keepFirst(key: SettingKey, value: string): Promise<string>
  /**
   * Durable when it resolves. Numbers follow each other, and each is above those given before. Answers those that may not be
   * served, by number.
   */
  addUses(group: UseGroup): Promise<Unserved>
  /**
   * The oldest groups that are in no batch: of so many uses, or of the first group that has more. Default: this part's.
   * `after`: of those behind that number.
   */
  oldestUses(limit: number, part?: Part, after?: number): UseGroup[]
  /** Whether a use of this part up to that one is here still, in a batch or in none. */
  holdsThrough(seq: number): boolean
  /** Of this part; what comes next has the next number. */
  highestSeq(): number
  /** Bytes held by uses of this part, by task. */
  shares(): ReadonlyMap<string, number>
  /** Where the chain of batches stands now, whoever moved it. */
  chain(): string | undefined
  /**
   * Moves uses into a batch and the chain onwards: all of it or nothing. False: the chain stands elsewhere.
   */
  storeBatch(batch: NewBatch, taking: Taking, chain: ChainMove): Promise<boolean>
  /** The oldest that is not acknowledged. */
  oldestBatch(): StoredBatch | undefined
  oldestSequence(): number | undefined
  /** With what is to be kept from then on. `beyond`: those of its uses that the issuer would not have let through, by id. */
  releaseBatch(sequence: number, kept?: Kept, beyond?: ReadonlyMap<string, Refusal>): Promise<void>
  addRevocations(items: readonly RevocationItem[], feed: string): Promise<void>
  /** Read as they are asked for: there may be many. Nothing else is read meanwhile. */
  revocations(): Iterable<RevocationItem>
  /** False: that proof was seen before, or ends so early that it may have been seen and forgotten. One atomic insert. */
  claimProof(digest: string, until: number): Promise<boolean>
  /** Forgets proofs and revocations that ended before (epoch seconds), and keeps the time floors that remain of them. */
  sweep(proofsBefore: number, revocationsBefore: number, floor: number): Promise<void>
  close(): Promise<void>
  readonly broken: Promise<Error>
}

/** A spool that is one process's alone. */
const WHOLE: Part = { from: 1, to: Number.MAX_SAFE_INTEGER }

/**
 * Opens the spool, making it (0600) where there is none. Throws when another process holds it, when the file is not a
 * spool, or when it is damaged: what may still be evidence is never overwritten.
 */
export async function openSpool(path: string): Promise<Spool> {
  const lock = lockFile(path, SHARE_ADVICE)
  try {
    prepareSpool(path)
    return (await openTables({ path, part: WHOLE, feed: keepFeed, release: () => lock.release() })).spool
  } catch (fault) {
    lock.release()
    throw fault
  }
}

interface TablesOptions {
  readonly path: string
  readonly part: Part
  /** What is written where the feed of revocations was read further. */
  readonly feed: (position: string) => WriterStep[]
  readonly release: () => void
  readonly busyMilliseconds?: number
  /** Written before anything is read, and as the last of all. */
  readonly joining?: readonly WriterStep[]
  readonly leaving?: readonly WriterStep[]
}

export type Reader = ReturnType<typeof openFile>

/** Of a file that is prepared. */
export async function openTables(options: TablesOptions): Promise<{
  readonly spool: Spool
  readonly writer: Writer
  readonly reader: Reader
}> {
  const { path, part, busyMilliseconds, joining } = options
  const writer = await openWriter({ path, ...(busyMilliseconds !== undefined && { busyMilliseconds }) })
  try {
    if (joining) await writer.commit(joining)
    const reader = openFile(path, { readonly: true })
    return { writer, reader, spool: { ...spoolOver(writer, reader, options), ...readings(reader, part) } }
  } catch (fault) {
    await writer.close()
    throw fault
  }
}

const keepFeed = (position: string) => [sql.run(sql.KEEP, "feed", position)]

type InTables = Omit<Spool, keyof ReturnType<typeof readings>>

function spoolOver(writer: Writer, reader: Reader, options: TablesOptions): InTables {
  const { feed: feedSteps, leaving, release } = options
  const settings = new Map(
    reader
      .prepare<[], { key: string; value: string }>(sql.SETTINGS)
      .all()
      .map(({ key, value }) => [key, value]),
  )
  const setting = reader.prepare<[string], string>(sql.SETTING).pluck()
  return {
    broken: writer.broken,
    kept: (key) => settings.get(key),
    async keep(key, value) {
      await writer.commit(key === "feed" ? feedSteps(value) : [sql.run(sql.KEEP, key, value)])
      settings.set(key, value)
    },
    async keepFirst(key, value) {
      await writer.commit([sql.run(sql.KEEP_FIRST, key, value)])
      const kept = setting.get(key) ?? value
      settings.set(key, kept)
      return kept
    },
    latest: (key) => setting.get(key),
    chain: () => setting.get("chain"),
    async addRevocations(items, feed) {
      const steps = items.map((one) =>
        sql.run(sql.ADD_REVOCATION, one.kind, one.value, one.before, one.until, one.code, one.cursor),
      )
      await writer.commit([...steps, ...feedSteps(feed)])
      settings.set("feed", feed)
    },
    claimProof: (digest, until) =>
      writer
        .commit([{ sql: sql.CLAIM_PROOF, values: [digest, until, until], rows: 1 }])
        .then(() => true, isSeen),
    async sweep(proofsBefore, revocationsBefore, floor) {
      await writer.commit([
        sql.run(sql.KEEP_PROOF_FLOOR, proofsBefore),
        sql.run(sql.SWEEP_PROOFS, proofsBefore),
        sql.run(sql.SWEEP_REVOCATIONS, revocationsBefore),
        sql.run(sql.KEEP_HIGHEST, "floor", String(floor)),
      ])
      settings.set("floor", String(floor))
    },
    addUses: (group) => writer.commit([addGroup(group)]).then(() => ALL_SERVED),
    ...batchesIn(writer, reader),
    async close() {
      reader.close()
      // What can't be written, others find out by the lock that is let go.
      if (leaving) await writer.commit(leaving).catch(() => undefined)
      await writer.close()
      release()
    },
  }
}

function batchesIn(
  writer: Writer,
  reader: Reader,
): Pick<Spool, "oldestBatch" | "oldestSequence" | "storeBatch" | "releaseBatch"> {
  const oldest = reader.prepare<[], BatchRow>(sql.OLDEST_BATCH)
  const taken = reader.prepare<[number], UseGroup>(sql.TAKEN_USES)
  const oldestSequence = reader.prepare<[], number>(sql.OLDEST_SEQUENCE).pluck()
  return {
    oldestSequence: () => oldestSequence.get(),
    oldestBatch() {
      const row = oldest.get()
      return row && readBatch(row, taken.all(row.sequence))
    },
    storeBatch: (batch, taking, chain) =>
      writer
        .commit([sql.moveChain(chain.from, chain.to), ...addBatch(batch, taking)])
        .then(() => true, isMovedAlready),
    releaseBatch: (sequence, kept) =>
      writer.commit([...releaseBatch(sequence), ...(kept ? [sql.run(sql.KEEP, ...kept)] : [])]),
  }
}

/** What is read of the uses of one part, and all revocations. */
function readings(
  reader: Reader,
  part: Part,
): Pick<Spool, "oldestUses" | "holdsThrough" | "highestSeq" | "shares" | "revocations"> {
  const uses = reader.prepare<[number, number], UseGroup>(sql.OLDEST_USES)
  const highest = reader.prepare<number[], number>(sql.HIGHEST_SEQ).pluck()
  const holds = reader.prepare<number[], number>(sql.HOLDS_THROUGH).pluck()
  const { from, to } = part
  return {
    oldestUses(limit, { from, to } = part, after = 0) {
      const groups: UseGroup[] = []
      let count = 0
      for (const group of uses.iterate(Math.max(from, after + 1), to)) {
        groups.push(group)
        count += group.count
        if (count >= limit) break
      }
      return groups
    },
    holdsThrough: (seq) => holds.get(from, seq, from, seq) === 1,
    highestSeq: () => Math.max(from - 1, highest.get(from, to, from, to) ?? 0),
    shares() {
      const held = new Map<string, number>()
      const add = (task: string, bytes: number) => held.set(task, (held.get(task) ?? 0) + bytes)
      for (const group of uses.iterate(from, to))
        for (const { head, tail } of readGroup(group)) add(head.task, bytesOf(head, tail))
      for (const { shares } of batchShares(reader, part)) for (const [task, bytes] of shares) add(task, bytes)
      return held
    },
    revocations: () => reader.prepare<[], RevocationItem>(sql.REVOCATIONS).iterate(),
  }
}

/** Of the batches that hold uses of a part. */
export function batchShares(reader: Reader, { from, to }: Part): Pick<StoredBatch, "sequence" | "shares">[] {
  const rows = reader.prepare<[number, number], { sequence: number; shares: string }>(sql.BATCH_SHARES)
  return rows.all(from, to).map(({ sequence, shares }) => ({ sequence, shares: readShares(shares) }))
}

/** A duplicate, or below the floor. */
function isSeen(fault: unknown): false {
  if (fault instanceof Unexpected) return false
  throw fault
}

/** The first step of storing a batch is the chain's. */
function isMovedAlready(fault: unknown): false {
  if (fault instanceof Unexpected && fault.step === 0) return false
  throw fault
}
