// Catalogue I08 to I10 on an SQLite file: what a crash, a hurried copy or a bad disk makes of it. A log that lost its end
// leaves a whole beginning; a page that is not what it was is refused, and never read as something else.
import { randomBytes } from "node:crypto"
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { beforeAll, describe, expect, test } from "vitest"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { createNames } from "../../src/database/names.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createFolders } from "../support/folder.ts"

const ENTRIES = 200
const PAGE = 4096
const FRAME = PAGE + 24
const LOG_HEADER = 32
const newFolder = createFolders()
const everything = statement<{ seq: number; resource: string; bytes: Uint8Array }>(
  "everything",
  sql`SELECT entry.seq AS seq, entry.resource AS resource, entry_bytes.bytes AS bytes
    FROM entry LEFT JOIN entry_bytes ON entry_bytes.seq = entry.seq ORDER BY entry.seq`,
)

/** A file as a crash leaves it, with all its entries in the log; and the same after an orderly end. */
let crashed: string
let closed: string
let written: string[]

const textsOf = async (engine: Engine) =>
  (await engine.query(everything)).map(
    ({ seq, resource, bytes }) => `${seq} ${resource} ${Buffer.from(bytes ?? []).toString("hex")}`,
  )

beforeAll(async () => {
  const path = join(newFolder(), "a.db")
  const engine = await openSqlite({ path })
  const ledger = await createLedger({ engine, names: createNames(engine), clock: createFakeClock() })
  for (let n = 0; n < ENTRIES; n++)
    await ledger.append([{ kind: "use.allowed", at: ledger.at(), resource: `r${n}` }])
  written = await textsOf(engine)
  crashed = copyOf(path)
  await engine.close()
  closed = copyOf(path)
})

function copyOf(path: string): string {
  const copy = join(newFolder(), "a.db")
  for (const end of ["", "-wal", "-shm"]) if (existsSync(path + end)) copyFileSync(path + end, copy + end)
  return copy
}

/** What is found in the file, or that it is refused. */
async function foundIn(path: string): Promise<string[] | "refused"> {
  let engine: Engine | undefined
  try {
    engine = await openSqlite({ path })
    return await textsOf(engine)
  } catch (error) {
    expect(error).toBeInstanceOf(Unavailable)
    return "refused"
  } finally {
    await engine?.close()
  }
}

const log = () => readFileSync(`${crashed}-wal`)
const changeLog = (change: (bytes: Buffer) => Buffer) => {
  const path = copyOf(crashed)
  writeFileSync(`${path}-wal`, change(log()))
  return path
}

describe("I08 a log that lost something", () => {
  test("I08 the copy of a running file has everything, and so it has without its index or with a spoilt one", async () => {
    expect(written).toHaveLength(ENTRIES)
    expect(await foundIn(copyOf(crashed))).toEqual(written)
    const [without, spoilt] = [copyOf(crashed), copyOf(crashed)]
    rmSync(`${without}-shm`)
    writeFileSync(`${spoilt}-shm`, randomBytes(32_768))
    for (const path of [without, spoilt]) expect(await foundIn(path)).toEqual(written)
  })

  const ways: readonly [string, (bytes: Buffer, at: number) => Buffer][] = [
    ["cut off after a frame", (bytes, at) => bytes.subarray(0, LOG_HEADER + at * FRAME)],
    ["cut off within a frame", (bytes, at) => bytes.subarray(0, LOG_HEADER + at * FRAME + 1 + (at % FRAME))],
    [
      "with a wrong byte in a frame",
      (bytes, at) => {
        const spoilt = Buffer.from(bytes)
        const place = LOG_HEADER + at * FRAME + 24 + ((at * 131) % PAGE)
        spoilt[place] = (spoilt[place] ?? 0) ^ 0x40
        return spoilt
      },
    ],
  ]
  test.each(ways)(
    "I08 %s is read up to there: no entry without its bytes, none out of order",
    async (_, change) => {
      const frames = Math.floor((log().length - LOG_HEADER) / FRAME)
      const lengths = new Set<number>()
      for (let part = 0; part < 8; part++) {
        const at = Math.floor((frames * part) / 8)
        const found = await foundIn(changeLog((bytes) => change(bytes, at)))
        if (found === "refused") continue
        expect(found).toEqual(written.slice(0, found.length))
        lengths.add(found.length)
      }
      expect(lengths.size).toBeGreaterThan(2)
    },
  )

  test("I08 a file whose head is damaged is refused", async () => {
    for (const [from, to] of [
      [0, 16],
      [0, 100],
      [16, 24],
    ] as const) {
      const path = copyOf(closed)
      writeFileSync(path, readFileSync(path).fill(0xff, from, to))
      expect(await foundIn(path)).toBe("refused")
    }
    const short = copyOf(closed)
    truncateSync(short, PAGE * 3 + 100)
    expect(await foundIn(short)).toBe("refused")
  })
})

test("I09 a page that was overwritten is refused wherever it is met, and never read as something else", async () => {
  const bytes = readFileSync(closed)
  const pages = bytes.length / PAGE
  let refused = 0
  for (let part = 0; part < 24; part++) {
    const page = 1 + Math.floor(((pages - 1) * part) / 24)
    const path = copyOf(closed)
    writeFileSync(
      path,
      Buffer.concat([bytes.subarray(0, page * PAGE), randomBytes(PAGE), bytes.subarray((page + 1) * PAGE)]),
    )
    const found = await foundIn(path)
    if (found === "refused") refused++
    else expect(found, `page ${page}`).toEqual(written)
  }
  expect(refused).toBeGreaterThan(3)
})

test("I10 neither the same process nor a thread of it opens the file a second time", async () => {
  const path = join(newFolder(), "a.db")
  const engine = await openSqlite({ path })
  await expect(openSqlite({ path })).rejects.toBeInstanceOf(Unavailable)
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads")
     import(workerData.module).then(({ openSqlite }) => openSqlite({ path: workerData.path }))
       .then(() => parentPort.postMessage("opened"), (error) => parentPort.postMessage(error.constructor.name))`,
    {
      eval: true,
      workerData: { path, module: new URL("../../src/database/sqlite.ts", import.meta.url).href },
    },
  )
  expect(await new Promise((resolve) => worker.once("message", resolve))).toBe("Unavailable")
  await worker.terminate()
  await engine.close()
})
