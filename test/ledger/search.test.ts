// Entries are found by every filter of the contract, page by page, and shown in its shape.
import { type SQL, sql } from "drizzle-orm"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Engine, type Statement, statement, type Values } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import type { Event } from "../../src/ledger/event.ts"
import { createLedger, type Ledger } from "../../src/ledger/ledger.ts"
import { type EntryFilter, findIn, isCursor } from "../../src/ledger/search.ts"
import { newestPlace } from "../../src/ledger/statements.ts"
import { testPlace } from "../support/engine.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const TASK_KEY = new Uint8Array(32).fill(3)

async function open() {
  const engine = await openDatabase((await testPlace(newFolder())).place)
  return {
    engine,
    ledger: await createLedger({ engine, names: createNames(engine), clock: createFakeClock() }),
  }
}

/** Two tasks with a token each, as the task room inserts them. */
async function insertTasks(engine: Engine): Promise<void> {
  const names = createNames(engine)
  await names.ensure(["t"])
  const subjects = statement("subjects", sql`INSERT INTO subject (text) VALUES ('people/ana'), ('orch')`)
  const tasks = statement(
    "tasks",
    sql`INSERT INTO task (task_id, type, agent, instance, orchestrator, subject, state, started_at, deadline, reference,
      request_digest, policy, authority) VALUES
      ('task_1', 1, 1, 1, 1, 1, 'active', 1, 2, 'run-1', 'd', 'p', '[]'), ('task_2', 1, 1, 1, 1, 2, 'active', 1, 2, NULL, 'd', 'p', '[]')`,
  )
  const tokens = statement(
    "tokens",
    sql`INSERT INTO token (jti, task, api, iat, exp, kid, generation) VALUES
      ('tok_1', 1, 1, 1, 2, 1, 1), ('tok_2', 2, 1, 1, 2, 1, 1)`,
  )
  await engine.atomically([subjects, tasks, tokens].map((one) => ({ statement: one, values: {} })))
}

describe("reading", () => {
  let engine: Engine
  let ledger: Ledger
  beforeAll(async () => {
    ;({ engine, ledger } = await open())
    await insertTasks(engine)
    const at = (n: number) => 1_700_000_000_000 + n * 1000
    const use = { agent: "bot", instance: "pod-1", orchestrator: "orch", api: "https://tickets" } as const
    const events: readonly Event[] = [
      {
        kind: "task.started",
        at: at(1),
        task: "task_1",
        agent: "bot",
        orchestrator: "orch",
        sub: "people/ana",
        reference: "run-1",
        outcome: "allowed",
      },
      {
        kind: "token.issued",
        at: at(2),
        task: "task_1",
        jti: "tok_1",
        agent: "bot",
        orchestrator: "orch",
        outcome: "allowed",
      },
      {
        ...use,
        kind: "use.allowed",
        at: at(3),
        task: "task_1",
        jti: "tok_1",
        operation: "tickets:read",
        resource: "tickets/A_1",
        outcome: "allowed",
      },
      {
        ...use,
        kind: "use.refused",
        at: at(4),
        task: "task_2",
        jti: "tok_2",
        operation: "tickets:close",
        resource: "tickets/AX1",
        outcome: "refused",
        code: "operation_not_granted",
      },
      {
        kind: "task.refused",
        at: at(5),
        orchestrator: "other",
        reference: "run-9",
        sub: "people/ben",
        outcome: "refused",
        body: { purpose: "why" },
      },
      { kind: "alarm.raised", at: at(6), body: { text: "loud" } },
      {
        kind: "use.allowed",
        at: at(7),
        jti: "tok_1",
        agent: "bot2",
        instance: "pod-2",
        resource: "tickets/%",
        outcome: "allowed",
      },
    ]
    for (const event of events)
      await engine.atomically(ledger.steps(event, event.task === undefined ? undefined : TASK_KEY, true))
  })
  afterAll(() => engine.close())

  const filters: readonly [EntryFilter, readonly number[]][] = [
    [{}, [1, 2, 3, 4, 5, 6, 7]],
    [{ task: "task_1" }, [1, 2, 3, 7]],
    [{ task: "task_0" }, []],
    [{ reference: "run-1" }, [1, 2, 3, 7]],
    [{ reference: "run-9" }, [5]],
    [{ reference: "run-0" }, []],
    [{ jti: "tok_1" }, [2, 3, 7]],
    [{ jti: "tok_0" }, []],
    [{ agent: "bot" }, [1, 2, 3, 4]],
    [{ agent: "nobody" }, []],
    [{ instance: "pod-2" }, [7]],
    [{ orchestrator: "other" }, [5]],
    [{ sub: "people/ana" }, [1]],
    [{ sub: "people/nobody" }, []],
    [{ api: "https://tickets" }, [3, 4]],
    [{ operation: "tickets:close" }, [4]],
    [{ resource: "tickets/" }, [3, 4, 7]],
    [{ resource: "tickets/A_" }, [3]],
    [{ resource: "tickets/%" }, [7]],
    [{ resource: "%" }, []],
    [{ resource: "" }, [3, 4, 7]],
    [{ kind: "use.allowed" }, [3, 7]],
    [{ outcome: "refused" }, [4, 5]],
    [{ from: 1_700_000_005_000 }, [5, 6, 7]],
    [{ to: 1_700_000_003_000 }, [1, 2]],
    [{ from: 1_700_000_003_000, to: 1_700_000_004_000 }, [3]],
    [{ task: "task_1", kind: "use.allowed", agent: "bot", outcome: "allowed", resource: "tickets/A" }, [3]],
    [{ task: "task_1", agent: "bot2", orchestrator: "orch" }, []],
    [{ agent: "' OR 1=1 --" }, []],
  ]
  test.each(filters)("%j", async (filter, expected) => {
    const { entries, next } = await ledger.read(filter)
    expect(entries.map((entry) => entry.seq)).toEqual(expected)
    expect(next).toBeNull()
  })

  test("entries have the contract's shape, values in clear and absent members left out", async () => {
    const { entries } = await ledger.read({})
    expect(entries[0]).toEqual({
      seq: 1,
      at: "2023-11-14T22:13:21.000Z",
      kind: "task.started",
      task_id: "task_1",
      agent: "bot",
      orchestrator: "orch",
      sub: "people/ana",
      reference: "run-1",
      outcome: "allowed",
    })
    expect(entries[4]).toMatchObject({ sub: "people/ben", reference: "run-9", body: { purpose: "why" } })
    expect(entries[5]).toEqual({
      seq: 6,
      at: "2023-11-14T22:13:26.000Z",
      kind: "alarm.raised",
      body: { text: "loud" },
    })
  })

  test("pages neither repeat nor miss an entry, also while the ledger grows", async () => {
    const grow = () =>
      ledger.append(Array.from({ length: 4 }, () => ({ kind: "alarm.raised", at: 1, agent: "grown" })))
    const seen: number[] = []
    await grow()
    for (let page = await ledger.read({ agent: "grown", limit: 3 }); ; ) {
      seen.push(...page.entries.map((entry) => entry.seq))
      if (page.next === null) break
      if (seen.length < 20) await grow()
      page = await ledger.read({ agent: "grown", limit: 3, after: page.next })
    }
    expect(seen.length).toBeGreaterThan(20)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual(
      (await ledger.read({ agent: "grown", limit: 1000 })).entries.map((entry) => entry.seq),
    )
  })

  test("a thousand entries are a page, and no more", async () => {
    await ledger.append(Array.from({ length: 1001 }, () => ({ kind: "alarm.raised", at: 1, agent: "many" })))
    const page = await ledger.read({ agent: "many", limit: 1000 })
    expect(page.entries).toHaveLength(1000)
    const rest = await ledger.read({ agent: "many", limit: 1000, after: page.next ?? undefined })
    expect([rest.entries.length, rest.next]).toEqual([1, null])
    expect((await ledger.read({ agent: "many" })).entries).toHaveLength(100)
  })

  test("what is rare is found in a long ledger, wherever it stands", async () => {
    const { engine: long, ledger: longLedger } = await open()
    const places = [1, 50_000, 50_001, 100_000, 100_001, 120_000]
    const fill = (into: SQL, values: SQL) =>
      statement(
        "fill",
        sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
          INSERT INTO ${into} SELECT ${values} FROM n`,
      )
    const rare = sql.raw(`CASE WHEN i IN (${places.join()}) THEN 'rare' ELSE 'often' END`)
    const entries = fill(sql`entry (seq, at, kind, resource)`, sql`i, i, 1, ${rare}`)
    const bytes = fill(
      sql`entry_bytes (seq, bytes, leaf)`,
      sql`i, ${sql.placeholder("bytes")}, ${sql.placeholder("bytes")}`,
    )
    await long.atomically([
      { statement: entries, values: {}, rows: 120_000 },
      { statement: bytes, values: { bytes: Buffer.from("{}") }, rows: 120_000 },
    ])
    const { entries: found, next } = await longLedger.read({ resource: "rare" })
    expect([found.map((entry) => entry.seq), next]).toEqual([places, null])
    const first = await longLedger.read({ resource: "rare", limit: 3 })
    const second = await longLedger.read({ resource: "rare", limit: 3, after: first.next ?? undefined })
    expect([...first.entries, ...second.entries].map((entry) => entry.seq)).toEqual(places)
    expect(second.next).toBeNull()
    await long.close()
  })

  test.each<[EntryFilter, number]>([
    [{ task: "task_1" }, 1],
    [{ jti: "tok_1" }, 1],
    [{ jti: "tok_1", kind: "token.issued", after: Buffer.from("2").toString("base64url") }, 1],
    [{ agent: "nobody" }, 200],
  ])("%j is %d looks at a ledger of 10,000,000 entries", async (filter, looks) => {
    let looked = 0
    const large: Engine = {
      atomically: (steps) => engine.atomically(steps),
      hearOthers: (listener) => engine.hearOthers(listener),
      scrub: () => engine.scrub(),
      close: () => engine.close(),
      broken: engine.broken,
      query: async <Row>(one: Statement<Row>, values?: Values) => {
        const rows = await engine.query(one, values)
        if (one.name === newestPlace.name) return rows.map((row) => ({ ...row, seq: 10_000_000 }))
        looked += 1
        return rows
      },
    }
    expect(await findIn(large, filter)).toEqual(await ledger.read(filter))
    expect(looked).toBe(looks)
  })

  test.each([0, 1001, 1.5, -1, Number.NaN])("a limit of %d is misuse", async (limit) => {
    await expect(ledger.read({ limit })).rejects.toBeInstanceOf(TypeError)
  })

  const cursors = ["", "0", "MA", "LTE", "MQ==", " MQ", "MS41", "MQ\n", "OTk5OTk5OTk5OTk5OTk5OTk5", "MDE"]
  test.each(cursors)("%j is no cursor", async (after) => {
    expect(isCursor(after)).toBe(false)
    await expect(ledger.read({ after })).rejects.toBeInstanceOf(TypeError)
  })

  test("a cursor past the end is an empty page", async () => {
    const after = Buffer.from("999999").toString("base64url")
    expect(isCursor(after)).toBe(true)
    expect(await ledger.read({ after })).toEqual({ entries: [], next: null })
  })
})
