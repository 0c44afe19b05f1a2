import { execFileSync } from "node:child_process"
import { hash } from "node:crypto"
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, test } from "vitest"
import { digestOfFiles, readFolder } from "../../src/policy/folder.ts"
import { createPolicyFolder, type PolicyFolder, type Texts } from "../support/policies.ts"

const folders: PolicyFolder[] = []
const folderWith = (texts: Texts = {}) => {
  const folder = createPolicyFolder(texts)
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove()
})

const read = async (folder: PolicyFolder, keys: readonly string[] = [], dev = false) => {
  const { texts, unreadable } = await readFolder(folder.path, keys, { dev })
  return { read: Object.fromEntries(texts), unreadable: Object.fromEntries(unreadable) }
}

test("the digest is over the sorted lines of path, NUL, hash, LF of every file", () => {
  const lines = ["../keys/k.json", "b.yaml"].map((path) => `${path}\0${hash("sha256", `text of ${path}`)}\n`)
  const texts = new Map(["b.yaml", "../keys/k.json"].map((path) => [path, `text of ${path}`]))
  expect(digestOfFiles(texts)).toBe(`sha-256:${hash("sha256", lines.join(""), "base64url")}`)
})

describe("what is read", () => {
  test("*.yaml directly in the folder; hidden names, other names and subfolders are not", async () => {
    const folder = folderWith({ "a.yaml": "a", ".b.yaml": "b", "c.json": "c", "sub/d.yaml": "d" })
    expect(await read(folder)).toEqual({ read: { "a.yaml": "a" }, unreadable: {} })
  })

  test("key files that are named, in the folder and beside it", async () => {
    const folder = folderWith({ "a.yaml": "a", "keys/k.json": "k", "../keys/l.json": "l" })
    const keys = ["keys/k.json", "../keys/l.json"]
    expect((await read(folder, keys)).read).toEqual({
      "a.yaml": "a",
      "keys/k.json": "k",
      "../keys/l.json": "l",
    })
  })

  test("a byte order mark is kept, so that the digest is over the bytes", async () => {
    expect((await read(folderWith({ "a.yaml": "\uFEFFa" }))).read).toEqual({ "a.yaml": "\uFEFFa" })
  })

  test("a ConfigMap mount, before and after its swap", async () => {
    const folder = folderWith()
    const generation = (name: string, text: string) => {
      mkdirSync(join(folder.path, name))
      writeFileSync(join(folder.path, name, "a.yaml"), text, { mode: 0o644 })
    }
    generation("..2026_01_01", "first")
    symlinkSync("..2026_01_01", join(folder.path, "..data"))
    symlinkSync("..data/a.yaml", join(folder.path, "a.yaml"))
    expect(await read(folder)).toEqual({ read: { "a.yaml": "first" }, unreadable: {} })
    generation("..2026_01_02", "second")
    symlinkSync("..2026_01_02", join(folder.path, "..data_tmp"))
    renameSync(join(folder.path, "..data_tmp"), join(folder.path, "..data"))
    expect(await read(folder)).toEqual({ read: { "a.yaml": "second" }, unreadable: {} })
  })

  test("through a folder that is itself a link", async () => {
    const folder = folderWith({ "a.yaml": "a" })
    symlinkSync(folder.path, join(folder.path, "../link"))
    const { texts } = await readFolder(join(folder.path, "../link"), [], {})
    expect(texts.get("a.yaml")).toBe("a")
  })
})

describe("what is not read", () => {
  test.each([
    ["the group may write it", 0o664, "expected a file that its group may not write (chmod g-w)"],
    ["everybody may write it", 0o646, "expected a file that not everybody may write (chmod o-w)"],
  ])("a file, or a key file, when %s", async (_, mode, fault) => {
    const folder = folderWith()
    folder.write("a.yaml", "a", mode)
    folder.write("keys/k.json", "k", mode)
    expect((await read(folder, ["keys/k.json"])).unreadable).toEqual({
      "a.yaml": fault,
      "keys/k.json": fault,
    })
  })

  test("with dev the group may write, everybody may not", async () => {
    const folder = folderWith()
    folder.write("a.yaml", "a", 0o664)
    folder.write("b.yaml", "b", 0o666)
    expect(await read(folder, [], true)).toEqual({
      read: { "a.yaml": "a" },
      unreadable: { "b.yaml": "expected a file that not everybody may write (chmod o-w)" },
    })
  })

  test("a link that leads outside, of a policy file, of a key file, of a folder of keys", async () => {
    const folder = folderWith({ "a.yaml": "a", "../outside/x.yaml": "x", "../outside/k.json": "k" })
    symlinkSync("../outside/x.yaml", join(folder.path, "x.yaml"))
    symlinkSync("../outside/k.json", join(folder.path, "k.json"))
    symlinkSync("../outside", join(folder.path, "keys"))
    symlinkSync("/etc", join(folder.path, "../keys"))
    const fault = "expected a file inside the folder, found a link that leads outside"
    const keys = ["k.json", "keys/k.json", "../keys/hosts"]
    expect((await read(folder, keys)).unreadable).toEqual(
      Object.fromEntries(["x.yaml", ...keys].map((path) => [path, fault])),
    )
  })

  test("a link into a folder beside it whose name goes on from its own", async () => {
    const folder = folderWith({ "a.yaml": "a", "../policies-of-others/x.yaml": "x" })
    symlinkSync("../policies-of-others/x.yaml", join(folder.path, "x.yaml"))
    expect((await read(folder)).unreadable).toEqual({
      "x.yaml": "expected a file inside the folder, found a link that leads outside",
    })
  })

  test("what is no regular file, without waiting for it", async () => {
    const folder = folderWith({ "a.yaml": "a" })
    mkdirSync(join(folder.path, "b.yaml"))
    execFileSync("mkfifo", ["-m", "600", join(folder.path, "c.yaml")])
    expect((await read(folder)).unreadable).toEqual({
      "b.yaml": "expected a regular file",
      "c.yaml": "expected a regular file",
    })
  })

  test("what is not UTF-8, is too large, dangles or has a name that a rule can't carry", async () => {
    const folder = folderWith({ "a b.yaml": "a", "c.yml": "c", "k.json": " ".repeat(65_537) })
    writeFileSync(join(folder.path, "b.yaml"), Buffer.from([0x61, 0xff]), { mode: 0o644 })
    symlinkSync("nowhere", join(folder.path, "d.yaml"))
    expect((await read(folder, ["k.json"])).unreadable).toEqual({
      "a b.yaml": "expected a file name of A-Z, a-z, 0-9, ., _ and -, at most 105 characters",
      "b.yaml": "expected UTF-8",
      "c.yml": "expected a name that ends in .yaml",
      "d.yaml": "expected a file that can be read, found none",
      "k.json": "expected at most 65536 bytes",
    })
  })

  test("no folder, and a folder without policy files", async () => {
    const folder = folderWith({ "a.yaml": "a" })
    unlinkSync(join(folder.path, "a.yaml"))
    expect((await read(folder)).unreadable).toEqual({ ".": "expected at least one *.yaml file, found none" })
    mkdirSync(join(folder.path, "policies"))
    expect((await read(folder)).unreadable).toEqual({
      ".": `expected at least one *.yaml file, found none (did you mean ${join(folder.path, "policies")}?)`,
    })
    folder.remove()
    expect((await read(folder)).unreadable).toEqual({
      ".": `expected ${folder.path} to be a folder of policy files, found none`,
    })
  })
})
