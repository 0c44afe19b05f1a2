// A file that can't keep the promise is refused, in words an operator can act on.
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { describe, expect, test } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { checkSettings, openFile, refuseNetwork } from "../../src/database/file.ts"
import { lockFile } from "../../src/database/lock.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()

describe("opening", () => {
  test("the settings that durability rests on hold on every kind of connection", () => {
    const path = join(newFolder(), "a.db")
    for (const options of [{}, { readonly: true }]) {
      const file = openFile(path, options)
      const settings = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
      expect(settings.map((name) => file.pragma(name, { simple: true }))).toEqual(["wal", 2, 1, 250])
      file.close()
    }
  })

  test("I13 a setting that was changed behind its back is noticed", () => {
    const path = join(newFolder(), "a.db")
    const file = openFile(path)
    file.pragma("synchronous = NORMAL")
    expect(() => checkSettings(file, path)).toThrow(/synchronous = 2/)
    file.close()
  })

  test("I13 a journal that another program chose is ours again, and while that one is at it the file is refused", () => {
    const path = join(newFolder(), "a.db")
    openFile(path).close()
    const other = new Sqlite(path)
    other.pragma("journal_mode = DELETE")
    const file = openFile(path)
    expect([
      file.pragma("journal_mode", { simple: true }),
      file.pragma("mmap_size", { simple: true }),
    ]).toEqual(["wal", 0])
    file.close()
    other.close()
    const third = new Sqlite(path)
    third.pragma("journal_mode = DELETE")
    third.exec("BEGIN EXCLUSIVE")
    expect(() => openFile(path)).toThrow(Unavailable)
    third.close()
  })

  test.each([
    ["NFS", 0x6969],
    ["CIFS", 0xff534d42],
    ["CIFS", 0xff534d42 | 0],
    ["Ceph", 0x00c36400],
  ])("I10 a folder on %s (%i) is refused: locks don't reach other machines", (name, type) => {
    expect(() => refuseNetwork("/data", type)).toThrow(new RegExp(`/data is on ${name}.*local disk`))
    expect(() => refuseNetwork("/data", 0xef53)).not.toThrow()
  })

  test("a new file is its owner's alone, and one that was open to others is closed to them", () => {
    const folder = newFolder()
    const existing = join(folder, "old.db")
    writeFileSync(existing, "", { mode: 0o644 })
    for (const path of [existing, join(folder, "new.db")]) {
      openFile(path).close()
      expect(statSync(path).mode & 0o777).toBe(0o600)
    }
  })

  test("a connection for reading can't write", () => {
    const path = join(newFolder(), "a.db")
    openFile(path).close()
    const file = openFile(path, { readonly: true })
    expect(() => file.exec("CREATE TABLE t (a)")).toThrow()
    file.close()
  })

  test("a file without a log beside it, as a backup is, is read as it is", () => {
    const path = join(newFolder(), "a.db")
    const made = openFile(path)
    made.exec("CREATE TABLE t (a)")
    made.pragma("journal_mode = DELETE")
    made.close()
    const file = openFile(path, { readonly: true })
    expect([file.pragma("journal_mode", { simple: true }), file.prepare("SELECT a FROM t").all()]).toEqual([
      "delete",
      [],
    ])
    file.close()
  })

  const refused: readonly [
    string,
    (folder: string) => string,
    RegExp,
    { create?: boolean; readonly?: boolean }?,
  ][] = [
    ["the folder is missing", (folder) => join(folder, "no", "a.db"), /is not a folder: create it/],
    ["the folder is a file", (folder) => join(made(folder, "file"), "a.db"), /is not a folder/],
    ["the path is a folder", (folder) => folder, /not a plain file/],
    ["the path is a symbolic link", linked, /not a plain file/],
    ["the file is no database", (folder) => made(folder, "a.db", "x".repeat(4096)), /\(SQLITE_NOTADB\)/],
    [
      "it is missing and must not be made",
      (folder) => join(folder, "a.db"),
      /does not exist/,
      { create: false },
    ],
    [
      "it is missing and is to be read",
      (folder) => join(folder, "a.db"),
      /does not exist/,
      { readonly: true },
    ],
  ]
  test.each(refused)("refused when %s", (_, pathIn, message, options = {}) => {
    const path = pathIn(newFolder())
    const opening = () => openFile(path, options)
    expect(opening).toThrow(Unavailable)
    expect(opening).toThrow(message)
  })
})

describe("the lock", () => {
  test("held once; released, it can be taken again", () => {
    const path = join(newFolder(), "a.db")
    const lock = lockFile(path)
    expect(() => lockFile(path)).toThrow(/in use by another process/)
    lock.release()
    lockFile(path).release()
  })

  test("a lock file that somebody left or spoilt is no lock, and is said to be spoilt", () => {
    const path = join(newFolder(), "a.db")
    writeFileSync(`${path}.lock`, "")
    lockFile(path).release()
    writeFileSync(`${path}.lock`, "spoilt".repeat(1000))
    expect(() => lockFile(path)).toThrow(/\.lock can't be used as a database \(SQLITE_NOTADB\)/)
  })

  test("two files in one folder are locked apart", () => {
    const folder = newFolder()
    const locks = ["a.db", "b.db"].map((name) => lockFile(join(folder, name)))
    for (const lock of locks) lock.release()
  })
})

function made(folder: string, name: string, text = ""): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, 0o600)
  return path
}

function linked(folder: string): string {
  const path = join(folder, "link.db")
  mkdirSync(join(folder, "elsewhere"))
  symlinkSync(join(folder, "elsewhere", "a.db"), path)
  return path
}
