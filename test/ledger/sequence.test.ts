// Entries become leaves after they were committed, and checkpoints say so: held against the slow tree of the definition.
import { sql } from "drizzle-orm"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { NoCheckpoint, openCheckpoint } from "../../src/ledger/checkpoint.ts"
import { provesConsistency, provesInclusion } from "../../src/ledger/merkle.ts"
import { createSequence } from "../../src/ledger/sequence.ts"
import { slowRoot } from "../support/slow-tree.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const leaves = statement<{ leaf: Uint8Array }>("leaves", sql`SELECT leaf FROM entry_bytes ORDER BY seq`)
const notes = statement<{ size: number; note: string }>(
  "notes",
  sql`SELECT size, note FROM ledger_checkpoint ORDER BY size`,
)
const dropLast = ["entry_bytes", "entry"].map((table) =>
  statement(
    "drop",
    sql`DELETE FROM ${sql.identifier(table)} WHERE seq = (SELECT max(seq) FROM ${sql.identifier(table)})`,
  ),
)
const dropBytes = statement("drop", sql`DELETE FROM entry_bytes WHERE seq = ${sql.placeholder("seq")}`)

const allLeaves = async () => (await world.engine.query(leaves)).map(({ leaf }) => leaf)
const append = (count: number, kind: "access.read" = "access.read") =>
  world.ledger.append(
    Array.from({ length: count }, (_each, n) => ({ kind, at: world.ledger.at(), body: { n } })),
  )
const read = async (note: string) => {
  const opened = openCheckpoint(note, "taskmint.internal", await world.ledgerKeys.verifiers())
  if (opened instanceof NoCheckpoint) throw new Error(opened.tag)
  return opened
}
const twin = () =>
  createSequence({ ...world, origin: world.sequence.origin, signing: world.ledgerKeys.signing })

describe("the sequence", () => {
  test("takes in what was committed and signs its root, across tiles and windows", async () => {
    for (const count of [1, 254, 300, 2100]) {
      await append(count)
      await world.sequence.advance()
      const all = await allLeaves()
      const { note } = await world.sequence.covering(all.length)
      expect(await read(note)).toEqual({ origin: "taskmint.internal", size: all.length, root: slowRoot(all) })
    }
    const stored = await world.engine.query(notes)
    expect(stored).toHaveLength(4)
    for (const { size } of stored)
      expect(Buffer.from(await world.sequence.tree().root(size))).toEqual(
        slowRoot((await allLeaves()).slice(0, size)),
      )
  })

  test("leaves what comes while it works to the next time: under load there is always more", async () => {
    let asked = 0
    const signing = async () => {
      asked += 1
      if (asked < 5) await append(1)
      return world.ledgerKeys.signing()
    }
    const busy = createSequence({ ...world, origin: world.sequence.origin, signing })
    await append(3)
    for (const times of [1, 2, 3]) {
      await busy.advance()
      expect(asked).toBe(times)
    }
    expect(await world.engine.query(notes)).toHaveLength(3)
  })

  test("is tended by whoever was first, and by another once that one does it no more", async () => {
    const first = twin()
    let asked = 0
    const signing = async () => {
      asked += 1
      if (asked === 1) await first.advance()
      return world.ledgerKeys.signing()
    }
    const second = createSequence({ ...world, origin: world.sequence.origin, signing })
    await append(1)
    await second.tend() // was too late
    for (let look = 0; look < 3; look++) {
      await append(1)
      await second.tend()
      await first.tend()
    }
    expect(asked).toBe(1)
    await append(1)
    for (let look = 0; look < 4; look++) {
      await second.tend()
      expect(asked).toBe(1)
    }
    await second.tend()
    expect(asked).toBe(2)
    expect((await second.newest())?.size).toBe((await allLeaves()).length)
  })

  test("signs nothing twice, and nothing where nothing came", async () => {
    await world.sequence.advance()
    await world.sequence.advance()
    expect(await world.engine.query(notes)).toHaveLength(1)
  })

  test("goes on where another process left it, without looking at the old entries", async () => {
    await append(700)
    await world.sequence.advance()
    // Were an old leaf read again, this would stop it.
    await world.engine.atomically([{ statement: dropBytes, values: { seq: 10 } }])
    const kept = await allLeaves()
    await append(10)
    const { folder, keyEncryptionKey, clock } = world
    await world.close()
    world = await createWorld({ folder, keyEncryptionKey, clock })
    await world.sequence.advance()
    expect((await world.sequence.newest())?.size).toBe(kept.length + 11)
    expect(world.sequence.stopped()).toBeUndefined()
  })

  test("proves inclusion and consistency between any two checkpoints", async () => {
    for (const count of [3, 250, 20, 300, 777]) {
      await append(count)
      await world.sequence.advance()
    }
    const all = await allLeaves()
    const heads = await Promise.all((await world.engine.query(notes)).map(({ note }) => read(note)))
    const tree = world.sequence.tree()
    for (const newer of heads) {
      for (const older of heads.filter(({ size }) => size <= newer.size))
        expect(provesConsistency(older, newer, await tree.consistency(older.size, newer.size))).toBe(true)
      for (const index of [0, 255, 256, 511, newer.size - 1].filter((one) => one < newer.size)) {
        const claim = { index, size: newer.size, leaf: all[index] ?? Buffer.of(), root: newer.root }
        expect(provesInclusion(claim, await tree.inclusion(index, newer.size))).toBe(true)
      }
    }
  })

  test("of several issuers one builds on at a time, and no two checkpoints disagree", async () => {
    const sequences = [world.sequence, twin(), twin(), twin()]
    for (let round = 0; round < 8; round++) {
      await append(50)
      await Promise.all(sequences.map((one) => one.advance()))
    }
    const all = await allLeaves()
    for (const one of sequences) await one.covering(all.length)
    for (const { note } of await world.engine.query(notes)) {
      const { size, root } = await read(note)
      expect(Buffer.from(root)).toEqual(slowRoot(all.slice(0, size)))
    }
  })

  /** An issuer that stands still once, between what it read and what it writes. */
  const slow = (meanwhile: () => Promise<void>) => {
    const { engine } = world
    let waited = false
    const atomically: typeof engine.atomically = async (steps) => {
      if (!waited) {
        waited = true
        await meanwhile()
      }
      return engine.atomically(steps)
    }
    const { origin } = world.sequence
    const held = {
      query: engine.query.bind(engine),
      hearOthers: engine.hearOthers.bind(engine),
      scrub: engine.scrub.bind(engine),
      atomically,
    }
    const delayed = { ...held, broken: engine.broken, close: () => engine.close() }
    return createSequence({ ...world, engine: delayed, origin, signing: world.ledgerKeys.signing })
  }

  test("of an issuer that is overtaken nothing is written", async () => {
    await append(10)
    const late = slow(async () => {
      await append(10)
      await world.sequence.advance()
    })
    await late.advance()
    expect((await world.engine.query(notes)).map(({ size }) => size)).toEqual([(await allLeaves()).length])
    await append(300)
    await late.advance()
    const all = await allLeaves()
    expect(await read((await late.covering(all.length)).note)).toMatchObject({ root: slowRoot(all) })
  })

  test("of an issuer that signs while another stops the log nothing is written", async () => {
    await append(10)
    await slow(() => world.sequence.stop(JSON.stringify({ why: "drill" }))).advance()
    expect(await world.engine.query(notes)).toEqual([])
  })

  test("a checkpoint that somebody waits for comes when the entries are committed", async () => {
    await append(5)
    const size = (await allLeaves()).length
    const both = await Promise.all([world.sequence.covering(size), twin().covering(size)])
    for (const { size: covered } of both) expect(covered).toBeGreaterThanOrEqual(size)
  })
})

describe("what does not continue the log stops it", () => {
  test("H05: entries that the tree holds are gone from the end", async () => {
    await append(5)
    await world.sequence.advance()
    const newest = await world.sequence.newest()
    await world.engine.atomically(dropLast.map((one) => ({ statement: one, values: {} })))
    await world.sequence.advance()
    expect(JSON.parse(world.sequence.stopped() ?? "{}")).toMatchObject({ why: "entries_missing" })
    await append(5)
    await world.sequence.advance()
    expect(await world.sequence.newest()).toEqual(newest)
    await expect(world.sequence.covering((newest?.size ?? 0) + 1)).rejects.toThrow()
  })

  test("H02: an entry that is not in the tree yet has lost its bytes", async () => {
    await append(5)
    await world.engine.atomically([{ statement: dropBytes, values: { seq: 4 } }])
    await world.sequence.advance()
    expect(JSON.parse(world.sequence.stopped() ?? "{}")).toMatchObject({ why: "entries_missing" })
    expect(await world.sequence.newest()).toBeUndefined()
  })

  test("H05: the tree is smaller than what was signed of it", async () => {
    await append(5)
    await world.sequence.advance()
    const newest = await world.sequence.newest()
    const shrink = statement("shrink", sql`UPDATE ledger_tree SET size = size - 1`)
    await world.engine.atomically([{ statement: shrink, values: {} }])
    await world.sequence.look()
    const { size: signed = 0 } = newest ?? {}
    const why = { why: "tree_missing", tree: signed - 1, signed }
    expect(JSON.parse(world.sequence.stopped() ?? "{}")).toEqual(why)
    await world.sequence.advance()
    expect(await world.sequence.newest()).toEqual(newest)
  })

  test("and every other issuer with it", async () => {
    await world.sequence.stop(JSON.stringify({ why: "drill" }))
    const other = twin()
    await other.advance()
    expect(other.stopped()).toBe(JSON.stringify({ why: "drill" }))
    expect(await world.sequence.newest()).toBeUndefined()
  })
})

test("old checkpoints are forgotten but for one an hour and those that two keys signed", async () => {
  for (let minute = 0; minute < 180; minute += 20) {
    await append(1)
    if (minute === 40) await world.ledgerKeys.rotate("operations")
    await world.sequence.advance()
    world.clock.advance(20 * 60_000)
  }
  const before = await world.engine.query(notes)
  const twice = before.filter(({ note }) => note.split("\n\u2014 ").length > 2)
  expect([before.length, twice.length]).toEqual([9, 1])
  await world.sequence.prune()
  const after = await world.engine.query(notes)
  expect(after.length).toBeLessThan(9)
  expect(after).toEqual(expect.arrayContaining([...twice, ...before.slice(-3)]))
})
