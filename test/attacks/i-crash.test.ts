// Catalogue I, storage: what a killed process and a failing disk leave behind. Real processes, real faults: strace makes
// the n-th system call fail, or kills there. Counts are of the writer's thread.
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createFolders } from "../support/folder.ts"
import {
  checkWhatIsLeft,
  HAS_STRACE,
  type Injection,
  runAppender,
  sayWithoutStrace,
} from "../support/starved.ts"

const newFolder = createFolders()

/** A file whose schema is there already, so that counts begin with the writer's own calls. */
async function createFile() {
  const folder = newFolder()
  const file = { path: join(folder, "issuer.db"), acknowledged: join(folder, "acknowledged") }
  await (await openSqlite({ path: file.path })).close()
  return file
}

const kill = (call: string, when: number): Injection => ({ inject: `${call}:signal=KILL:when=${when}` })

describe("I01 killed at any instant", () => {
  test.concurrent.each([
    { lanes: 1, writes: [3, 47], syncs: [2, 15] },
    { lanes: 8, writes: [11, 90], syncs: [4, 23] },
    { lanes: 64, writes: [29, 160], syncs: [7, 12] },
  ])(
    "I01 with $lanes writers in flight nothing acknowledged is lost, nothing is torn, and the next start needs no hand",
    { timeout: 120_000 },
    async ({ lanes, writes, syncs }) => {
      const file = await createFile()
      for (const killAfter of HAS_STRACE ? [150] : [1, 2, 3, 10, 50, 150, 400]) {
        const { signal } = await runAppender({ ...file, lanes, killAfter })
        expect(signal).toBe("SIGKILL")
        expect(await checkWhatIsLeft(file)).toBeGreaterThanOrEqual(killAfter)
      }
      const injections = [
        ...writes.map((when) => kill("pwrite64", when)),
        ...syncs.map((when) => kill("fsync", when)),
      ]
      for (const injection of HAS_STRACE ? injections : []) {
        const { signal } = await runAppender({ ...file, lanes, stopAfter: 5000 }, { injection })
        expect([injection.inject, signal]).toEqual([injection.inject, "SIGKILL"])
        await checkWhatIsLeft(file)
      }
      if (!HAS_STRACE) sayWithoutStrace("SIGKILL at the n-th write and fsync")
    },
  )
})

describe("I03 fsync fails", () => {
  const once = "fsync:error=EIO:when=1"
  test.concurrent.each([
    { when: "once, at a commit", inject: "fsync:error=EIO:when=6" },
    { when: "for ever", inject: "fsync:error=EIO:when=6+" },
    { when: "once, while the log is copied over", inject: once, onlyMainFile: true, padding: 8000 },
  ])(
    "I03 $when: nothing is committed any more, and a restart recovers",
    { timeout: 120_000 },
    async (fault) => {
      if (!HAS_STRACE) return sayWithoutStrace(`EIO on fsync ${fault.when}`)
      const file = await createFile()
      const injection = { inject: fault.inject, ...(fault.onlyMainFile && { onlyPath: file.path }) }
      const task = { ...file, lanes: 8, stopAfter: 5000, padding: fault.padding ?? 0 }
      const { reports, code } = await runAppender(task, { injection })
      const tags = reports.map((report) => report.tag)
      expect(tags).toEqual(expect.arrayContaining(["open", "broken", "closed"]))
      expect(tags).not.toContain("healed")
      expect(JSON.stringify(reports)).toContain("can't be trusted after SQLITE_IOERR_FSYNC")
      expect(code).toBe(0)
      await checkWhatIsLeft(file)
    },
  )
})
