// An auditor's copy: what goes in was signed and continues what is held, and whatever contradicts it is found, with both sides.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { type AuditCopy, isAuditCopy, openAuditCopy, openToFollow } from "../../src/ledger/audit-copy.ts"
import { catchUp } from "../../src/ledger/follow.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { copySource } from "../../src/ledger/verify-copy.ts"
import type { FetchFile } from "../../src/ledger/verify-tiles.ts"
import { createFolders } from "../support/folder.ts"
import { history, ORIGIN, type Served, serve, signerOf } from "../support/served-log.ts"
import { slowRoot } from "../support/slow-tree.ts"

const newFolder = createFolders()
const signer = signerOf(ORIGIN)
let path: string
let copy: AuditCopy
beforeEach(() => {
  path = join(newFolder(), "audit.db")
  copy = openToFollow(path, ORIGIN)
  copy.trust(signer.vkey)
})
afterEach(() => copy.close())

const log = (entries: readonly Buffer[], changes: Partial<Served> = {}) =>
  serve({ entries, signers: [signer], ...changes })
const look = (fetch: FetchFile, now = 0, progress?: (done: number) => boolean) =>
  catchUp({ copy, fetch, now, ...(progress && { progress }) })
const verify = () => verifyLedger({ source: copySource(openAuditCopy(path)), key: signer.vkey })
const sizes = () => copy.checkpoints().map((note) => Number(note.split("\n")[1]))

describe("a log that only grows", () => {
  test("is copied entry for entry, across tiles, and the copy is verified without it", async () => {
    const entries = history(1300)
    for (const size of [0, 1, 255, 256, 600, 600, 1300])
      expect(await look(log(entries.slice(0, size)))).toMatchObject({ size })
    expect(copy.entries(0, 1300)).toEqual(entries)
    expect(copy.root(600)).toEqual(slowRoot(entries.slice(0, 600).map(leafHash)))
    expect(await verify()).toMatchObject({ verdict: "verified", origin: ORIGIN, signed: 1300, unsigned: 0 })
    expect(isAuditCopy(path)).toBe(true)
  })

  test("is gone on with where it was, after a look that ended in the middle", async () => {
    const entries = history(900)
    let tiles = 0
    expect(await look(log(entries), 0, () => ++tiles < 2)).toBeUndefined()
    expect([copy.state().taken.size, copy.state().signed.size]).toEqual([512, 0])
    copy.close()
    copy = openToFollow(path, ORIGIN)
    const asked: string[] = []
    const counting: FetchFile = (path) => {
      asked.push(path)
      return log(entries)(path)
    }
    expect(await look(counting)).toEqual({ size: 900, fresh: 900 })
    expect(asked).toEqual(["checkpoint", "tile/entries/002", "tile/entries/003.p/132"])
    expect(await verify()).toMatchObject({ verdict: "verified", signed: 900 })
  })

  test("of whose checkpoints the last of each hour stays, and those of two keys", async () => {
    const entries = history(6)
    const next = signerOf(ORIGIN)
    await look(log(entries.slice(0, 1)), 10)
    await look(log(entries.slice(0, 2)), 20)
    await look(log(entries.slice(0, 3), { signers: [signer, next] }), 30)
    await look(log(entries.slice(0, 4), { signers: [next] }), 40)
    await look(log(entries.slice(0, 5), { signers: [next] }), 50)
    await look(log(entries, { signers: [next] }), 3_600_001)
    expect(sizes()).toEqual([3, 5, 6])
    expect(await verify()).toMatchObject({ verdict: "verified", signed: 6 })
  })
})

describe("who signs", () => {
  test("H19: is handed over by a checkpoint of both, and by nothing else", async () => {
    const [entries, next] = [history(3), signerOf(ORIGIN)]
    await look(log(entries.slice(0, 1)))
    const alone = log(entries, { signers: [next], named: [next, signer] })
    expect(await look(alone)).toMatchObject({ how: "checkpoint_unsigned" })
    const both = { signers: [signer, next], named: [next, signerOf(ORIGIN), signer] }
    await look(log(entries.slice(0, 2), both))
    expect(copy.keys()).toEqual([next.vkey, signer.vkey])
    expect(await look(alone)).toEqual({ size: 3, fresh: 1 })
  })

  test.each([
    ["another log's", (note: string) => note.replace(ORIGIN, "other.example"), "checkpoint_origin"],
    ["a changed", (note: string) => note.replace(/\n\d+\n/, "\n9\n"), "checkpoint_signature"],
    ["a malformed", (note: string) => `${note}x`, "checkpoint_format"],
  ])("H08: of %s checkpoint nothing is taken in", async (_what, change, how) => {
    const bend = (path: string, bytes: Buffer) =>
      path === "checkpoint" ? Buffer.from(change(bytes.toString())) : bytes
    expect(await look(log(history(3), { bend }))).toMatchObject({ how, ours: undefined })
    expect(copy.state().taken.size).toBe(0)
  })
})

describe("a contradiction", () => {
  const held = history(700)
  beforeEach(async () => {
    await look(log(held))
  })
  const another = (from: number, size: number) => [...held.slice(0, from), ...history(size - from, "b")]

  test.each([
    ["H06: a part of it is gone", held.slice(0, 600), "rollback"],
    ["H06: all of it is gone", [], "rollback"],
    ["H07: a shorter history is another one", another(300, 600), "fork"],
    ["H07: one of the same length", another(699, 700), "fork"],
    ["H04: a longer one, in the same tile", another(600, 720), "fork"],
    ["H04: a longer one, from the first entry on", another(0, 1500), "fork"],
  ])("%s", async (_what, entries, how) => {
    const ours = copy.checkpoints().at(-1)
    const theirs = (await log(entries)("checkpoint")).toString()
    expect(await look(log(entries))).toMatchObject({ how, ours, theirs })
    expect([copy.state().taken.size, copy.state().signed.size, sizes()]).toEqual([700, 700, [700]])
    expect(await look(log([...held, ...history(2, "c")]))).toEqual({ size: 702, fresh: 2 })
    expect(await verify()).toMatchObject({ verdict: "verified", signed: 702 })
  })

  test("H17: entries that are not the ones that were signed, whole or as they are", async () => {
    const more = [...held, ...history(100, "c")]
    const bent = (change: (bytes: Buffer) => Buffer) =>
      log(more, { bend: (path, bytes) => (path.includes("entries") ? change(bytes) : bytes) })
    const flip = (bytes: Buffer) => {
      const copy = Buffer.from(bytes)
      copy.write("3", copy.lastIndexOf("2026"))
      return copy
    }
    expect(await look(bent(flip))).toMatchObject({ how: "entries_differ" })
    expect(await look(bent((bytes) => bytes.subarray(0, -1)))).toMatchObject({ how: "entries_malformed" })
    const without = log(more, {
      bend(path, bytes) {
        if (path.startsWith("tile/0") || path.startsWith("tile/1")) throw new Error("not to be had")
        return path.includes("entries") ? flip(bytes) : bytes
      },
    })
    expect(await look(without)).toMatchObject({ how: "root_differs" })
    expect(copy.state().taken.size).toBe(700)
  })

  test("is not made of what an unfinished look had taken in: it is taken in again", async () => {
    const more = [...held, ...history(600, "c")]
    await look(log([...held, ...history(600, "d")]), 0, () => false)
    expect(copy.state().taken.size).toBeGreaterThan(700)
    expect(await look(log(more))).toEqual({ size: 1300, fresh: 600 })
  })
})

describe("the file", () => {
  test("is followed by one process, of one log, and never made of another program's", () => {
    expect(() => openToFollow(path, ORIGIN)).toThrow(Unavailable)
    copy.close()
    expect(() => openToFollow(path, "other.example")).toThrow("is a copy of ledger.example")
    const theirs = join(newFolder(), "theirs.db")
    new Sqlite(theirs).exec("CREATE TABLE notes (x)").close()
    expect(() => openToFollow(theirs, ORIGIN)).toThrow("not an auditor's copy")
    expect(isAuditCopy(theirs)).toBe(false)
    copy = openToFollow(path, ORIGIN)
  })

  test("H01, H02: that was changed by hand is broken, and the entry is named", async () => {
    await look(log(history(600)))
    const change = async (sql: string) => {
      const file = new Sqlite(path)
      file.exec(sql)
      file.close()
      return verify()
    }
    const swap = "UPDATE copy_entry SET bytes = (SELECT bytes FROM copy_entry WHERE seq = 5) WHERE seq = 400"
    expect(await change(swap)).toMatchObject({ verdict: "broken", how: "root_differs" })
    expect(await change("DELETE FROM copy_entry WHERE seq = 300")).toMatchObject({
      verdict: "broken",
      seq: 300,
      how: "entry_missing",
    })
  })
})
