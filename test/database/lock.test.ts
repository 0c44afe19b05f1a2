// Who may have a file: one alone, or those that share it; never both, and the last of them knows that it is. Each test has
// a file of its own, so that nobody waits for the one that waits ten seconds.
import { join } from "node:path"
import { expect, test } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { lockFile, shareFile, tryLockFile } from "../../src/database/lock.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const newPath = () => join(newFolder(), "a.db")
const nothing = () => undefined

test.concurrent("a file that is shared can't be had alone, and what to do about it is said", async () => {
  const path = newPath()
  const shares = [await shareFile(path, nothing, ""), await shareFile(path, nothing, "")]
  expect(() => lockFile(path, ": do this")).toThrow(/a\.db is in use by another process: do this$/)
  shares[0]?.release()
  expect(tryLockFile(path)).toBeUndefined()
  shares[1]?.release()
  lockFile(path).release()
})

test.concurrent("a file that is had alone is shared once it is let go of", async () => {
  const path = newPath()
  const alone = lockFile(path)
  const sharing = shareFile(path, nothing, "")
  expect(await Promise.race([sharing, new Promise((resolve) => setTimeout(resolve, 200, "waits"))])).toBe(
    "waits",
  )
  alone.release()
  ;(await sharing).release()
})

test.concurrent("a file that stays another's is refused in the end", async () => {
  const path = newPath()
  const alone = lockFile(path)
  const refused = shareFile(path, nothing, ": do this")
  await expect(refused).rejects.toThrow(Unavailable)
  await expect(refused).rejects.toThrow(/in use by another process: do this$/)
  alone.release()
}, 30_000)

test.concurrent("what is to be done first is done by the first, while nobody else has the file", async () => {
  const path = newPath()
  const done: string[] = []
  const first = await shareFile(path, () => done.push(String(tryLockFile(path))), "")
  const second = await shareFile(path, () => done.push("again"), "")
  expect(done).toEqual(["undefined"])
  first.release()
  second.release()
  const next = await shareFile(path, () => done.push("next"), "")
  expect(done).toEqual(["undefined", "next"])
  next.release()
})

test.concurrent("of many that come at once one does what is to be done first; of many that leave at once one is the last", async () => {
  const path = newPath()
  for (let round = 0; round < 5; round++) {
    let done = 0
    const shares = await Promise.all(Array.from({ length: 8 }, () => shareFile(path, () => done++, "")))
    expect(done).toBe(1)
    const last = await Promise.all(shares.map((share) => share.isLast()))
    expect(last.filter(Boolean)).toHaveLength(1)
    for (const share of shares) share.release()
  }
})

test.concurrent("one that asks whether it is alone waits for another that asks", async () => {
  const path = newPath()
  const share = await shareFile(path, nothing, "")
  const gate = tryLockFile(`${path}.gate`)
  const other = shareFile(path, nothing, "")
  const asking = [other, share.isLast().then(() => share.release())] // in either order, whoever comes first
  const late = new Promise((resolve) => setTimeout(resolve, 200, "waits"))
  expect(await Promise.race([...asking, late])).toBe("waits")
  gate?.release()
  await Promise.all(asking)
  ;(await other).release()
})

test.concurrent("a fault of what is to be done first leaves nothing locked", async () => {
  const path = newPath()
  const fault = () => {
    throw new Error("no spool")
  }
  await expect(shareFile(path, fault, "")).rejects.toThrow("no spool")
  lockFile(path).release()
})

test.concurrent("the last to let go knows it, and keeps others out until the release", async () => {
  const path = newPath()
  const [one, other] = [await shareFile(path, nothing, ""), await shareFile(path, nothing, "")]
  expect(await one.isLast()).toBe(false)
  one.release()
  expect(await other.isLast()).toBe(true)
  expect(tryLockFile(path)).toBeUndefined()
  other.release()
  lockFile(path).release()
})
