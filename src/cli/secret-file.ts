// Files that hold secrets: read only when nobody else can, written so that they are whole or not there, for the owner
// alone, and never over another. What is in them is not looked at.

import { randomBytes } from "node:crypto"
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { type Stop, wrongUse } from "./exit.ts"

const MAX_BYTES = 64 * 1024

/**
 * The text of a secret's file. Stop (wrong use) when it is not a file, too large, or open to others than its owner
 * (a file of another owner, as mounted secrets are, may be readable by its group). `name` is how the person named it.
 */
export function readSecret(path: string, name: string): string {
  const file = openOrStop(path, name)
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw wrongUse(`${name}: ${path} is not a file`)
    if (stats.size > MAX_BYTES) throw wrongUse(`${name}: ${path} is larger than any key`)
    if (openToOthers(stats))
      throw wrongUse(`${name}: ${path} can be read or changed by others`, `Run: chmod 600 ${path}`)
    return readFileSync(file, "utf8")
  } finally {
    closeSync(file)
  }
}

function openOrStop(path: string, name: string): number {
  try {
    return openSync(path, "r")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw wrongUse(`${name}: ${path} can't be read (${code})`)
  }
}

function openToOthers({ mode, uid }: Stats): boolean {
  if (process.platform === "win32") return false
  const mine = uid === process.geteuid?.()
  return (mode & (mine ? 0o077 : 0o037)) !== 0
}

/**
 * Writes a file that is whole and on disk when this returns, or not there at all; whatever the umask says, with `mode`.
 * Stop (wrong use) when there is a file already: nothing is overwritten.
 */
export function writeNew(path: string, text: string, mode = 0o600): void {
  makeFolder(dirname(path))
  const temporary = writeBeside(path, text, mode)
  try {
    linkSync(temporary, path)
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw thereAlready(path)
    throw error
  } finally {
    unlinkSync(temporary)
  }
  syncFolder(dirname(path))
}

/** Stop (wrong use) where `writeNew` would find a file: for what must not be done when it can't be written down. */
export function checkNew(path: string): void {
  if (existsSync(path)) throw thereAlready(path)
}

/** Step by step: asked for all at once, Node never ends where a file system makes no folders (/proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown"
    if (code !== "EEXIST") throw wrongUse(`The folder ${path} can't be made (${code})`)
  }
}

/** Puts another text in a file of ours (0600): whoever opens it meanwhile reads one or the other, whole. */
export function replaceSecret(path: string, text: string): void {
  renameSync(writeBeside(path, text, 0o600), path)
}

function writeBeside(path: string, text: string, mode: number): string {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`)
  const file = openSync(temporary, "wx", 0o600)
  try {
    fchmodSync(file, mode)
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return temporary
}

export const thereAlready = (path: string): Stop =>
  wrongUse(`${path} is there already and is never overwritten`, "Choose another folder or name")

function syncFolder(path: string): void {
  if (process.platform === "win32") return
  const folder = openSync(path, "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** 32 bytes in base64url, in their one spelling. Stop (wrong use) when it is anything else. */
export function readKeyEncryptionKey(text: string): Uint8Array {
  const key = Buffer.from(text, "base64url")
  if (key.length === 32 && key.toString("base64url") === text) return key
  throw wrongUse(
    "The key-encryption key is not 32 bytes in base64url",
    "Make one: node -p 'crypto.randomBytes(32).toString(\"base64url\")'",
  )
}
