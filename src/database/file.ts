// One SQLite file, opened so that what it acknowledges survives a power cut: the settings are made, then read back, and a
// file that can't promise it is refused with words an operator can act on. What rests in the file is for others.
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  statfsSync,
  statSync,
} from "node:fs"
import { dirname } from "node:path"
import Sqlite, { type Database } from "better-sqlite3"
import { Unavailable } from "./database.ts"

/** Longest wait for another connection's lock. */
const BUSY_MILLISECONDS = 250
/** Older ones corrupt a file when two connections write and checkpoint at once (fixed in 3.51.3). */
const OLDEST_SQLITE = [3, 51, 3] as const
/** A write-ahead log that grew larger is cut back to this size once it was copied over. */
const KEPT_LOG_BYTES = 64 * 1024 * 1024
/** File systems over a network, as Linux numbers them: their locks and shared memory don't reach other machines. */
const NETWORKS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
])

export interface FileOptions {
  readonly readonly?: boolean
  readonly create?: boolean
  /** Longest wait for another connection's lock; default 250. */
  readonly busyMilliseconds?: number
}

/**
 * Opens a file in WAL mode with synchronous=FULL (set and read back), foreign keys on, and a busy timeout of 250 ms.
 * A new file gets mode 0600, an existing one is set to it. `create: false` refuses a missing file; `readonly` opens a
 * second connection that can't write, of whatever mode the file is in. Throws Unavailable with the reason: missing or read-only folder or file, a file
 * system over a network, not a database, an SQLite older than 3.51.3. It does NOT keep other processes out: lockFile (lock.ts) does.
 */
export function openFile(path: string, options: FileOptions = {}): Database {
  const { readonly = false, create = !readonly, busyMilliseconds = BUSY_MILLISECONDS } = options
  return opening(path, () => {
    prepareFile(path, readonly, create)
    const database = new Sqlite(path, { readonly, fileMustExist: true, timeout: busyMilliseconds })
    try {
      settle(database, path, readonly)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

/** Failures of SQLite and the system become one, which names the file and the failure's code. */
export function opening<T>(path: string, open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (error instanceof Unavailable) throw error
    throw new Unavailable(`${path} can't be used as a database (${codeOf(error)})`)
  }
}

/** SQLite's or the system's name of a failure; never its text, which may quote a statement. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code"

/** Makes sure of the folder, the file and its mode, so that SQLite's "unable to open database file" never has to be read. */
export function prepareFile(path: string, readonly: boolean, create: boolean): void {
  const folder = dirname(path)
  if (!isFolder(folder)) throw new Unavailable(`${folder} is not a folder: create it, then start again`)
  refuseNetwork(folder, statfsSync(folder).type)
  const access = readonly ? constants.R_OK : constants.R_OK | constants.W_OK
  if (!isAllowed(folder, access | constants.X_OK))
    throw new Unavailable(`${folder} can't be ${readonly ? "read" : "written"} by this user`)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined && !create) throw new Unavailable(`${path} does not exist`)
  if (found === undefined) {
    closeSync(openSync(path, "a", 0o600))
    return
  }
  if (!found.isFile()) throw new Unavailable(`${path} is not a plain file`)
  if (!isAllowed(path, access))
    throw new Unavailable(`${path} can't be ${readonly ? "read" : "written"} by this user`)
  if (!readonly && (found.mode & 0o777) !== 0o600) restrict(path)
}

/** `type` as statfs answers it. */
export function refuseNetwork(folder: string, type: number): void {
  const network = NETWORKS.get(type >>> 0)
  if (network !== undefined)
    throw new Unavailable(
      `${folder} is on ${network}: two machines could write to the file at once and damage it. Use a local disk`,
    )
}

function restrict(path: string): void {
  try {
    chmodSync(path, 0o600)
  } catch (error) {
    throw new Unavailable(`${path} is open to others and belongs to another user (${codeOf(error)})`)
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

function settle(database: Database, path: string, readonly: boolean): void {
  const version = String(database.prepare("SELECT sqlite_version()").pluck().get())
  if (!isRecent(version))
    throw new Unavailable(`SQLite ${version} can damage a file; 3.51.3 or newer is needed`)
  if (!readonly) {
    database.pragma("journal_mode = WAL")
    database.pragma(`journal_size_limit = ${KEPT_LOG_BYTES}`)
  }
  database.pragma("synchronous = FULL")
  database.pragma("foreign_keys = ON")
  database.pragma("trusted_schema = OFF")
  // What a savepoint would undo is kept beside the database until then: on disk that costs more than the write itself.
  database.pragma("temp_store = MEMORY")
  // Who only reads acknowledges nothing; a copy that was put aside has no log beside it, and is read as it is.
  if (!readonly) checkSettings(database, path)
}

/** Reads the settings back that durability rests on. Throws Unavailable when one is not what was asked for. */
export function checkSettings(database: Database, path: string): void {
  const wanted = { journal_mode: "wal", synchronous: 2, foreign_keys: 1 }
  for (const [pragma, value] of Object.entries(wanted)) {
    const found: unknown = database.pragma(pragma, { simple: true })
    if (found !== value)
      throw new Unavailable(`${path} refuses ${pragma} = ${value}: it would not be durable`)
  }
}

function isRecent(version: string): boolean {
  const parts = version.split(".").map(Number)
  const different = OLDEST_SQLITE.findIndex((oldest, index) => parts[index] !== oldest)
  return different < 0 || (parts[different] ?? 0) > (OLDEST_SQLITE[different] ?? 0)
}
