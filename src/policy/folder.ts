// What may be read as a policy, and how: *.yaml directly in one folder and the key files that they name. It refuses what
// others could have written and what leads outside; what the texts mean is not its business.

import { hash } from "node:crypto"
import { constants, type Stats } from "node:fs"
import { open, readdir, realpath } from "node:fs/promises"
import { platform } from "node:os"
import { join, resolve, sep } from "node:path"
import { digestOf } from "../token/jwt.ts"

const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.yaml$/
const MAX_FILES = 1000
const MAX_POLICY_BYTES = 16 * 1024 * 1024
const MAX_KEY_BYTES = 64 * 1024

/** The files of a folder at one moment. Paths are relative to the folder, with `/`. */
export interface Snapshot {
  readonly texts: ReadonlyMap<string, string>
  /** Why a file was not read: what was expected of it. */
  readonly unreadable: ReadonlyMap<string, string>
}

/** Whether a path is that of a policy file; all others are key files. */
export const isPolicyFile = (path: string): boolean => path.endsWith(".yaml") && !path.includes("/")

/**
 * The digest of a policy: SHA-256 over the sorted lines `path NUL sha256(bytes) LF` (in hexadecimal) of every file read,
 * key files included, as `sha-256:` and base64url.
 */
export function digestOfFiles(texts: ReadonlyMap<string, string>): string {
  const lines = [...texts].map(([path, text]) => `${path}\0${hash("sha256", text, "hex")}\n`)
  return digestOf(lines.sort().join(""))
}

/** Two snapshots with one fingerprint hold the same texts and lack the same files for the same reasons. */
export function fingerprint(snapshot: Snapshot): string {
  return JSON.stringify([digestOfFiles(snapshot.texts), [...snapshot.unreadable].sort()])
}

/**
 * Reads every policy file and the key files given. Symbolic links are followed inside the folder only (a key file beside
 * it: inside the folder's parent), which ConfigMap mounts need. Files that others than the owner may write are not read;
 * with `dev`, the group may. NOT checked: who owns a file, and whether a link changed while its target was opened.
 */
export async function readFolder(
  folder: string,
  keyPaths: Iterable<string>,
  options: { readonly dev?: boolean },
): Promise<Snapshot> {
  const texts = new Map<string, string>()
  const unreadable = new Map<string, string>()
  const listed = await listFolder(folder, unreadable)
  for (const path of new Set([...listed, ...keyPaths])) {
    const read = await readOne(folder, path, options.dev ?? false)
    if ("text" in read) texts.set(path, read.text)
    else unreadable.set(path, read.fault)
  }
  return { texts, unreadable }
}

async function listFolder(folder: string, unreadable: Map<string, string>): Promise<string[]> {
  const names = await readdir(folder).catch(toFault)
  if (!Array.isArray(names)) {
    unreadable.set(".", `expected ${folder} to be a folder of policy files${names.reason}`)
    return []
  }
  const listed: string[] = []
  for (const name of names.filter((one) => !one.startsWith(".")).sort()) {
    if (name.endsWith(".yml")) unreadable.set(name, "expected a name that ends in .yaml")
    if (!name.endsWith(".yaml")) continue
    if (FILE_NAME.test(name)) listed.push(name)
    else unreadable.set(name, "expected a file name of A-Z, a-z, 0-9, ., _ and -, at most 105 characters")
  }
  if (listed.length === 0 && unreadable.size === 0)
    unreadable.set(".", `expected at least one *.yaml file, found none${belowIn(folder, names)}`)
  if (listed.length > MAX_FILES) unreadable.set(".", `expected at most ${MAX_FILES} policy files`)
  return listed.slice(0, MAX_FILES)
}

/** `init` and repositories have it there. */
const belowIn = (folder: string, names: readonly string[]): string =>
  names.includes("policies") ? ` (did you mean ${join(folder, "policies")}?)` : ""

type Read = { readonly text: string } | { readonly fault: string }

async function readOne(folder: string, path: string, dev: boolean): Promise<Read> {
  try {
    const boundary = await realpath(path.startsWith("../") ? resolve(folder, "..") : folder)
    const target = await realpath(join(folder, path))
    if (!target.startsWith(boundary.endsWith(sep) ? boundary : boundary + sep)) {
      return { fault: "expected a file inside the folder, found a link that leads outside" }
    }
    return await readTarget(target, isPolicyFile(path) ? MAX_POLICY_BYTES : MAX_KEY_BYTES, dev)
  } catch (error) {
    return { fault: `expected a file that can be read${toFault(error).reason}` }
  }
}

async function readTarget(target: string, maxBytes: number, dev: boolean): Promise<Read> {
  // Not blocking: a named pipe would wait for a writer for ever.
  const file = await open(target, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) return { fault: "expected a regular file" }
    if (stats.size > maxBytes) return { fault: `expected at most ${maxBytes} bytes` }
    const writable = writableFault(stats, dev)
    if (writable !== undefined) return { fault: writable }
    const bytes = await file.readFile()
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch (error) {
    if (error instanceof TypeError) return { fault: "expected UTF-8" }
    throw error
  } finally {
    await file.close()
  }
}

function writableFault(stats: Stats, dev: boolean): string | undefined {
  if (platform() === "win32") return undefined // modes mean nothing there
  if (stats.mode & 0o002) return "expected a file that not everybody may write (chmod o-w)"
  if (stats.mode & 0o020 && !dev) return "expected a file that its group may not write (chmod g-w)"
  return undefined
}

/** The file system's own reasons are faults of the folder; anything else is not ours to judge. */
function toFault(error: unknown): { readonly reason: string } {
  if (!(error instanceof Error && "code" in error)) throw error
  return { reason: error.code === "ENOENT" ? ", found none" : ` (${String(error.code)})` }
}
