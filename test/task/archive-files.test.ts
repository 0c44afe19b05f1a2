// Entries that leave the database for files: killed at any point nothing is lost and the next run goes on; a file that is gone
// or is another is told with its name; and nothing is ever replaced.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { type Files, type Folder, openFolder, SYSTEM_FILES } from "../../src/database/folder.ts"
import { unbundle } from "../../src/ledger/bundle.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { readTile, readTilePath } from "../../src/ledger/tiles.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { createArchives } from "../../src/task/archive.ts"
import { mustBe } from "../support/approvals.ts"
import { pad } from "../support/archive.ts"
import { onPostgres } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import { createWorld, type World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
let archive: Folder
/** Killed once, at the next call of that. */
let fatal: { readonly point: keyof Files; readonly isDone: boolean } | undefined

const KILLED = Object.assign(new Error("killed"), { code: "EIO" })
function dying<A extends unknown[], R>(point: keyof Files, work: (...args: A) => Promise<R>) {
  return async (...args: A): Promise<R> => {
    if (fatal?.point !== point) return work(...args)
    const { isDone } = fatal
    fatal = undefined
    if (isDone) await work(...args)
    throw KILLED
  }
}
const FILES: Files = {
  read: dying("read", SYSTEM_FILES.read),
  isFolder: SYSTEM_FILES.isFolder,
  makeFolder: dying("makeFolder", SYSTEM_FILES.makeFolder),
  create: dying("create", SYSTEM_FILES.create),
  rename: dying("rename", SYSTEM_FILES.rename),
  sync: dying("sync", SYSTEM_FILES.sync),
}

beforeAll(async () => {
  archive = await openFolder(newFolder(), FILES)
  world = await createWorld({ archive })
})
afterAll(async () => {
  await world.leave()
})

const verify = async (engine: Pick<Engine, "query"> = world.engine) =>
  verifyLedger({ source: await databaseSource(engine) })
const ask = (toFiles = true) => ({ by: "operations-team", before: world.ledger.at(), toFiles })
const next = async (toFiles = true) => mustBe(await createArchives(world).next(ask(toFiles)))
const bundles = statement<{ first: number; packed: Uint8Array; leaves: Uint8Array; file: string | null }>(
  "test.bundles",
  sql`SELECT first, packed, leaves, file FROM ledger_bundle ORDER BY first`,
)
const newestBundle = async () => (await world.engine.query(bundles)).at(-1)
const onDisk = (file: string) => readFileSync(join(archive.root, file))

/** A tile more. */
async function fill(): Promise<void> {
  await pad(world, 256)
  world.clock.advance(1)
}

/** Of files they are the same whatever the engine. */
const POINTS = onPostgres
  ? ["rename", "transaction"]
  : ["read", "makeFolder", "create", "rename", "sync", "transaction"]
const points = POINTS.flatMap((point) => [false, true].map((isDone): [string, boolean] => [point, isDone]))

/** Of an archiving that is killed there. */
async function kill(point: string, isDone: boolean): Promise<void> {
  const engine: Engine = {
    ...world.engine,
    async atomically(steps) {
      if (point === "transaction" && !isDone) throw new Unavailable("killed")
      await world.engine.atomically(steps)
      if (point === "transaction") throw new Unavailable("killed")
    },
  }
  if (point !== "transaction") fatal = { point: point as keyof Files, isDone }
  await expect(createArchives({ ...world, engine }).next(ask())).rejects.toThrow(Unavailable)
  fatal = undefined
}

test.each(points)(
  "I01: killed at %s (done: %s), rows or a file have what goes, and the next goes on",
  async (point, isDone) => {
    await fill()
    const before = (await newestBundle())?.first
    await kill(point, isDone)
    expect((await newestBundle())?.first !== before).toBe(point === "transaction" && isDone)
    expect(await verify()).toMatchObject({ verdict: "verified" })
    for (let more = true; more; ) more = (await next()).end === undefined
    await world.sequence.advance()
    const row = await newestBundle()
    expect(row?.first).not.toBe(before)
    expect(row?.packed).toHaveLength(0)
    const entries = unbundle(onDisk(row?.file ?? ""), 256) ?? []
    expect(Buffer.concat(entries.map(leafHash)).equals(row?.leaves ?? Buffer.alloc(0))).toBe(true)
    expect(await verify()).toMatchObject({ verdict: "verified" })
  },
)

test.each(points)(
  "I01: so is what was packed in the database before, killed at %s (done: %s)",
  async (point, isDone) => {
    await fill()
    for (let more = true; more; ) more = (await next(false)).end === undefined
    await kill(point, isDone)
    expect((await newestBundle())?.file === null).toBe(point !== "transaction" || !isDone)
    for (let more = true; more; ) more = (await next()).end === undefined
    const row = await newestBundle()
    expect([row?.packed.length, unbundle(onDisk(row?.file ?? ""), 256)?.length]).toEqual([0, 256])
  },
)

test("files have the paths and the form of the log's tiles, and what goes by a dot is all that a kill leaves", async () => {
  await world.sequence.advance()
  const { size = 0 } = (await world.sequence.newest()) ?? {}
  const rows = await world.engine.query(bundles)
  expect(rows).toHaveLength(4 * POINTS.length)
  for (const [n, { file }] of rows.entries()) {
    expect(file).toBe(`tile/entries/${String(n).padStart(3, "0")}`)
    const path = readTilePath(`entries/${String(n).padStart(3, "0")}`)
    if (!path) throw new Error("no path")
    expect(onDisk(file ?? "").equals((await readTile(world.engine, size, path)) ?? Buffer.alloc(0))).toBe(
      true,
    )
  }
  const names = readdirSync(join(archive.root, "tile/entries"))
  expect(
    names.filter((name) => !/^\d{3}$/.test(name)).every((name) => /^\.[0-9a-f-]{36}\.partial$/.test(name)),
  ).toBe(true)
  expect(await verify()).toMatchObject({ verdict: "verified" })
  const { entries } = await world.ledger.read({ kind: "ledger.archived", limit: 1000 })
  expect(entries.filter(({ body }) => body?.files === true).length).toBeGreaterThan(POINTS.length)
})

const FILE = "tile/entries/002"
/** As long as that lasts. */
async function meanwhile(change: () => void, work: () => Promise<void>): Promise<void> {
  const kept = onDisk(FILE)
  try {
    change()
    await work()
  } finally {
    writeFileSync(join(archive.root, FILE), kept)
  }
}
const readOld = () => world.ledger.read({ limit: 1000 })

test("a file that is gone is told by its name, and nothing is answered without it", async () => {
  await meanwhile(
    () => rmSync(join(archive.root, FILE)),
    async () => {
      for (const asked of [verify, readOld])
        await expect(asked()).rejects.toMatchObject({
          name: "Unavailable",
          message: expect.stringContaining(FILE),
        })
    },
  )
})

test.each([
  ["one byte of it is another", (bytes: Buffer) => bytes.fill(bytes.readUInt8(700) ^ 1, 700, 701)],
  ["it was cut", (bytes: Buffer) => bytes.subarray(0, 900)],
  ["it is empty", () => Buffer.alloc(0)],
  ["it is another tile's", () => onDisk("tile/entries/003")],
])("H01: a file is broken, and named: %s", async (_how, change) => {
  await meanwhile(
    () => writeFileSync(join(archive.root, FILE), change(onDisk(FILE))),
    async () => {
      expect(await verify()).toMatchObject({ verdict: "broken", seq: 513, how: `file_differs: ${FILE}` })
      await expect(readOld()).rejects.toThrow(FILE)
    },
  )
})

test("without the folder nobody guesses", async () => {
  const bare = { query: world.engine.query }
  const unread: typeof bare = {
    async query(one, values) {
      const rows = await bare.query(one, values)
      return rows.map((row) => ({ ...row, plain: undefined }))
    },
  }
  await expect(verify(unread)).rejects.toThrow("--archive")
})

test("to a folder that lacks what was archived before nothing goes", async () => {
  await fill()
  const other = createArchives({ ...world, archive: await openFolder(newFolder()) })
  await expect(other.next(ask())).rejects.toThrow("not the folder of its archive")
  const away = `${archive.root}/tile-away`
  renameSync(join(archive.root, "tile"), away)
  await expect(createArchives(world).next(ask())).rejects.toThrow("not the folder of its archive")
  renameSync(away, join(archive.root, "tile"))
  expect(await next()).toMatchObject({ entries: 256 })
})

test("a name that is taken by other bytes stops it: nothing is replaced, and rows stay", async () => {
  await fill()
  const { first = 0 } = (await newestBundle()) ?? {}
  const place = join(archive.root, `tile/entries/${String((first - 1) / 256 + 1).padStart(3, "0")}`)
  expect(existsSync(place)).toBe(false)
  writeFileSync(place, "somebody else's")
  await expect(createArchives(world).next(ask())).rejects.toThrow("nothing is replaced")
  expect(readFileSync(place, "utf8")).toBe("somebody else's")
  expect((await newestBundle())?.first).toBe(first)
  rmSync(place)
  expect(await next()).toMatchObject({ entries: 256 })
})

test("names out of a database lead nowhere else", async () => {
  for (const file of ["../x", "/etc/passwd", "tile/../../x", "tile//x", ".hidden", ""])
    await expect(archive.read(file)).rejects.toThrow("is no name of a file")
  for (const none of ["none", FILE])
    await expect(openFolder(join(archive.root, none))).rejects.toThrow("is no folder")
})
