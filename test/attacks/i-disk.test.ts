// Catalogue I, storage: disks that are full, read-only or somebody else's. The engine refuses what it can't keep, says why,
// and goes on by itself when the disk is well again.
import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { sql } from "drizzle-orm"
import { describe, expect, onTestFinished, test } from "vitest"
import { statement, Unavailable } from "../../src/database/database.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createFolders } from "../support/folder.ts"
import { checkWhatIsLeft, HAS_STRACE, runAppender, sayWithoutStrace } from "../support/starved.ts"

const newFolder = createFolders()
const put = statement(
  "put",
  sql`INSERT INTO setting (key, value) VALUES (${sql.placeholder("key")}, ${sql.placeholder("value")})`,
)
const putting = (key: string, value = "v") => [{ statement: put, values: { key, value }, rows: 1 }]

/** A file system of its own, gone when the test is over; undefined where this user may not mount. */
function mountSmall(options: string): string | undefined {
  const folder = newFolder()
  if (spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]).status !== 0) return undefined
  onTestFinished(() => void spawnSync("umount", ["-l", folder]))
  return folder
}

describe("I04 no space", () => {
  test("I04 a full disk refuses new records, keeps the old ones, and heals without a restart", {
    timeout: 120_000,
  }, async () => {
    const small = mountSmall("size=3m,mode=0700")
    const folder = small ?? newFolder()
    const task = {
      path: join(folder, "a.db"),
      acknowledged: join(newFolder(), "acks"),
      lanes: 8,
      padding: 4000,
    }
    const ballast = join(folder, "ballast")
    if (small) writeFileSync(ballast, Buffer.alloc(1_500_000))
    const { reports } = await runAppender(task, {
      ...(!small && { fileSizeLimit: 1_000_000 }),
      onReport: (report, child) => {
        if (report.tag === "failed" && small) rmSync(ballast, { force: true })
        if (report.tag === "failed" && !small) child.liftLimit()
        if (report.tag === "healed") child.kill()
      },
    })
    expect(reports.slice(0, 3).map((report) => report.tag)).toEqual(["open", "failed", "healed"])
    expect(reports[1]).toMatchObject({
      message: expect.stringMatching(/can't commit at the moment \(SQLITE_(FULL|IOERR_WRITE)\)/),
    })
    // Until its end came it went on writing, and may have filled the disk again; looking needs a little room, too.
    if (small) spawnSync("mount", ["-o", "remount,size=16m", small])
    expect(await checkWhatIsLeft(task)).toBeGreaterThan(50)
  })
})

describe("I05 a disk that can't be written", () => {
  const places: readonly [string, () => string | undefined, RegExp][] = [
    [
      "the folder is missing",
      () => join(newFolder(), "no", "a.db"),
      /is not a folder: create it, then start again/,
    ],
    ["the path is a folder", () => newFolder(), /not a plain file/],
    ["the file is no database", garbage, /SQLITE_NOTADB/],
    ["the file system is read-only", readOnly, /can't be written by this user/],
  ]
  test.each(places)("I05 refuses to start when %s, and says so", async (name, place, message) => {
    const path = place()
    if (path === undefined) return console.warn(`NOT TESTED HERE: ${name} (this user may not mount)`)
    const error = await openSqlite({ path }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Unavailable)
    expect(String(error)).toMatch(message)
  })

  test("I05 a disk that turns read-only while running refuses, and heals", { timeout: 120_000 }, async () => {
    if (!HAS_STRACE) return sayWithoutStrace("EROFS on writes")
    const folder = newFolder()
    const task = { path: join(folder, "a.db"), acknowledged: join(folder, "acks"), lanes: 4, stopAfter: 200 }
    await (await openSqlite({ path: task.path })).close()
    const injection = { inject: "pwrite64:error=EROFS:when=40..60" }
    const { reports, code } = await runAppender(task, { injection })
    expect(reports.map((report) => report.tag)).toEqual(
      expect.arrayContaining(["open", "failed", "healed", "closed"]),
    )
    expect(JSON.stringify(reports)).not.toContain("broken")
    expect(code).toBe(0)
    expect(await checkWhatIsLeft(task)).toBeGreaterThanOrEqual(200)
  })
})

describe("I07 others on the file", () => {
  test("I07 a second process refuses to start, and may when the first has ended", {
    timeout: 60_000,
  }, async () => {
    const folder = newFolder()
    const task = { path: join(folder, "a.db"), acknowledged: join(folder, "acks"), lanes: 1, stopAfter: 1 }
    const engine = await openSqlite({ path: task.path })
    const second = await runAppender(task)
    expect(second.reports).toEqual([{ tag: "refused", message: `${task.path} is in use by another process` }])
    await expect(openSqlite({ path: task.path })).rejects.toThrow(/in use/)
    await engine.atomically(putting("still writing"))
    await engine.close()
    const third = await runAppender(task)
    expect(third.reports.map((report) => report.tag)).toEqual(["open", "closed"])
  })

  test("I07 a foreign writer makes it answer unavailable soon, not wait until that one is done", async () => {
    const path = join(newFolder(), "a.db")
    const engine = await openSqlite({ path })
    const foreign = new Sqlite(path)
    foreign.exec("BEGIN IMMEDIATE")
    const started = performance.now()
    const results = await Promise.allSettled([
      engine.atomically(putting("a")),
      engine.atomically(putting("b")),
    ])
    expect(performance.now() - started).toBeLessThan(5000)
    for (const one of results)
      expect(one).toMatchObject({
        status: "rejected",
        reason: expect.objectContaining({ message: expect.stringContaining("SQLITE_BUSY") }),
      })
    foreign.exec("ROLLBACK")
    await engine.atomically(putting("a"))
    foreign.close()
    await engine.close()
  })

  test("I07 a long reader stops no writer, and the log is copied over once it is gone", async () => {
    const path = join(newFolder(), "a.db")
    const engine = await openSqlite({ path })
    const reader = new Sqlite(path, { readonly: true })
    reader.exec("BEGIN")
    reader.prepare("SELECT count(*) FROM setting").get()
    const write = (round: number) =>
      Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          engine.atomically(putting(`${round}-${n}`, "x".repeat(20_000))),
        ),
      )
    for (let round = 0; round < 8; round++) await write(round)
    expect(logOf(reader)).toBeGreaterThan(3000)
    expect(reader.prepare("SELECT count(*) FROM setting").pluck().get()).toBe(0)
    reader.exec("COMMIT")
    for (let round = 8; round < 12; round++) await write(round)
    expect(logOf(reader)).toBeLessThan(2500)
    expect(reader.prepare("SELECT count(*) FROM setting").pluck().get()).toBe(1200)
    reader.close()
    await engine.close()
  })
})

function logOf(database: Sqlite.Database): number {
  const writable = new Sqlite(database.name)
  const [found] = writable.pragma("wal_checkpoint(NOOP)") as [{ log: number }]
  writable.close()
  return found.log
}

function garbage(): string {
  const path = join(newFolder(), "a.db")
  writeFileSync(path, "not a database, ".repeat(512))
  return path
}

function readOnly(): string | undefined {
  const folder = newFolder()
  mkdirSync(join(folder, "inner"))
  if (process.getuid?.() !== 0) {
    chmodSync(join(folder, "inner"), 0o500)
    return join(folder, "inner", "a.db")
  }
  const mounted = mountSmall("size=1m,mode=0700,ro")
  return mounted === undefined ? undefined : join(mounted, "a.db")
}
