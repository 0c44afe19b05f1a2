// A copy of a database file while a process writes to it: the pages of one moment, checked before it gets its name. It
// decides when a copy is good; where copies are kept, and what belongs beside them, is the operator's.
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, statSync } from "node:fs"
import { dirname } from "node:path"
import Sqlite, { type Database } from "better-sqlite3"
import { Unavailable } from "./database.ts"
import { codeOf, openFile, opening, prepareFile } from "./file.ts"
import { lockFile } from "./lock.ts"

export interface Copied {
  readonly bytes: number
  readonly entries: number
  /** Place and time (epoch milliseconds) of the newest entry; undefined where there is none. */
  readonly newest: { readonly seq: number; readonly at: number } | undefined
}

export interface CopyOptions {
  readonly from: string
  /** Must not exist. */
  readonly to: string
  /** Told from time to time, from 0 to 1. */
  readonly progress?: (share: number) => void
}

/** Pages copied between two turns of the event loop: 4 MiB. */
const PAGES_A_TURN = 1024

/**
 * Copies the file as it is at one moment; whoever writes to it goes on, its log grows until the copy is done. The copy is
 * one file of mode 0600, on disk when this resolves: SQLite finds it whole, and every table has as many rows as the
 * original had, the ledger the same end. Killed at any instant it leaves nothing by that name; what it did leave is
 * removed by the next try. Throws Unavailable: a missing or foreign file, a copy that is not good, no room, a name that is
 * taken.
 */
export async function copyDatabase(options: CopyOptions): Promise<Copied> {
  const { from, to } = options
  if (existsSync(to)) throw new Unavailable(`${to} is there already, and nothing is overwritten`)
  const source = openFile(from, { readonly: true })
  const partial = `${to}.partial`
  let lock: { release(): void } | undefined
  try {
    checkKind(source, from)
    lock = lockFile(partial)
    removePartial(partial)
    prepareFile(partial, false, true)
    return await copyInto(source, partial, options)
  } catch (error) {
    if (error instanceof Unavailable) throw error
    throw new Unavailable(`${from} can't be copied to ${to} (${codeOf(error)})`)
  } finally {
    source.close()
    if (lock) removePartial(partial)
    lock?.release()
    if (lock) rmSync(`${partial}.lock`, { force: true })
  }
}

function checkKind(source: Database, path: string): void {
  const found = source
    .prepare("SELECT count(*) FROM sqlite_schema WHERE name IN ('entry', 'entry_bytes')")
    .pluck()
  if (found.get() !== 2) throw new Unavailable(`${path} is not a database of the issuer`)
}

const removePartial = (partial: string): void => {
  for (const path of [partial, `${partial}-journal`, `${partial}-wal`, `${partial}-shm`])
    rmSync(path, { force: true })
}

async function copyInto(source: Database, partial: string, { to, progress }: CopyOptions): Promise<Copied> {
  // Held while pages are copied: without it every write of others would begin the copy anew.
  source.exec("BEGIN")
  const before = measure(source)
  await source.backup(partial, {
    progress({ totalPages, remainingPages }) {
      progress?.(totalPages === 0 ? 0 : 1 - remainingPages / totalPages)
      return PAGES_A_TURN
    },
  })
  source.exec("COMMIT")
  checkCopy(partial, before)
  syncPath(partial)
  // A second name, and not a new one: it fails where somebody took the name meanwhile.
  linkSync(partial, to)
  syncPath(dirname(to))
  return { bytes: statSync(to).size, entries: before.rows.get("entry") ?? 0, newest: before.newest }
}

interface Measured {
  readonly rows: ReadonlyMap<string, number>
  readonly newest: { readonly seq: number; readonly at: number } | undefined
  /** The hash of the newest entry. */
  readonly leaf: string
}

function measure(database: Database): Measured {
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck()
    .all()
  const count = (name: string) =>
    Number(
      database
        .prepare(`SELECT count(*) FROM "${name.replaceAll('"', '""')}"`)
        .pluck()
        .get(),
    )
  const [row] = database
    .prepare<[], { seq: number; at: number; leaf: string | null }>(
      `SELECT e.seq AS seq, e.at AS at, hex(b.leaf) AS leaf FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq
        ORDER BY e.seq DESC LIMIT 1`,
    )
    .all()
  return {
    rows: new Map(tables.map(String).map((name) => [name, count(name)])),
    newest: row && { seq: row.seq, at: row.at },
    leaf: row?.leaf ?? "",
  }
}

/** One file: until it is used again it needs no log beside it. */
function checkCopy(path: string, before: Measured): void {
  const copy = opening(path, () => new Sqlite(path, { fileMustExist: true }))
  try {
    copy.pragma("synchronous = FULL")
    copy.pragma("journal_mode = DELETE")
    const verdict = copy.pragma("quick_check", { simple: true })
    if (verdict !== "ok")
      throw new Unavailable("The copy is damaged, and so may the database be: quick_check says so")
    const after = measure(copy)
    const different = [...before.rows]
      .filter(([name, rows]) => after.rows.get(name) !== rows)
      .map(([name]) => name)
    if (different.length > 0 || before.rows.size !== after.rows.size)
      throw new Unavailable(`The copy is not whole: it differs in ${different.join(", ") || "its tables"}`)
    if (after.leaf !== before.leaf || after.newest?.seq !== before.newest?.seq)
      throw new Unavailable("The copy is not whole: its ledger ends elsewhere")
  } finally {
    copy.close()
  }
}

function syncPath(path: string): void {
  const file = openSync(path, "r")
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
