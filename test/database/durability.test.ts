// Acknowledged means on disk: counted in system calls, not believed. And a writer that dies is never mistaken for one that
// merely failed.
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openFile } from "../../src/database/file.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createFolders } from "../support/folder.ts"
import { ROOT } from "../support/source.ts"
import { HAS_STRACE, sayWithoutStrace, traceCalls } from "../support/starved.ts"

const newFolder = createFolders()
const COMMITS = 40

/** The most fsyncs that any one thread made. */
async function countSyncs(command: readonly string[]): Promise<number> {
  const calls = await traceCalls("fsync,fdatasync", command, join(newFolder(), "calls"))
  const perThread = new Map<string, number>()
  for (const call of calls.filter((one) => /f(data)?sync\(/.test(one))) {
    const thread = call.split(" ")[0] ?? ""
    perThread.set(thread, (perThread.get(thread) ?? 0) + 1)
  }
  return Math.max(0, ...perThread.values())
}

test("every commit that is answered alone is one fsync", { timeout: 60_000 }, async () => {
  const folder = newFolder()
  const path = join(folder, "a.db")
  await (await openSqlite({ path })).close()
  if (!HAS_STRACE) {
    sayWithoutStrace("one fsync for every commit; only the setting is read back")
    const file = openFile(path)
    expect(file.pragma("synchronous", { simple: true })).toBe(2)
    file.close()
    return
  }
  const task = { path, acknowledged: join(folder, "acks"), lanes: 1, stopAfter: COMMITS }
  const appender = join(ROOT, "test/support/appender.ts")
  expect(await countSyncs([process.execPath, appender, JSON.stringify(task)])).toBeGreaterThanOrEqual(COMMITS)
})

test("the count above would show a file that is not durable", { timeout: 60_000 }, async () => {
  if (!HAS_STRACE) return sayWithoutStrace("the count of fsyncs itself")
  const careless = `
    const db = new (require("better-sqlite3"))(${JSON.stringify(join(newFolder(), "b.db"))})
    db.pragma("journal_mode = WAL"); db.pragma("synchronous = NORMAL"); db.exec("CREATE TABLE t (a)")
    for (let n = 0; n < ${COMMITS}; n++) db.prepare("INSERT INTO t VALUES (1)").run()`
  expect(await countSyncs([process.execPath, "--input-type=commonjs", "-e", careless])).toBeLessThan(
    COMMITS / 2,
  )
})

test("a writer whose thread died refuses what waits and what comes, and says that it is broken", {
  timeout: 60_000,
}, () => {
  const path = join(newFolder(), "a.db")
  const killer = join(ROOT, "test/support/thread-killer.ts")
  const run = spawnSync(process.execPath, ["--max-old-space-size=24", killer, path], { encoding: "utf8" })
  expect(JSON.parse(run.stdout)).toEqual([
    "Unavailable",
    "Unavailable",
    "the writer's thread failed",
    "Unavailable",
  ])
  const file = openFile(path, { readonly: true })
  expect(file.prepare("SELECT key FROM setting").pluck().all()).toEqual(["before"])
  file.close()
})
