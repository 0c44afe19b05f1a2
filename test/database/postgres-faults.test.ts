// Catalogue I14, I15, I18 and I19 on the engine: connections that are ended at BEGIN, at an INSERT and at COMMIT, before
// the server had it and after, a server that is stopped and started again. After each: what was acknowledged is there,
// places have no gap, callers were told "unavailable" and nothing else, and it heals by itself.
import { setTimeout as pause } from "node:timers/promises"
import { sql } from "drizzle-orm"
import { Client } from "pg"
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from "vitest"
import { type Engine, statement, Unavailable } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { createLedger, type Ledger } from "../../src/ledger/ledger.ts"
import { emptyDatabase } from "../support/engine.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { type Held, startProxy, type Wire } from "../support/postgres-proxy.ts"
import { type PostgresServer, startPostgres } from "../support/postgres-server.ts"

vi.setConfig({ testTimeout: 60_000 })

/** Once a server can be reached again: the longest pause is one second, and the machine may be busy with others. */
const HEALED_MILLISECONDS = 5000
const VICTIM = "the-one-that-meets-the-fault"
const WRITERS = `FROM pg_stat_activity WHERE application_name = 'taskmint writer' AND datname = current_database()`
const END_WRITER = `SELECT pg_terminate_backend(pid, 2000) ${WRITERS}`

const places = statement<{ seq: number; resource: string }>(
  "places",
  sql`SELECT seq, resource FROM entry ORDER BY seq`,
)
const leaves = statement<{ leaves: number }>("leaves", sql`SELECT count(*) AS leaves FROM entry_bytes`)
const touch = statement("touch", sql`DELETE FROM setting`)

let server: PostgresServer
let database: TestDatabase
let proxy: Wire
let engine: Engine
let ledger: Ledger

beforeAll(async () => {
  server = await startPostgres()
  database = await createDatabase(server.address)
})
afterAll(() => server.remove()) // and its database with it
beforeEach(async () => {
  proxy = await startProxy(database.address)
  engine = await openPostgres({ address: proxy.address })
  await emptyDatabase(database) // of what the test before has left
  ledger = await createLedger({ engine, names: createNames(engine), clock: createFakeClock() })
})
afterEach(async () => {
  await engine.close()
  await proxy.close()
})

const record = (resource: string) => ledger.append([{ kind: "use.allowed", at: ledger.at(), resource }])

/** Writers that go on through whatever happens; answers what each was told. */
function startLoad(writers = 8) {
  const acknowledged: string[] = []
  const wrong: unknown[] = []
  let refused = 0
  let going = true
  const write = async (writer: number) => {
    for (let round = 0; going; round++) {
      const resource = `w${writer}/${round}`
      try {
        await record(resource)
        acknowledged.push(resource)
      } catch (error) {
        if (error instanceof Unavailable) refused += 1
        else wrong.push(error)
        await pause(5)
      }
    }
  }
  const ended = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
  return {
    async stop() {
      going = false
      await ended
      expect(wrong).toEqual([])
      return { acknowledged, refused }
    },
  }
}

async function untilHealed(): Promise<void> {
  const since = performance.now()
  for (;;) {
    try {
      await record(`healed ${since}`)
      return
    } catch (error) {
      expect(error).toBeInstanceOf(Unavailable)
      expect(performance.now() - since).toBeLessThan(HEALED_MILLISECONDS)
      await pause(10)
    }
  }
}

/** Everything acknowledged is there, once, in a ledger without gaps whose every place has its bytes. */
async function expectWhole(acknowledged: readonly string[]): Promise<string[]> {
  const rows = await engine.query(places)
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1))
  expect(await engine.query(leaves)).toEqual([{ leaves: rows.length }])
  const stored = rows.map(({ resource }) => resource)
  expect(new Set(stored).size).toBe(stored.length)
  expect(acknowledged.filter((one) => !stored.includes(one))).toEqual([])
  return stored
}

describe("I14 I19 a connection that ends in the middle", () => {
  const end = () => database.run(END_WRITER)
  const points: readonly [where: string, text: string][] = [
    ["BEGIN", "BEGIN"],
    ["an INSERT", VICTIM],
    ["COMMIT", "COMMIT"],
  ]
  const ways: Readonly<Record<string, (held: Held) => Promise<void> | void>> = {
    "its backend is terminated before": async (held) => {
      await end()
      held.pass()
    },
    "its backend is terminated after, and the answer is lost": async (held) => {
      await held.deliver()
      await end()
      held.cut()
    },
    "the network is cut before": (held) => held.cut(),
    "the network is cut after, and the answer is lost": async (held) => {
      await held.deliver()
      held.cut()
    },
  }
  const cases = points.flatMap(([where, text]) =>
    Object.entries(ways).map(([how, act]) => ({ where, text, how, act })),
  )

  test.each(cases)("at $where: $how", async ({ where, text, how, act }) => {
    await record("before")
    const met = proxy.at(text, act)
    const load = startLoad()
    await expect(record(VICTIM)).rejects.toBeInstanceOf(Unavailable)
    await met
    await untilHealed()
    const { acknowledged, refused } = await load.stop()
    expect(refused).toBeGreaterThan(0)
    const stored = await expectWhole(["before", ...acknowledged])
    // Of a COMMIT whose answer was lost the ledger says more than was acknowledged; of all else nothing is left.
    expect(stored.includes(VICTIM)).toBe(where === "COMMIT" && how.includes("after"))
  })

  test("a writer whose backend ends while it has nothing to do is made anew before anybody asks", async () => {
    await record("before")
    await end()
    await vi.waitFor(
      async () => expect(await database.run(`SELECT pid ${WRITERS} AND state = 'idle'`)).toHaveLength(1),
      {
        timeout: HEALED_MILLISECONDS,
      },
    )
    await record("after")
    await expectWhole(["before", "after"])
  })

  test("a connection that is held and says nothing is given up, and its backend lets go of the turn", async () => {
    await record("before")
    const met = proxy.at("COMMIT", (held) => held.mute())
    await expect(record(VICTIM)).rejects.toBeInstanceOf(Unavailable)
    await met
    await untilHealed()
    expect(await expectWhole(["before"])).not.toContain(VICTIM)
  })

  test("reads are refused while there is no connection, and answered again", async () => {
    await expectWhole([])
    await database.run(
      "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name LIKE 'taskmint%'",
    )
    await untilHealed()
    await expectWhole([])
  })
})

describe("I15 a server that stops", () => {
  test("at once, in the middle of a load, and comes back: nothing acknowledged is lost", async () => {
    const load = startLoad(16)
    await pause(200)
    await server.kill()
    await expect(record("while it is away")).rejects.toBeInstanceOf(Unavailable)
    await expect(engine.query(places)).rejects.toBeInstanceOf(Unavailable)
    await pause(300)
    await server.start()
    await untilHealed()
    const { acknowledged, refused } = await load.stop()
    expect(Math.min(acknowledged.length, refused)).toBeGreaterThan(10)
    expect(await expectWhole(acknowledged)).not.toContain("while it is away")
  })

  test.each([
    ["", "commits - 1"],
    [" to others", "CASE id WHEN 1 THEN commits - 1 ELSE commits END"],
    [", and has as much of others since", "CASE id WHEN 1 THEN commits + 10 ELSE commits - 1 END"],
  ])(
    "and is replaced by one that has lost what was acknowledged%s: nothing is ever committed again",
    async (_, count) => {
      await record("lost")
      await database.run(`UPDATE commit_count SET commits = ${count}`)
      await database.run(END_WRITER)
      expect(String(await engine.broken)).toMatch(/lost transactions that were acknowledged/)
      await expect(record("more")).rejects.toBeInstanceOf(Unavailable)
    },
  )
})

describe("I18 a server that keeps one waiting", () => {
  const turn = statement<{ turn: string }>(
    "turn",
    sql`SELECT CAST(pg_advisory_xact_lock(18) AS text) AS turn`,
  )
  /** Whatever else asks for it waits until it is released. */
  async function lock(text: string): Promise<() => Promise<void>> {
    const client = new Client(database.address)
    await client.connect()
    await client.query(`BEGIN; ${text}`)
    return () => client.end()
  }

  test("reads that find no connection are refused in time, and writes go on", async () => {
    const release = await lock("SELECT pg_advisory_xact_lock(18)")
    const slow = Array.from({ length: 4 }, () => engine.query(turn))
    const waiting = engine.query(places)
    await record("meanwhile")
    await expect(waiting).rejects.toBeInstanceOf(Unavailable)
    await release()
    expect(await Promise.all(slow)).toHaveLength(4)
    await expectWhole(["meanwhile"])
  })

  test("a table that somebody locks makes writes unavailable, not endless", async () => {
    const release = await lock("LOCK TABLE entry")
    await expect(record("locked out")).rejects.toBeInstanceOf(Unavailable)
    await release()
    await untilHealed()
    expect(await expectWhole([])).not.toContain("locked out")
  })
})

describe("I16 I20 a server that would lose what it acknowledges is refused", () => {
  /** Servers read their settings again in their own time. */
  async function set(setting: string, value: string): Promise<void> {
    await database.run(`ALTER SYSTEM SET ${setting} TO ${value}`)
    await database.run("SELECT pg_reload_conf()")
    const shown = async () => (await database.run(`SHOW ${setting}`))[0]?.[setting]
    await vi.waitFor(async () => expect(await shown()).toBe(value), { timeout: HEALED_MILLISECONDS })
  }

  test.each([
    ["fsync", "off", /fsync = off: it loses what it acknowledged/],
    ["full_page_writes", "off", /full_page_writes = off: a page that was half written/],
    ["synchronous_commit", "remote_write", /synchronous_commit = remote_write: it acknowledges before/],
  ])("%s = %s, at the start and whenever a connection is made anew", async (setting, value, says) => {
    onTestFinished(() => set(setting, "on"))
    await set(setting, value)
    await expect(openPostgres({ address: database.address })).rejects.toThrow(says)
    await database.run(END_WRITER)
    await vi.waitFor(() => expect(record("not now")).rejects.toThrow(says), { timeout: HEALED_MILLISECONDS })
    await set(setting, "on")
    await untilHealed()
  })

  // The last: from then on it is one.
  test("a standby, at the start and in the middle: what was acknowledged is read nowhere else", async () => {
    await server.demote()
    const says = /is a standby \(pg_is_in_recovery/
    await vi.waitFor(
      () => expect(engine.atomically([{ statement: touch, values: {} }])).rejects.toThrow(says),
      HEALED_MILLISECONDS,
    )
    await expect(engine.query(places)).rejects.toBeInstanceOf(Unavailable)
    await expect(openPostgres({ address: database.address })).rejects.toThrow(says)
  })
})
