// Which process may have a file: one alone, or several that agreed to share it. The system lets go of every lock when its
// process ends, however it ends; no clock and no process id takes part. What a lock guards is for those who hold it.
import { setTimeout as sleep } from "node:timers/promises"
import Sqlite, { type Database } from "better-sqlite3"
import { Unavailable } from "./database.ts"
import { codeOf, opening, prepareFile } from "./file.ts"

export interface FileLock {
  release(): void
}

export interface SharedLock extends FileLock {
  /**
   * True: nobody else has a share, and until the release nobody can have one. False: others have, this one no more.
   */
  isLast(): Promise<boolean>
}

/** Longest wait for a process that holds the file alone: long enough for one that says its last word. */
const SHARE_MILLISECONDS = 10_000
/** Longest wait at the gate, behind which one may be looking through a large file. */
const GATE_MILLISECONDS = 60_000
const LOOK_MILLISECONDS = 20

/** Takes a share: the lock lasts as long as the transaction that has read. */
const READ = "BEGIN; SELECT count(*) FROM sqlite_schema"
const ALONE = "BEGIN EXCLUSIVE"

/**
 * Holds `<path>.lock` until released or until this process ends, however it ends: one process for each file. Throws
 * Unavailable when it is held, with `advice` where there is some. The lock file stays behind and means nothing by itself.
 */
export function lockFile(path: string, advice = ""): FileLock {
  const lock = tryLockFile(path)
  if (!lock) throw new Unavailable(`${path} is in use by another process${advice}`)
  return lock
}

/** The same; undefined when it is held. */
export function tryLockFile(path: string): FileLock | undefined {
  const held = openLock(path)
  let taken = false
  try {
    taken = attempt(held, ALONE)
  } finally {
    if (!taken) held.close()
  }
  return taken ? { release: () => void held.close() } : undefined
}

/**
 * Holds `<path>.lock` together with every process that calls this, and with none that called lockFile. Where nobody holds
 * it, `first` runs before anybody else can. Waits some seconds for a process that holds it alone, then throws Unavailable
 * with `advice`.
 */
export async function shareFile(path: string, first: () => void, advice: string): Promise<SharedLock> {
  const held = openLock(path)
  try {
    for (let waited = 0; !(await throughGate(path, () => takeShare(held, first))); ) {
      if (waited >= SHARE_MILLISECONDS) throw new Unavailable(`${path} is in use by another process${advice}`)
      waited += LOOK_MILLISECONDS
      await sleep(LOOK_MILLISECONDS)
    }
  } catch (fault) {
    held.close()
    throw fault
  }
  const isLast = () => {
    letGo(held)
    return attempt(held, ALONE)
  }
  return { isLast: () => throughGate(path, isLast), release: () => void held.close() }
}

function takeShare(held: Database, first: () => void): boolean {
  if (attempt(held, ALONE)) {
    first()
    letGo(held)
  }
  return attempt(held, READ)
}

/**
 * One at a time asks to be alone: two that ask at once are in each other's way, and both would take the other for one that
 * has a share already.
 */
async function throughGate<T>(path: string, ask: () => T): Promise<T> {
  for (let waited = 0; waited < GATE_MILLISECONDS; waited += LOOK_MILLISECONDS) {
    const gate = tryLockFile(`${path}.gate`)
    if (!gate) {
      await sleep(LOOK_MILLISECONDS * Math.random())
      continue
    }
    try {
      return ask()
    } finally {
      gate.release()
    }
  }
  throw new Unavailable(`${path} can't be asked for: another process holds its gate`)
}

function openLock(path: string): Database {
  const lockPath = `${path}.lock`
  return opening(lockPath, () => {
    prepareFile(lockPath, false, true)
    return new Sqlite(lockPath, { timeout: 0 })
  })
}

/** False: another process stands in the way. */
function attempt(held: Database, sql: string): boolean {
  return opening(held.name, () => {
    try {
      held.pragma("journal_mode = MEMORY")
      held.exec(sql)
      return true
    } catch (error) {
      letGo(held)
      if (codeOf(error) === "SQLITE_BUSY") return false
      throw error
    }
  })
}

function letGo(held: Database): void {
  if (held.inTransaction) held.exec("ROLLBACK")
}
