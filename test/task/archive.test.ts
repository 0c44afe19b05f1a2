// Archiving: of a ledger that was packed everything is answered as before, nothing that is still written to goes, and values
// can be erased as ever.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createRollups } from "../../src/audit/rollup.ts"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openFolder } from "../../src/database/folder.ts"
import { createClosings } from "../../src/issuer/closing.ts"
import { leftBefore } from "../../src/ledger/left.ts"
import { readTile, readTilePath } from "../../src/ledger/tiles.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { createArchives, retain } from "../../src/task/archive.ts"
import { createErasures } from "../../src/task/erase.ts"
import { mustBe } from "../support/approvals.ts"
import { archiveAll, archivedFiles, closeAll, DAY_MILLISECONDS, pad } from "../support/archive.ts"
import { BYSTANDERS, CANARIES, createCanaryWorld, play, VERA, type Visit } from "../support/canary-world.ts"
import { everythingAt, onPostgres } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

const newFolder = createFolders()
const rowsWithBytes = statement<{ n: number }>(
  "test.rows",
  sql`SELECT count(*) AS n FROM entry_bytes WHERE length(bytes) > 0`,
)
const bundles = statement<{ n: number }>("test.bundles", sql`SELECT count(*) AS n FROM ledger_bundle`)
const owed = statement(
  "test.owed",
  sql`INSERT INTO statement_due (task, since, cursor, late) SELECT id, 0, 0, 1 FROM task`,
)
const rights = statement(
  "test.rights",
  sql`SELECT day, operation, granted, used, refused FROM rollup_privilege ORDER BY day, operation, type, agent, rule`,
)
const countOf = async (world: World, which: typeof bundles) => Number((await world.engine.query(which))[0]?.n)
const verify = async (world: World) => verifyLedger({ source: await databaseSource(world.engine) })
const next = async (world: World, before = world.ledger.at()) =>
  mustBe(await createArchives(world).next({ by: "operations-team", as: "operations-team", before }))

async function everyEntry(world: World, upTo: number) {
  const found: unknown[] = []
  for (let after: string | undefined; ; ) {
    const page = await world.ledger.read({ limit: 1000, ...(after !== undefined && { after }) })
    found.push(...page.entries.filter(({ seq }) => seq <= upTo))
    if (page.next === null) return found
    after = page.next
  }
}

async function everyTile(world: World, size: number) {
  const paths = ["entries/000", "entries/001", "0/000", "0/001", `0/002.p/${size % 256}`, "1/000.p/2"]
  const read = paths.map((path) => readTilePath(path)).filter((path) => path !== undefined)
  return Promise.all(
    read.map(async (path) =>
      Buffer.from((await readTile(world.engine, size, path)) ?? []).toString("base64"),
    ),
  )
}

/** Files are the same on either engine; what is packed there archive-left.test.ts has. */
describe.each(onPostgres ? [true] : [false, true])(
  "what is archived is answered as before; in files: %s",
  (inFiles) => {
    let world: World
    let visits: { readonly vera: Visit; readonly second: Visit; readonly otto: Visit }
    let before: Awaited<ReturnType<typeof answers>>
    let size = 0
    let done: number
    beforeAll(async () => {
      world = await createCanaryWorld(newFolder(), inFiles ? await openFolder(newFolder()) : undefined)
      visits = await play(world)
      await pad(world, 500)
      await closeAll(world)
      size = (await world.sequence.newest())?.size ?? 0
      before = await answers()
      done = await archiveAll(world)
    })
    afterAll(async () => {
      await world.leave()
    })

    const auditor = { clientId: "audit-team", staff: true }
    const answers = async () => ({
      entries: await everyEntry(world, size),
      tiles: await everyTile(world, size),
      ofTask: await world.ledger.read({ task: visits.vera.task }),
      refusals: await world.ledger.read({ kind: "task.refused" }),
      statement: await createClosings(world).read(auditor, visits.vera.task),
      inclusion: await world.sequence.tree().inclusion(3, size),
      consistency: await world.sequence.tree().consistency(100, size),
      left: await leftBefore(world.engine, size - 3),
      counts: await counted(),
    })
    const counted = async () => {
      const rollups = createRollups(world)
      await rollups.reset()
      await rollups.advance()
      return world.engine.query(rights)
    }

    test("whole tiles are, and an entry says which and by whose word", async () => {
      expect(done).toBe(512)
      expect(await countOf(world, bundles)).toBe(2)
      expect(await countOf(world, rowsWithBytes)).toBe(size + 1 - 512)
      const { entries } = await world.ledger.read({ kind: "ledger.archived" })
      expect(entries.map(({ body }) => body)).toEqual([
        {
          ...{ by: "operations-team", before: expect.stringMatching(/Z$/), from: 1, to: 512 },
          ...(inFiles && { files: true }),
        },
      ])
    })

    test.each([
      "entries",
      "tiles",
      "ofTask",
      "refusals",
      "statement",
      "inclusion",
      "consistency",
      "left",
      "counts",
    ] as const)("%s", async (which) => {
      expect((await answers())[which]).toEqual(before[which])
      expect(JSON.stringify(before[which])).not.toMatch(/^(\[\]|\{\}|null)$/)
    })

    test("the ledger is verified, and the same again archives nothing", async () => {
      expect(await verify(world)).toMatchObject({ verdict: "verified", signed: size + 1, erased: {} })
      expect(await next(world)).toEqual({ entries: 0, rows: 0, bundles: 0, files: 0, end: "unsigned" })
    })

    test("H13: erasing reaches what was archived: no value rests anywhere, and hashes and proofs stay", async () => {
      const by = { by: "people/lin@example.com", as: "operations-team", reason: "They asked for it" }
      const erased = mustBe(await createErasures(world).subject(by, VERA))
      expect(erased).toMatchObject({ tasks: 2 })
      await world.sequence.advance()
      const everything = inFiles ? archivedFiles(world) : []
      for (const [, bytes] of await everythingAt(world.place)) everything.push(bytes.toString("latin1"))
      const rests = (text: string) => everything.some((bytes) => bytes.includes(text))
      expect(CANARIES.filter(rests)).toEqual([])
      expect(BYSTANDERS.filter(rests)).toEqual(BYSTANDERS)
      const found = await verify(world)
      expect(found).toMatchObject({ verdict: "verified" })
      expect(found.verdict === "verified" && found.erased.sub).toBeGreaterThan(3)
      expect(await everyTile(world, size)).toEqual(before.tiles)
    })
  },
)

describe("what may go", () => {
  let world: World
  beforeEach(async () => {
    world = await createWorld()
  })
  afterEach(async () => {
    await world.leave()
  })
  const start = async () => mustBe(await world.tasks.start("support-orchestrator", SUPPORT_START)).taskId

  test("no task that runs, and none whose statement is owed", async () => {
    const task = await start()
    await pad(world, 256)
    world.clock.advance(60_000)
    expect(await next(world)).toMatchObject({ entries: 0, end: "open", task })
    await world.tasks.change("support-orchestrator", task, "complete")
    expect(await next(world)).toMatchObject({ entries: 0, end: "open", task })
    await closeAll(world)
    // A use comes late, while the tile is packed: a successor is owed.
    const late: Engine = {
      ...world.engine,
      query: (...asked) => world.engine.query(...asked),
      async atomically(steps) {
        await world.engine.atomically([{ statement: owed, values: {} }])
        await world.engine.atomically(steps)
      },
    }
    const ask = { by: "operations-team", before: world.ledger.at() }
    const open = { entries: 0, end: "open", task }
    expect(await createArchives({ ...world, engine: late }).next(ask)).toMatchObject(open)
    expect(await next(world)).toMatchObject(open)
    await closeAll(world)
    expect(await next(world)).toMatchObject({ entries: 256, from: 1, to: 256, end: "unsigned" })
  })

  test("a canary's task holds nothing up: it never ran, and gets no statement", async () => {
    const { type, agent, inputs } = SUPPORT_START
    mustBe(await world.canaries.mint("operations-team", { type, agent, inputs, reason: "A drill" }))
    await pad(world, 256)
    await closeAll(world)
    expect(await next(world)).toMatchObject({ entries: 256, end: "unsigned" })
  })

  test("nothing that is as young as the time given, not full, or under no checkpoint", async () => {
    await pad(world, 300)
    const young = world.ledger.at()
    expect(await next(world, young)).toMatchObject({ entries: 0, end: "younger" })
    world.clock.advance(1)
    await world.ledger.append(
      Array.from({ length: 256 }, () => ({ kind: "access.read", at: young, body: {} }) as const),
    )
    expect(await next(world)).toMatchObject({ entries: 256, end: "unsigned" })
    await world.sequence.advance()
    expect(await next(world)).toMatchObject({ entries: 256, from: 257, to: 512, end: "unsigned" })
  })

  test("a time to come is refused, and so is a log that was stopped", async () => {
    const ask = (before: number) => createArchives(world).next({ by: "operations-team", before })
    expect(await ask(world.ledger.at() + 1)).toMatchObject({ code: "invalid_request" })
    await world.sequence.stop(JSON.stringify({ why: "fork" }))
    expect(await ask(world.ledger.at())).toMatchObject({ code: "ledger_broken" })
  })

  test("entries that are not those that were signed stay as they are", async () => {
    await pad(world, 300)
    world.clock.advance(1)
    const change = sql`UPDATE entry_bytes SET leaf = (SELECT leaf FROM entry_bytes WHERE seq = 9),
      bytes = (SELECT bytes FROM entry_bytes WHERE seq = 9) WHERE seq = 8`
    await world.engine.atomically([{ statement: statement("test.change", change), values: {}, rows: 1 }])
    const refused = await createArchives(world).next({ by: "operations-team", before: world.ledger.at() })
    expect(refused).toMatchObject({ code: "ledger_broken" })
    expect(await countOf(world, bundles)).toBe(0)
  })

  test("of several that archive at once each tile goes once, and each says what it did", async () => {
    await pad(world, 1100)
    world.clock.advance(1)
    const done = await Promise.all([1, 2, 3].map(() => next(world)))
    expect(done.reduce((sum, { entries }) => sum + entries, 0)).toBe(1024)
    await world.sequence.advance()
    expect(await verify(world)).toMatchObject({ verdict: "verified" })
    expect((await world.ledger.read({ kind: "ledger.archived" })).entries).toHaveLength(
      done.filter(({ entries }) => entries > 0).length,
    )
  })

  test("a tile that another has archived since it was found shows no broken ledger", async () => {
    await pad(world, 600)
    world.clock.advance(1)
    let isFirst = true
    const overtaken: Engine = {
      ...world.engine,
      atomically: (steps) => world.engine.atomically(steps),
      async query(one, values) {
        if (one.name === "archive.rows" && isFirst) {
          isFirst = false
          await next(world)
        }
        return world.engine.query(one, values)
      },
    }
    const late = createArchives({ ...world, engine: overtaken })
    expect(await late.next({ by: "operations-team", before: world.ledger.at() })).toMatchObject({
      entries: 0,
    })
    expect(await countOf(world, bundles)).toBe(2)
  })

  test.each([
    ["before its transaction", false, 0],
    ["after it", true, 1],
  ])("I01: killed %s leaves one state or the other, and the next goes on", async (_when, stored, there) => {
    await pad(world, 600)
    world.clock.advance(1)
    const failing: Engine = {
      ...world.engine,
      query: (...asked) => world.engine.query(...asked),
      async atomically(steps) {
        if (stored) await world.engine.atomically(steps)
        throw new Unavailable("killed")
      },
    }
    const dying = createArchives({ ...world, engine: failing })
    const ask = { by: "operations-team", before: world.ledger.at() }
    await expect(dying.next(ask)).rejects.toThrow(Unavailable)
    expect(await countOf(world, bundles)).toBe(2 * there)
    await world.sequence.advance()
    expect(await verify(world)).toMatchObject({ verdict: "verified" })
    expect(await next(world)).toMatchObject({ entries: 512 * (1 - there) })
    expect((await world.ledger.read({ kind: "ledger.archived" })).entries).toHaveLength(1)
  })

  test("by a retention, what is older goes in rounds of its own, and says so", async () => {
    await pad(world, 300)
    const archives = createArchives(world)
    await retain(archives, world.ledger.at() - DAY_MILLISECONDS)
    expect(await countOf(world, bundles)).toBe(0)
    world.clock.advance(DAY_MILLISECONDS + 1)
    await retain(archives, world.ledger.at() - DAY_MILLISECONDS)
    expect(await countOf(world, bundles)).toBe(1)
    const { entries } = await world.ledger.read({ kind: "ledger.archived" })
    expect(entries[0]?.body).toMatchObject({ by: "retention", from: 1, to: 256 })
    await world.sequence.stop(JSON.stringify({ why: "fork" }))
    await expect(retain(archives, world.ledger.at())).rejects.toThrow("ledger_broken")
  })
})
