// Several engines on one PostgreSQL database, as several issuers have it: transactions follow each other, and each hears
// what the others commit.
import { setTimeout as pause } from "node:timers/promises"
import { Client } from "pg"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Duplicate, type Engine, statement, Unexpected } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { createNames } from "../../src/database/names.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { settle } from "../../src/database/postgres-session.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"

const p = (name: string) => sql.placeholder(name)
const put = statement("put", sql`INSERT INTO setting (key, value) VALUES (${p("key")}, ${p("value")})`)
const swap = statement(
  "swap",
  sql`UPDATE setting SET value = ${p("to")} WHERE key = 'head' AND value = ${p("from")}`,
)
const head = statement<{ value: string }>("head", sql`SELECT value FROM setting WHERE key = 'head'`)
const holdsHead = statement(
  "holds-head",
  sql`SELECT 1 AS one FROM setting WHERE key = 'head' AND value = ${p("from")}`,
)

let database: TestDatabase
let engines: Engine[]

beforeEach(async () => {
  database = await createDatabase()
  // At once, on an empty database: one of them makes the tables.
  engines = await Promise.all([1, 2, 3].map(() => openPostgres({ address: database.address })))
})
afterEach(async () => {
  await Promise.all(engines.map((engine) => engine.close()))
  await database.remove()
})

describe("several engines on one database", () => {
  test("places in the ledger have no gaps, and no entry is without its bytes", async () => {
    await Promise.all(
      engines.map(async (engine, at) => {
        const ledger = await createLedger({ engine, names: createNames(engine), clock: createFakeClock() })
        // Short transactions, one after the other, so that those of the three fall between each other.
        for (let n = 0; n < 60; n++) {
          const event = { kind: "task.refused" as const, at: ledger.at(), agent: `agent-${at}`, body: { n } }
          await ledger.append([event, event])
        }
      }),
    )
    const [row] =
      await database.run(`SELECT count(*)::int AS entries, min(seq)::int AS first, max(seq)::int AS last,
      (SELECT count(*)::int FROM entry_bytes) AS written FROM entry`)
    expect(row).toEqual({ entries: 360, first: 1, last: 360, written: 360 })
  })

  test("I17 64 writers at once, half of whom break a unique key: no gap, and nothing of the refused", async () => {
    await engines[0]?.atomically([{ statement: put, values: { key: "taken", value: "1" }, rows: 1 }])
    const ledgers = await Promise.all(
      engines.map((engine) => createLedger({ engine, names: createNames(engine), clock: createFakeClock() })),
    )
    const write = async (writer: number) => {
      const [engine, ledger] = [engines[writer % 3], ledgers[writer % 3]]
      if (!engine || !ledger) throw new Error("no engine")
      const entry = ledger.steps({
        kind: "task.refused",
        at: ledger.at(),
        agent: `writer-${writer}`,
        body: {},
      })
      const key = writer % 2 === 0 ? "taken" : `free-${writer}`
      await engine.atomically([...entry, { statement: put, values: { key, value: "1" }, rows: 1 }])
    }
    const results = await Promise.allSettled(Array.from({ length: 64 }, (_, writer) => write(writer)))
    const refused = results.flatMap((one) => (one.status === "rejected" ? [one.reason] : []))
    expect(refused).toHaveLength(32)
    for (const reason of refused) expect(reason).toBeInstanceOf(Duplicate)
    const [row] = await database.run(`SELECT count(*)::int AS entries, max(seq)::int AS last,
      (SELECT count(*)::int FROM entry_bytes) AS written FROM entry`)
    expect(row).toEqual({ entries: 32, last: 32, written: 32 })
  })

  test("every version has one winner, also where a guard only looks", async () => {
    await engines[0]?.atomically([{ statement: put, values: { key: "head", value: "0" }, rows: 1 }])
    const wins = await Promise.all(
      engines.map(async (engine, at) => {
        let won = 0
        for (let round = 0; round < 60; round++) {
          const [found] = await engine.query(head)
          const from = found?.value ?? ""
          try {
            await engine.atomically([
              { statement: holdsHead, values: { from }, rows: 1 },
              { statement: put, values: { key: `won-${from}`, value: String(at) }, rows: 1 },
              { statement: swap, values: { from, to: String(Number(from) + 1) }, rows: 1 },
            ])
            won++
          } catch (error) {
            expect(error).toBeInstanceOf(Unexpected)
          }
        }
        return won
      }),
    )
    const [found] = (await engines[0]?.query(head)) ?? []
    expect(Number(found?.value)).toBe(wins.reduce((all, won) => all + won, 0))
    expect(Number(found?.value)).toBeGreaterThan(0)
  })

  test("one that stands still in its turn lets the others pass within seconds", async () => {
    const stuck = new Client(database.address)
    stuck.on("error", () => undefined)
    const ended = new Promise<void>((resolve) => stuck.once("end", () => resolve()))
    await stuck.connect()
    await settle(stuck)
    await stuck.query("BEGIN; UPDATE commit_count SET commits = commits + 1 WHERE id = 1")
    const began = performance.now()
    await engines[1]?.atomically([{ statement: put, values: { key: "passed", value: "1" }, rows: 1 }])
    expect(performance.now() - began).toBeLessThan(4000)
    await ended
  })
})

test("the row in which each notes its last commit stays until a million others have followed", async () => {
  await database.run("INSERT INTO commit_count (id, commits) VALUES (-1, -1000001), (-2, -999000)")
  engines.push(await openPostgres({ address: database.address }))
  const rows = await database.run("SELECT id::int8 > 0 AS alive FROM commit_count WHERE id <> 1 AND id <> -2")
  expect(rows).toEqual(engines.map(() => ({ alive: true })))
})

/** A second is what it may take; the rest is for a busy machine, connections of the test's own among it. */
const HEARD_MILLISECONDS = 4000

describe("what others commit", () => {
  const tellFeed = () =>
    database.run(
      "INSERT INTO feed (kind, value, before, until, api, code) VALUES ('task', 't', 1, 2, 1, 'token_revoked')",
    )
  const heard = async (engine: Engine | undefined, act: () => Promise<unknown>) => {
    let count = 0
    const stop = engine?.hearOthers(() => void count++)
    await pause(100)
    const before = count
    const began = performance.now()
    await act()
    while (count === before && performance.now() - began < 5000) await pause(5)
    stop?.()
    return performance.now() - began
  }

  test.each([
    ["orders", tellFeed],
    ["the policy in force", () => database.run("UPDATE policy_in_force SET since = 1")],
    ["keys", () => database.run("UPDATE signing_key SET used_at = 1")],
  ])("is heard at once: %s", async (_, tell) => {
    expect(await heard(engines[2], tell)).toBeLessThan(HEARD_MILLISECONDS)
  })

  test("is looked for when the connection that listens is lost, and heard again", async () => {
    const cutListeners = () =>
      database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
      )
    expect(await heard(engines[2], cutListeners)).toBeLessThan(HEARD_MILLISECONDS)
    await pause(700)
    expect(await heard(engines[2], tellFeed)).toBeLessThan(HEARD_MILLISECONDS)
  })

  test("that nobody else must know at once disturbs nobody", async () => {
    let count = 0
    engines[2]?.hearOthers(() => void count++)
    await pause(300)
    const before = count
    await engines[0]?.atomically([{ statement: put, values: { key: "quiet", value: "1" }, rows: 1 }])
    await pause(200)
    expect(count).toBe(before)
  })
})
