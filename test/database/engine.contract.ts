// What every engine must do, as one suite that each engine's test runs on a real database of its own. The schema is
// the product's: the suite writes to `name`, `setting` and `spent`, and leaves the meaning of the tables alone.
import { inspect } from "node:util"
import { sql } from "drizzle-orm"
import fc from "fast-check"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import {
  Duplicate,
  type Engine,
  type Step,
  statement,
  Unavailable,
  Unexpected,
  type Value,
} from "../../src/database/database.ts"

/** One database: engines can be opened on it one after the other. */
export interface Bed {
  open(): Promise<Engine>
  remove(): Promise<void>
}

const p = (name: string) => sql.placeholder(name)
const put = statement("put", sql`INSERT INTO setting (key, value) VALUES (${p("key")}, ${p("value")})`)
const swap = statement(
  "swap",
  sql`UPDATE setting SET value = ${p("to")} WHERE key = ${p("key")} AND value = ${p("from")}`,
)
const holds = statement(
  "holds",
  sql`SELECT key FROM setting WHERE key = ${p("key")} AND value = ${p("value")}`,
)
const drop = statement("drop", sql`DELETE FROM setting WHERE key = ${p("key")}`)
const get = statement<{ value: string }>("get", sql`SELECT value FROM setting WHERE key = ${p("key")}`)
const all = statement<{ key: string }>("all", sql`SELECT key FROM setting ORDER BY key`)
const spend = statement(
  "spend",
  sql`INSERT INTO spent (digest, until) VALUES (${p("digest")}, ${p("until")})`,
)
const spent = statement<{ digest: Uint8Array; until: number }>("spent", sql`SELECT digest, until FROM spent`)
const clear = statement("clear", sql`DELETE FROM setting`)
const clearSpent = statement("clear-spent", sql`DELETE FROM spent`)
const broken = statement("broken", sql`INSERT INTO no_such_table (a) VALUES (${p("secret")})`)
const nothing = statement("nothing", sql`INSERT INTO setting (key, value) VALUES (${p("key")}, NULL)`)
const unowned = statement(
  "unowned",
  sql`INSERT INTO use_batch (instance, sequence, digest) VALUES (999, 1, 'd')`,
)
const second = statement("second", sql`INSERT INTO policy_in_force (id, digest, since) VALUES (2, 'd', 1)`)

const step = (of: Step["statement"], values: Step["values"], rows?: number | "any"): Step =>
  rows === undefined ? { statement: of, values } : { statement: of, values, rows }
const putting = (key: string, value = "v"): Step => step(put, { key, value }, 1)

export function engineContract(createBed: () => Promise<Bed>): void {
  let bed: Bed
  let engine: Engine
  beforeAll(async () => {
    bed = await createBed()
    engine = await bed.open()
  })
  beforeEach(() => engine.atomically([clear, clearSpent].map((of) => step(of, {}))))
  afterAll(async () => {
    await engine.close()
    await bed.remove()
  })
  const keys = async () => (await engine.query(all)).map((row) => row.key)

  describe("all or nothing", () => {
    const refusals: readonly [string, Step, typeof Unexpected][] = [
      ["a change met fewer rows", step(swap, { key: "a", from: "no", to: "yes" }, 1), Unexpected],
      ["a change met more rows", step(swap, { key: "a", from: "v", to: "w" }, 0), Unexpected],
      ["a deletion met no row", step(drop, { key: "missing" }, 1), Unexpected],
      ["a guard found no row", step(holds, { key: "a", value: "other" }, 1), Unexpected],
      ["a guard found a row it must not", step(holds, { key: "a", value: "v" }, 0), Unexpected],
      ["a primary key is taken", step(put, { key: "a", value: "again" }), Duplicate],
      ["a check refuses the row", step(second, {}), Duplicate],
      ["a column must not be null", step(nothing, { key: "n" }), Unexpected],
      ["a row points nowhere", step(unowned, {}), Unexpected],
    ]
    test.each(refusals)("nothing takes place when %s", async (_, failing, kind) => {
      await engine.atomically([putting("a")])
      const refused = engine.atomically([putting("b"), failing, putting("c")])
      const error = await refused.then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toBeInstanceOf(kind)
      expect(error instanceof Duplicate).toBe(kind === Duplicate)
      expect(error).toMatchObject({ statement: failing.statement.name, step: 1 })
      expect(await keys()).toEqual(["a"])
      expect(await engine.query(get, { key: "a" })).toEqual([{ value: "v" }])
    })

    test("steps see what earlier steps of the same transaction did", async () => {
      await engine.atomically([
        putting("a", "1"),
        step(swap, { key: "a", from: "1", to: "2" }, 1),
        step(holds, { key: "a", value: "2" }, 1),
      ])
      expect(await engine.query(get, { key: "a" })).toEqual([{ value: "2" }])
    })

    test("empty bytes are bytes, alone in their transaction too", async () => {
      await engine.atomically([step(spend, { digest: new Uint8Array(), until: 1 }, 1)])
      expect((await engine.query(spent)).map(({ digest }) => digest?.length)).toEqual([0])
    })

    test("a step without a number of rows takes any", async () => {
      await engine.atomically([step(drop, { key: "missing" }), step(drop, { key: "missing" }, "any")])
      await engine.atomically([])
      expect(await keys()).toEqual([])
    })
  })

  describe("many at once", () => {
    test("a refused transaction takes none of its neighbours with it", async () => {
      await engine.atomically([putting("taken")])
      const results = await Promise.allSettled(
        Array.from({ length: 60 }, (_, n) =>
          engine.atomically(n % 3 === 0 ? [putting(`no-${n}`), putting("taken")] : [putting(`yes-${n}`)]),
        ),
      )
      expect(results.map((one) => one.status)).toEqual(
        results.map((_, n) => (n % 3 === 0 ? "rejected" : "fulfilled")),
      )
      expect((await keys()).filter((key) => key.startsWith("yes-"))).toHaveLength(40)
      expect((await keys()).filter((key) => key.startsWith("no-"))).toEqual([])
    })

    test("neither when their statements are new to the connection, and some wait for the same one", async () => {
      await engine.atomically([putting("taken")])
      const fresh = statement("fresh", sql`INSERT INTO setting (key, value) VALUES (${p("key")}, 'fresh')`)
      const results = await Promise.allSettled([
        engine.atomically([putting("taken")]),
        ...[1, 2, 3].map((n) => engine.atomically([step(fresh, { key: `fresh-${n}` })])),
      ])
      expect(results.map((one) => one.status)).toEqual(["rejected", "fulfilled", "fulfilled", "fulfilled"])
    })

    test("of 64 that want the same key one gets it, the others learn that it is taken", async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 64 }, (_, n) => engine.atomically([putting("one", String(n))])),
      )
      expect(results.filter((one) => one.status === "fulfilled")).toHaveLength(1)
      for (const one of results) if (one.status === "rejected") expect(one.reason).toBeInstanceOf(Duplicate)
    })

    test("a compare and swap has one winner for every version", async () => {
      await engine.atomically([putting("count", "0")])
      let won = 0
      const climb = async () => {
        for (let round = 0; round < 20; round++) {
          const [now] = await engine.query(get, { key: "count" })
          const from = now?.value ?? ""
          const swapped = engine.atomically([
            step(swap, { key: "count", from, to: String(Number(from) + 1) }, 1),
          ])
          await swapped.then(
            () => won++,
            (error: unknown) => expect(error).toBeInstanceOf(Unexpected),
          )
        }
      }
      await Promise.all(Array.from({ length: 8 }, climb))
      expect(won).toBeGreaterThanOrEqual(20)
      expect(await engine.query(get, { key: "count" })).toEqual([{ value: String(won) }])
    })

    test("random mixtures of good and bad transactions leave exactly the good ones", async () => {
      const mixture = fc.array(fc.array(fc.nat({ max: 8 }), { minLength: 1, maxLength: 4 }), {
        maxLength: 20,
      })
      await fc.assert(
        fc.asyncProperty(mixture, async (requests) => {
          await engine.atomically((await keys()).map((key) => step(drop, { key }, 1)))
          const results = await Promise.allSettled(
            requests.map((wanted) => engine.atomically(wanted.map((key) => putting(`k${key}`)))),
          )
          const kept = requests.flatMap((wanted, n) => (results[n]?.status === "fulfilled" ? wanted : []))
          expect(await keys()).toEqual(kept.map((key) => `k${key}`).sort())
        }),
        { numRuns: 40 },
      )
    })
  })

  describe("values", () => {
    test("texts come back as they were given", async () => {
      const texts = ["", "'; DROP TABLE setting; --", "% _ \\", "naïve ☃ 😀", "a\u0301", "x".repeat(100_000)]
      await engine.atomically(texts.map((value, n) => putting(`t${n}`, value)))
      for (const [n, value] of texts.entries())
        expect(await engine.query(get, { key: `t${n}` })).toEqual([{ value }])
    })

    test("bytes and whole numbers come back as they were given, views of a larger buffer included", async () => {
      const pool = Buffer.from("....0123456789....")
      const rows: readonly [Uint8Array, number][] = [
        [pool.subarray(4, 14), Number.MAX_SAFE_INTEGER],
        [new Uint8Array(0), 0],
        [Uint8Array.from({ length: 256 }, (_, n) => n), -1],
      ]
      await engine.atomically(rows.map(([digest, until]) => step(spend, { digest, until }, 1)))
      const found = await engine.query(spent)
      expect(found.map((row) => [Buffer.from(row.digest).toString("hex"), row.until]).sort()).toEqual(
        rows.map(([digest, until]) => [Buffer.from(digest).toString("hex"), until]).sort(),
      )
    })

    test("a text with a NUL is looked for like any other, and not found", async () => {
      await engine.atomically([putting("a"), putting("a\ufffd")])
      for (const key of ["\0", "a\0", "a\0\ufffd"]) expect(await engine.query(get, { key })).toEqual([])
    })

    test("rows come in the statement's order, with its column names, none as an empty list", async () => {
      await engine.atomically([putting("b"), putting("a")])
      expect(await engine.query(all)).toEqual([{ key: "a" }, { key: "b" }])
      expect(await engine.query(get, { key: "missing" })).toEqual([])
    })
  })

  describe("misuse and faults", () => {
    const SECRET = "s3cr3t-value"
    const wrong: readonly [string, Step][] = [
      ["a value is missing", { statement: put, values: { key: SECRET } }],
      ["a value is undefined", step(put, { key: SECRET, value: undefined as never })],
      ["a value is a boolean", step(put, { key: SECRET, value: true as never })],
      ["a value is not a number", step(put, { key: SECRET, value: Number.NaN })],
      ["a statement can't be prepared", step(broken, { secret: SECRET })],
    ]
    test.each(wrong)("TypeError when %s, and the engine goes on", async (_, bad) => {
      const error = await engine.atomically([putting("x"), bad]).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(TypeError)
      expect(inspect(error, { depth: 9 })).toContain(bad.statement.name)
      await engine.atomically([putting("y")])
      expect(await keys()).toEqual(["y"])
    })

    test("no error shows a statement's text or a value", async () => {
      await engine.atomically([putting(SECRET)])
      const failures = await Promise.allSettled([
        engine.atomically([putting(SECRET, SECRET)]),
        engine.atomically([step(swap, { key: SECRET, from: SECRET, to: SECRET }, 1)]),
        engine.atomically([step(nothing, { key: `${SECRET}2` })]),
        engine.atomically([step(broken, { secret: SECRET })]),
        engine.query(broken, { secret: SECRET }),
        engine.query(get, { wrong: SECRET }),
      ])
      for (const failure of failures) {
        expect(failure.status).toBe("rejected")
        const shown =
          failure.status === "rejected" ? inspect(failure.reason, { depth: 9, showHidden: true }) : ""
        expect(shown).not.toMatch(/s3cr3t|INSERT|UPDATE|SELECT|VALUES/)
      }
    })

    test("reading can't write", async () => {
      const values: Record<string, Value> = { key: "a", value: "v" }
      await expect(engine.query(put, values)).rejects.toBeInstanceOf(TypeError)
      const returning = statement(
        "returning",
        sql`INSERT INTO setting (key, value) VALUES ('a', 'v') RETURNING key`,
      )
      await expect(engine.query(returning)).rejects.toBeInstanceOf(Unavailable)
      expect(await keys()).toEqual([])
    })
  })

  describe("the end", () => {
    test("closing waits for what was accepted, and it is there afterwards", async () => {
      const accepted = Array.from({ length: 200 }, (_, n) => engine.atomically([putting(`k${n}`)]))
      await Promise.all([engine.close(), engine.close(), ...accepted])
      engine = await bed.open()
      expect(await keys()).toHaveLength(200)
    })

    test("a closed engine neither reads nor writes", async () => {
      await engine.close()
      await expect(engine.atomically([putting("a")])).rejects.toBeInstanceOf(Unavailable)
      await expect(engine.query(all)).rejects.toBeInstanceOf(Unavailable)
      engine = await bed.open()
    })
  })
}
