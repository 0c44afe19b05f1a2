// Entries are there when they are acknowledged, whole and in order, and time never goes back.
import { sql } from "drizzle-orm"
import { describe, expect, test } from "vitest"
import { statement, Unavailable, Unexpected } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { testPlace } from "../support/engine.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const put = statement("put", sql`INSERT INTO setting (key, value) VALUES ('a', 'v')`)
const impossible = statement("impossible", sql`SELECT 1 FROM setting WHERE key = 'no such'`)
const resting = statement<{ seq: number; bytes: Uint8Array; leaf: Uint8Array }>(
  "resting",
  sql`SELECT e.seq AS seq, b.bytes AS bytes, b.leaf AS leaf FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq ORDER BY e.seq`,
)

async function open(place?: string, clock = createFakeClock()) {
  const at = place ?? (await testPlace(newFolder())).place
  const engine = await openDatabase(at)
  return {
    place: at,
    clock,
    engine,
    ledger: await createLedger({ engine, names: createNames(engine), clock }),
  }
}

describe("recording", () => {
  test("an entry and what it tells take place together or not at all", async () => {
    const { engine, ledger } = await open()
    const steps = ledger.steps({ kind: "alarm.raised", at: ledger.at() })
    const refused = engine.atomically([...steps, { statement: impossible, values: {}, rows: 1 }])
    await expect(refused).rejects.toBeInstanceOf(Unexpected)
    expect((await ledger.read({})).entries).toEqual([])
    await engine.atomically([{ statement: put, values: {}, rows: 1 }, ...steps])
    expect((await ledger.read({})).entries).toHaveLength(1)
    await engine.close()
  })

  test("places are given without gaps, refused transactions among them, and leaves are of the bytes", async () => {
    const { engine, ledger } = await open()
    await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) =>
        engine.atomically([
          ...ledger.steps({ kind: "use.allowed", at: ledger.at(), resource: `r/${n}` }),
          ...(n % 4 === 0 ? [{ statement: impossible, values: {}, rows: 1 }] : []),
        ]),
      ),
    )
    const rows = await engine.query(resting)
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 45 }, (_, n) => n + 1))
    for (const row of rows) expect(leafHash(row.bytes)).toEqual(row.leaf)
    await engine.close()
  })

  test("an entry is found by each member that it has, whichever others it has or has not", async () => {
    const { engine, ledger } = await open()
    const members = {
      agent: "triage-bot",
      instance: "pod-1",
      orchestrator: "support",
      sub: "support",
      api: "tickets",
      operation: "tickets:read",
      resource: "tickets/SUP-1",
      reference: "run-7",
      outcome: "refused",
      code: "token_expired",
    } as const
    const all = Object.entries(members)
    const some = [all, ...all.map((one) => [one]), ...all.map((one) => all.filter((other) => other !== one))]
    for (const given of some)
      await ledger.append([{ kind: "use.refused", at: ledger.at(), ...Object.fromEntries(given) }])
    for (const [member, value] of all) {
      const { entries } = await ledger.read({ [member]: value })
      const expected = some.flatMap((given, at) => (given.some(([one]) => one === member) ? [at + 1] : []))
      expect({ member, found: entries.map(({ seq }) => seq) }).toEqual({ member, found: expected })
    }
    await engine.close()
  })

  test("nothing is acknowledged by an engine that is closed", async () => {
    const { engine, ledger } = await open()
    await engine.close()
    await expect(ledger.append([{ kind: "alarm.raised", at: 1 }])).rejects.toBeInstanceOf(Unavailable)
    await expect(ledger.read({})).rejects.toBeInstanceOf(Unavailable)
  })
})

describe("time", () => {
  test("H20: never goes back while the clock does, and follows it again", async () => {
    const { engine, ledger, clock } = await open()
    const before = ledger.at()
    clock.step(-3_600_000)
    expect(ledger.at()).toBe(before)
    clock.step(3_600_001)
    expect(ledger.at()).toBe(before + 1)
    await engine.close()
  })

  test("H20: goes on from the newest entry after a restart with a clock set back", async () => {
    const first = await open()
    const at = first.ledger.at()
    await first.ledger.append([
      { kind: "alarm.raised", at },
      { kind: "alarm.raised", at: at - 1 },
    ])
    await first.engine.close()
    const second = await open(first.place, createFakeClock(at - 86_400_000))
    expect(second.ledger.at()).toBe(at)
    await second.engine.close()
  })
})
