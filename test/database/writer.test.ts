// The writer as a spool uses it: without statements of ours, on plain SQL.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { Duplicate, Unavailable, Unexpected } from "../../src/database/database.ts"
import { openFile } from "../../src/database/file.ts"
import { openWriter, type WriterStep } from "../../src/database/writer.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const insert = (n: number, text = "t"): WriterStep => ({
  sql: "INSERT INTO t (n, text) VALUES (?, ?)",
  values: [n, text],
  rows: 1,
})

function createTable(): string {
  const path = join(newFolder(), "spool.db")
  const file = openFile(path)
  file.exec("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT) STRICT")
  file.close()
  return path
}

const numbersIn = (path: string): unknown[] => {
  const file = openFile(path, { readonly: true })
  const found = file.prepare("SELECT n FROM t ORDER BY n").pluck().all()
  file.close()
  return found
}

describe("the writer", () => {
  test("commits of one tick and of many are all there when they resolve", async () => {
    const path = createTable()
    const writer = await openWriter({ path })
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => writer.commit([insert(round * 100 + n)])))
      expect(numbersIn(path)).toHaveLength(round * 100 + 100)
    }
    await writer.close()
  })

  test("commits take place in the order in which they were asked for", async () => {
    const path = createTable()
    const writer = await openWriter({ path })
    const next = "INSERT INTO t (n) SELECT coalesce(max(n), 0) + 1 FROM t HAVING coalesce(max(n), 0) = ?"
    await Promise.all(
      Array.from({ length: 300 }, (_, n) => writer.commit([{ sql: next, values: [n], rows: 1 }])),
    )
    expect(numbersIn(path)).toHaveLength(300)
    await writer.close()
  })

  test("a refused commit names its step, or the step's own name", async () => {
    const writer = await openWriter({ path: createTable() })
    await writer.commit([insert(1)])
    const taken = await writer.commit([insert(2), insert(1)]).catch((error: unknown) => error)
    expect(taken).toBeInstanceOf(Duplicate)
    expect(taken).toMatchObject({ statement: "step 1", step: 1 })
    const gone: WriterStep = { sql: "DELETE FROM t WHERE n = ?", values: [9], rows: 1, name: "forget" }
    const unmet = await writer.commit([gone]).catch((error: unknown) => error)
    expect(unmet).toBeInstanceOf(Unexpected)
    expect(unmet).toMatchObject({ statement: "forget", step: 0 })
    await writer.close()
  })

  test("a value of a type the column does not take is misuse, and the writer goes on", async () => {
    const writer = await openWriter({ path: createTable() })
    const wrong = { sql: "INSERT INTO t (n, text) VALUES (?, ?)", values: [1, Buffer.from("b")], rows: 1 }
    await expect(writer.commit([wrong])).rejects.toThrow()
    await expect(
      writer.commit([{ sql: "INSERT INTO t (n) VALUES (?)", values: [], rows: 1 }]),
    ).rejects.toThrow(TypeError)
    await writer.commit([insert(1)])
    await writer.close()
  })

  test("more than it can keep waiting is refused at once, and what waits is still written", async () => {
    const path = createTable()
    const writer = await openWriter({ path })
    const results = await Promise.allSettled(
      Array.from({ length: 20_050 }, (_, n) => writer.commit([insert(n)])),
    )
    const refused = results.flatMap((one) => (one.status === "rejected" ? [one.reason] : []))
    expect(refused).toHaveLength(50)
    for (const reason of refused) expect(reason).toBeInstanceOf(Unavailable)
    expect(numbersIn(path)).toHaveLength(20_000)
    await writer.close()
  })

  test("closing writes what was accepted in the same tick, and refuses what comes later", async () => {
    const path = createTable()
    const writer = await openWriter({ path })
    const last = writer.commit([insert(1)])
    const closed = writer.close()
    await expect(writer.commit([insert(2)])).rejects.toBeInstanceOf(Unavailable)
    await Promise.all([last, closed, writer.close()])
    expect(numbersIn(path)).toEqual([1])
  })

  test("a file that can't be opened is refused with the reason", async () => {
    const path = join(newFolder(), "missing", "spool.db")
    await expect(openWriter({ path })).rejects.toThrow(/is not a folder/)
    await expect(openWriter({ path })).rejects.toBeInstanceOf(Unavailable)
  })

  test("its log is copied over and does not grow without end", async () => {
    const path = createTable()
    const writer = await openWriter({ path })
    const text = "x".repeat(20_000)
    for (let round = 0; round < 40; round++)
      await Promise.all(Array.from({ length: 20 }, (_, n) => writer.commit([insert(round * 20 + n, text)])))
    const file = openFile(path)
    const [log] = file.pragma("wal_checkpoint(NOOP)") as [{ log: number }]
    expect(log.log).toBeLessThan(2500)
    file.close()
    await writer.close()
  })
})

describe("what was overwritten", () => {
  const COUNT = 3000
  const secret = (n: number) => `${"s".repeat(n % 90)}ecret-${n}.`
  const found = (path: string): number => {
    const bytes = [path, `${path}-wal`].map((file) => readFileSync(file).toString("latin1")).join()
    return Array.from({ length: COUNT }, (_, n) => n).filter((n) => bytes.includes(`ecret-${n}.`)).length
  }
  async function openUsed() {
    const path = createTable()
    const file = openFile(path)
    file.exec("CREATE UNIQUE INDEX by_text ON t (text)")
    file.close()
    const writer = await openWriter({ path, overwrites: true })
    const order = Array.from({ length: COUNT }, (_, n) => (n * 1009) % COUNT)
    await Promise.all(order.map((n) => writer.commit([insert(n, secret(n))])))
    const grow = { sql: "UPDATE t SET text = text || '-and-more'", values: [], rows: "any" } as const
    await writer.commit([grow])
    await writer.commit([{ sql: "UPDATE t SET text = NULL", values: [], rows: COUNT }])
    return { path, writer }
  }

  test("is nowhere in the files once they are scrubbed, however often rows were moved about", async () => {
    const { path, writer } = await openUsed()
    expect(found(path)).toBeGreaterThan(0)
    expect(await writer.scrub()).toBe(true)
    expect(found(path)).toBe(0)
    await writer.commit([insert(COUNT)])
    await writer.close()
    await expect(writer.scrub()).rejects.toThrow(Unavailable)
  })

  test("may still be there while somebody reads what was before: scrubbing says no, and yes the next time", async () => {
    const { path, writer } = await openUsed()
    const reader = openFile(path, { readonly: true })
    reader.exec("BEGIN")
    reader.prepare("SELECT count(*) FROM t").get()
    expect(await writer.scrub()).toBe(false)
    reader.close()
    expect(await writer.scrub()).toBe(true)
    expect(found(path)).toBe(0)
    await writer.close()
  })
})
