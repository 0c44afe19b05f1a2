// An auditor's own copy of the ledger, in one file: every entry as it was hashed, the checkpoints that were held against them,
// and the keys that are trusted. It decides what is durable together; what may go in, follow.ts does.
import { Unavailable } from "../database/database.ts"
import { codeOf, openFile, opening } from "../database/file.ts"
import { lockFile } from "../database/lock.ts"
import * as sql from "./audit-copy-statements.ts"
import { EMPTY_FRONTIER, extend, type Frontier, HASH_BYTES, leafHash, rootOf } from "./merkle.ts"

export interface CopyState {
  readonly origin: string
  /** What was taken in, and of that what a checkpoint that was checked holds. */
  readonly taken: Frontier
  readonly signed: Frontier
  /** Up to which place entries were passed on. */
  readonly told: number
}

export interface AuditCopy {
  state(): CopyState
  /** vkeys, the newest first. */
  keys(): string[]
  trust(vkey: string): void
  /** The oldest first. */
  checkpoints(): string[]
  /** The bytes of the entries after one place and up to another, as far as they are there one after the other. */
  entries(from: number, to: number): Uint8Array[]
  /** Of its first entries. */
  root(size: number): Uint8Array
  /** Durable when it returns: entries that follow what was taken in, and the tree with them. */
  take(entries: readonly Uint8Array[], taken: Frontier): void
  /** What was taken in is what this checkpoint holds. `at`: epoch milliseconds. */
  sign(note: string, at: number): void
  /** Forgets what no checkpoint was found to hold. */
  forgetUnsigned(): void
  tell(upTo: number): void
  close(): void
}

/** Whether a file is such a copy, and not the issuer's database. Throws Unavailable where it can't be read. */
export function isAuditCopy(path: string): boolean {
  const database = openFile(path, { readonly: true })
  try {
    return tablesIn(database).includes("copy_state")
  } catch (error) {
    throw new Unavailable(`${path} can't be used as a database (${codeOf(error)})`)
  } finally {
    database.close()
  }
}

/** To read it, while it may be followed. Throws Unavailable. */
export const openAuditCopy = (path: string): AuditCopy =>
  opening(path, () => copyIn(openFile(path, { readonly: true }), () => undefined))

/**
 * To follow a log of that origin, alone; begun where there is no file. Throws Unavailable: in use, another program's, a copy
 * of another log.
 */
export function openToFollow(path: string, origin: string): AuditCopy {
  const lock = lockFile(path)
  try {
    return opening(path, () => {
      const database = openFile(path)
      try {
        begin(database, path, origin)
        return copyIn(database, () => lock.release())
      } catch (error) {
        database.close()
        throw error
      }
    })
  } catch (error) {
    lock.release()
    throw error
  }
}

function begin(database: Database, path: string, origin: string): void {
  const tables = tablesIn(database)
  if (tables.length > 0 && !tables.includes("copy_state"))
    throw new Unavailable(`${path} is not an auditor's copy: give it a file of its own`)
  database.exec(`BEGIN; ${sql.CREATE}; COMMIT`)
  const known = database.prepare<[], Row>(sql.STATE).get()
  if (!known) database.prepare(sql.BEGIN_COPY).run(origin)
  else if (known.origin !== origin)
    throw new Unavailable(`${path} is a copy of ${known.origin}, and the key is another log's`)
}

type Database = ReturnType<typeof openFile>

const tablesIn = (database: Database): string[] => database.prepare(sql.TABLES).pluck().all().map(String)

interface Row {
  readonly origin: string
  readonly size: number
  readonly frontier: Buffer
  readonly signed: number
  readonly signedFrontier: Buffer
  readonly told: number
}

const WINDOW = 2048

function copyIn(database: Database, released: () => void): AuditCopy {
  const state = database.prepare<[], Row>(sql.STATE)
  const read = database.prepare<[number, number], { seq: number; bytes: Buffer }>(sql.ENTRIES)
  const together = (work: () => void) => database.transaction(work).immediate()
  const entries = (from: number, to: number): Uint8Array[] => {
    const rows = read.all(from, to)
    const gap = rows.findIndex(({ seq }, at) => seq !== from + at + 1)
    return (gap < 0 ? rows : rows.slice(0, gap)).map(({ bytes }) => bytes)
  }
  return {
    entries,
    state() {
      const row = state.get()
      if (!row) throw new Unavailable("the copy's own row is gone")
      const { origin, size, frontier, signed, signedFrontier, told } = row
      return { origin, taken: frontierOf(size, frontier), signed: frontierOf(signed, signedFrontier), told }
    },
    keys: () => database.prepare(sql.KEYS).pluck().all().map(String),
    trust: (vkey) => void database.prepare(sql.ADD_KEY).run(vkey),
    checkpoints: () => database.prepare(sql.CHECKPOINTS).pluck().all().map(String),
    root(size) {
      let frontier: Frontier = EMPTY_FRONTIER
      while (frontier.size < size) {
        const found = entries(frontier.size, Math.min(size, frontier.size + WINDOW))
        if (found.length === 0) throw new Unavailable(`the copy has no entry ${frontier.size + 1}`)
        frontier = extend(frontier, found.map(leafHash))
      }
      return rootOf(frontier)
    },
    take(given, taken) {
      const [add, first] = [database.prepare(sql.ADD_ENTRY), taken.size - given.length + 1]
      together(() => {
        for (const [at, bytes] of given.entries()) add.run(first + at, bytes)
        database.prepare(sql.GROW).run(taken.size, Buffer.concat(taken.hashes))
      })
    },
    sign(note, at) {
      const hour = Math.floor(at / 3_600_000)
      together(() => {
        database.prepare(sql.SIGNED).run()
        const { signed = 0 } = state.get() ?? {}
        database.prepare(sql.PRUNE_CHECKPOINTS).run(hour, signed)
        database.prepare(sql.ADD_CHECKPOINT).run(signed, hour, note)
      })
    },
    forgetUnsigned: () =>
      together(() => {
        database.prepare(sql.DROP_UNSIGNED).run()
        database.prepare(sql.SHRINK).run()
      }),
    tell: (upTo) => void database.prepare(sql.TOLD).run(upTo),
    close() {
      database.close()
      released()
    },
  }
}

const frontierOf = (size: number, bytes: Uint8Array): Frontier => ({
  size,
  hashes: Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  ),
})
