// A folder of files that are written once and stay as they are. It decides that a file is whole and on disk, and every folder
// on its way, before anybody is told so, and that none is ever replaced by other bytes. What the files hold is for others.
import { randomUUID } from "node:crypto"
import { mkdir, open, readFile, rename, stat } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { Unavailable } from "./database.ts"
import { codeOf } from "./file.ts"

/** What it needs of a file system: each a point at which a process may be killed. */
export interface Files {
  read(path: string): Promise<Uint8Array>
  isFolder(path: string): Promise<boolean>
  /** With those above it, where they are not there. */
  makeFolder(path: string): Promise<void>
  /** A new file of mode 0600, its bytes on disk when it resolves. */
  create(path: string, bytes: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** A file, or the names in a folder: on disk when it resolves. */
  sync(path: string): Promise<void>
}

export interface Folder {
  /** Absolute. */
  readonly root: string
  /** The file at that path below the folder. Throws Unavailable, with the name, where it can't be read. */
  read(path: string): Promise<Uint8Array>
  /**
   * Durable when it resolves. The same again does nothing, also in another process at the same time; what a process left that
   * was killed begins with a dot. Throws Unavailable where it can't be written, or holds other bytes: nothing is replaced.
   */
  write(path: string, bytes: Uint8Array): Promise<void>
}

/** Throws Unavailable where it is not there: one that was not mounted is not made anew. */
export async function openFolder(path: string, files: Files = SYSTEM_FILES): Promise<Folder> {
  const root = resolve(path)
  const objection = `${root} is no folder that can be used: create it, then start again`
  if (!(await files.isFolder(root).catch(failed(objection)))) throw new Unavailable(objection)
  const below = (file: string) => {
    if (!PATH.test(file)) throw new Unavailable(`${file} is no name of a file in ${root}`)
    return join(root, file)
  }
  return {
    root,
    async read(file) {
      const place = below(file)
      return files.read(place).catch(failed(`${place} can't be read`))
    },
    async write(file, bytes) {
      const place = below(file)
      await writeOnce(files, root, place, bytes).catch(failed(`${place} can't be written`))
    },
  }
}

/** Segments that don't begin with a dot: a name out of a database leads nowhere else. */
const PATH = /^[\w%-][\w.%-]*(\/[\w%-][\w.%-]*)*$/

async function writeOnce(files: Files, root: string, place: string, bytes: Uint8Array): Promise<void> {
  const there = await files.read(place).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
  if (there && Buffer.compare(there, bytes) !== 0)
    throw new Unavailable(`${place} holds something else, and nothing is replaced`)
  if (!there) {
    const partial = join(dirname(place), `.${randomUUID()}.partial`)
    await files.makeFolder(dirname(place))
    await files.create(partial, bytes)
    await files.rename(partial, place)
  } else await files.sync(place)
  for (let folder = dirname(place); folder.length >= root.length; folder = dirname(folder))
    await files.sync(folder)
}

const failed =
  (what: string) =>
  (error: unknown): never => {
    if (error instanceof Unavailable) throw error
    throw new Unavailable(`${what} (${codeOf(error)})`)
  }

export const SYSTEM_FILES: Files = {
  read: (path) => readFile(path),
  isFolder: async (path) => (await stat(path)).isDirectory(),
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  async create(path, bytes) {
    const file = await open(path, "wx", 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  rename,
  async sync(path) {
    const file = await open(path, "r")
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  },
}
