// Accepting a rollback: what ends with the ledger that was lost, what the new log begins with, and that whoever is killed
// on the way can begin again.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import { openLog } from "../../src/issuer/opened-log.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { createSequence } from "../../src/ledger/sequence.ts"
import { beginTree, readTree } from "../../src/ledger/tree-statements.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { acceptRollback } from "../../src/task/rollback.ts"
import { createTasks } from "../../src/task/task.ts"
import { engineBefore } from "../support/crew-world.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World

beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const THEIRS = "taskmint.internal\n5000\n..."
const LOST_CURSOR = 70_000

const start = (reference?: string) =>
  world.tasks.start("support-orchestrator", { ...SUPPORT_START, ...(reference && { reference }) })
async function startWell(): Promise<string> {
  const started = await start()
  if (started instanceof Refusal) throw new Error(started.reason)
  return started.taskId
}
const stop = (why: object = { why: "rollback", theirs: THEIRS }) => world.sequence.stop(JSON.stringify(why))
async function accept(): Promise<string> {
  const origin = await acceptRollback(world)
  if (origin instanceof Refusal) throw new Error(origin.reason)
  return origin
}
async function reopen(): Promise<void> {
  const { folder, keyEncryptionKey, clock } = world
  await world.close()
  world = await createWorld({ folder, keyEncryptionKey, clock })
}
/** More entries than a tile has, so that the tree has rows of its own. */
const fillTile = () =>
  world.ledger.append(
    Array.from(
      { length: 300 },
      (_, n) => ({ kind: "access.read", at: world.ledger.at(), body: { n } }) as const,
    ),
  )
const verify = async () => verifyLedger({ source: await databaseSource(world.engine) })
const stateOf = async (id: string) => {
  const shown = await world.tasks.show({ clientId: "support-orchestrator", staff: false }, id)
  return shown instanceof Refusal ? shown.code : shown.state
}

describe("H06, I11: a rollback that is accepted", () => {
  test("leaves the entries, and begins a log of another name whose first entry holds both checkpoints", async () => {
    await startWell()
    const ours = (await world.sequence.covering(0)).note
    const oldKey = world.ledgerKeys.current()
    await stop()
    const origin = await accept()
    expect(origin).toMatch(/^taskmint\.internal\/2\d{3}-\d\d-\d\dT[\d:.]+Z$/)
    await reopen()
    expect([world.sequence.origin, world.ledgerKeys.name]).toEqual([origin, origin])
    expect(world.ledgerKeys.current()).not.toBe(oldKey)
    await startWell()
    await world.sequence.advance()
    const [tree] = await world.engine.query(readTree)
    const { entries } = await world.ledger.read({ kind: "ledger.begun" })
    expect(entries).toHaveLength(1)
    expect(entries[0]?.seq).toBe((tree?.first ?? 0) + 1)
    expect(entries[0]?.body).toMatchObject({
      origin,
      by: "accept-rollback",
      evidence: { why: "rollback", theirs: THEIRS, ours },
      left: { origin: "taskmint.internal", entries: tree?.first },
    })
    expect(await verify()).toMatchObject({ verdict: "verified", origin, signed: tree?.size })
    expect((await world.sequence.newest())?.note.split("\n").slice(0, 2)).toEqual([
      origin,
      String(tree?.size),
    ])
  })

  test("ends every task and retires every key; what is minted afterwards lives", async () => {
    const tasks = [await startWell(), await startWell(), await startWell()]
    await world.rotation.rotate("operations-team")
    const kids = world.keyring.standing().map(({ kid }) => kid)
    expect(kids.length).toBeGreaterThan(1)
    await stop()
    expect(await start()).toMatchObject({ code: "ledger_broken" })
    await accept()
    for (const id of tasks) expect(await stateOf(id)).toBe("revoked")
    const living = statement<{ n: number }>(
      "test.living",
      sql`SELECT count(*) AS n FROM token WHERE ended_at IS NULL`,
    )
    expect(await world.engine.query(living)).toEqual([{ n: 0 }])
    await reopen()
    const standing = world.keyring.standing()
    expect(standing.map(({ state }) => state)).toEqual(["current"])
    expect(kids).not.toContain(standing[0]?.kid)
    expect(await stateOf(await startWell())).toBe("active")
  })

  test("G05: tells every API everything again, at cursors above all that were ever told", async () => {
    const kids = world.keyring.standing().map(({ kid }) => kid)
    const id = await startWell()
    await world.revocations.revoke("operations-team", { kind: "task", value: id, reason: "before" })
    await stop()
    const before = await world.revocations.feed("tickets", 0, 100)
    expect(before.cursor).toBeLessThan(LOST_CURSOR)
    await accept()
    const { items, cursor } = await world.revocations.feed("tickets", LOST_CURSOR, 100)
    expect(items.map(({ kind }) => kind)).toEqual([...before.items.map(({ kind }) => kind), "key", "api"])
    expect(items.find(({ kind }) => kind === "key")).toMatchObject({
      value: kids[0],
      successor: world.keyring.current().kid,
    })
    expect(items.every((item) => item.cursor > LOST_CURSOR)).toBe(true)
    expect(cursor).toBe(items.at(-1)?.cursor)
    expect(await world.revocations.feed("tickets", cursor, 100)).toEqual({ items: [], cursor })
    expect((await world.revocations.feed("tickets", items[0]?.cursor ?? 0, 100)).items).toEqual(
      items.slice(1),
    )
    // What is minted in the same second is not covered by the order to the whole API.
    const whole = items.find(({ kind }) => kind === "api")
    expect(whole?.before).toBe(Math.floor(world.ledger.at() / 1000) - 1)
  })

  test("of entries that are gone goes on behind those that are there", async () => {
    await startWell()
    const signed = (await world.sequence.covering(0)).note
    const last = sql`(SELECT max(seq) - 1 FROM entry)`
    await world.engine.atomically([
      {
        statement: statement("test.cut", sql`DELETE FROM entry_bytes WHERE seq > ${last}`),
        values: {},
      },
      { statement: statement("test.cut_rows", sql`DELETE FROM entry WHERE seq > ${last}`), values: {} },
    ])
    await world.sequence.look()
    expect(JSON.parse(world.sequence.stopped() ?? "{}")).toMatchObject({ why: "entries_missing" })
    const origin = await accept()
    await reopen()
    await startWell()
    await world.sequence.advance()
    expect(await verify()).toMatchObject({ verdict: "verified", origin })
    const { entries } = await world.ledger.read({ kind: "ledger.begun" })
    expect(entries[0]?.body).toMatchObject({ evidence: { why: "entries_missing", ours: signed } })
  })

  test("twice begins twice, and each log holds to what was before it", async () => {
    const names = new Set([world.sequence.origin])
    for (let round = 0; round < 2; round++) {
      await fillTile()
      await world.sequence.advance()
      await stop()
      world.clock.advance(5000)
      names.add(await accept())
      await reopen()
    }
    expect(names.size).toBe(3)
    await fillTile()
    await world.sequence.advance()
    expect(await verify()).toMatchObject({ verdict: "verified", origin: world.sequence.origin })
  })

  test("H01: an entry of before that is changed afterwards is found", async () => {
    await startWell()
    await stop()
    await accept()
    await reopen()
    await world.sequence.advance()
    expect(await verify()).toMatchObject({ verdict: "verified" })
    const bytes = Buffer.from('{"kind":"task.started"}')
    const change = statement(
      "test.change",
      sql`UPDATE entry_bytes SET bytes = ${sql.placeholder("bytes")}, leaf = ${sql.placeholder("leaf")} WHERE seq = 2`,
    )
    await world.engine.atomically([{ statement: change, values: { bytes, leaf: leafHash(bytes) }, rows: 1 }])
    expect(await verify()).toEqual({ verdict: "broken", how: "entries_before_differ" })
  })

  test("I01: killed before its last step leaves the log stopped, and can be given again", async () => {
    const id = await startWell()
    await stop()
    const dying: Engine = {
      query: (one, values) => world.engine.query(one, values),
      close: () => world.engine.close(),
      hearOthers: (listener) => world.engine.hearOthers(listener),
      scrub: () => world.engine.scrub(),
      broken: world.engine.broken,
      atomically: (steps) =>
        steps.some((step) => step.statement === beginTree)
          ? Promise.reject(new Unavailable("killed"))
          : world.engine.atomically(steps),
    }
    await expect(acceptRollback({ ...world, engine: dying })).rejects.toThrow("killed")
    await reopen()
    expect([await stateOf(id), world.sequence.stopped()]).toEqual(["revoked", expect.any(String)])
    expect(await start()).toMatchObject({ code: "ledger_broken" })
    await accept()
    await reopen()
    expect(await start()).not.toBeInstanceOf(Refusal)
  })

  /** As an issuer that has not heard yet that the log was stopped. */
  const unaware = () => {
    const signing = world.ledgerKeys.signing
    return createTasks({
      ...world,
      sequence: createSequence({ ...world, origin: world.sequence.origin, signing }),
    })
  }

  test("begins behind what was written while it was decided", async () => {
    await stop()
    await fillTile()
    const origin = await acceptRollback({ ...world, engine: engineBefore(world, fillTile) })
    await reopen()
    await world.sequence.advance()
    const { entries } = await world.ledger.read({ kind: "ledger.begun" })
    const [tree] = await world.engine.query(readTree)
    expect(entries[0]?.seq).toBe((tree?.first ?? 0) + 1)
    expect(await verify()).toMatchObject({ verdict: "verified", origin })
  })

  test("ends also a task that another issuer started when all others had ended", async () => {
    await stop()
    let id: string | undefined
    const late: Engine = {
      ...world.engine,
      query: async (one, values) => {
        if (one.name === readTree.name && id === undefined) {
          id = ""
          const started = await unaware().start("support-orchestrator", SUPPORT_START)
          id = started instanceof Refusal ? started.code : started.taskId
        }
        return world.engine.query(one, values)
      },
      atomically: (steps) => world.engine.atomically(steps),
    }
    await acceptRollback({ ...world, engine: late })
    expect(await stateOf(id ?? "")).toBe("revoked")
  })

  test("stops issuers that were opened on the log before", async () => {
    await stop()
    await accept()
    await world.sequence.advance()
    expect(JSON.parse(world.sequence.stopped() ?? "{}")).toEqual({ why: "log_replaced" })
    expect(await start()).toMatchObject({ code: "ledger_broken" })
    expect(await world.sequence.newest()).toBeUndefined()
  })
})

test("a log that goes on has no rollback to accept, and nothing ends", async () => {
  const id = await startWell()
  expect(await openLog(world, true)).toMatch(/no rollback to accept/)
  expect(await stateOf(id)).toBe("active")
})
