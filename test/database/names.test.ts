// Names are stored once, and a name not known to be stored is always interned again.
import { sql } from "drizzle-orm"
import { expect, test } from "vitest"
import { statement, Unexpected } from "../../src/database/database.ts"
import { createNames, nameId } from "../../src/database/names.ts"
import { holdEngine } from "../support/engine-hooks.ts"

const all = statement<{ text: string }>("all", sql`SELECT text FROM name ORDER BY id`)
const put = statement(
  "put",
  sql`INSERT INTO start_minute (type, minute, count) VALUES (${nameId("type")}, 1, 1)`,
)
const guard = statement("guard", sql`SELECT 1 FROM setting WHERE key = 'no such'`)
const read = statement<{ text: string }>(
  "read",
  sql`SELECT name.text AS text FROM start_minute JOIN name ON name.id = start_minute.type`,
)

const held = holdEngine()

test("a name is one row, however often it is interned and by however many", async () => {
  const [one, other] = [createNames(held.engine), createNames(held.engine)]
  await Promise.all([one.ensure(["a", "b"]), other.ensure(["b", "a"]), one.ensure(["a"])])
  expect((await held.engine.query(all)).map((row) => row.text).sort()).toEqual(["a", "b"])
})

test("once known to be stored it needs no step", async () => {
  const names = createNames(held.engine)
  expect(names.steps(["c", "c"])).toHaveLength(1)
  await names.ensure(["c"])
  expect(names.steps(["c"])).toEqual([])
})

test("a name whose transaction was refused is interned again", async () => {
  const names = createNames(held.engine)
  const refused = held.engine.atomically([...names.steps(["d"]), { statement: guard, values: {}, rows: 1 }])
  await expect(refused).rejects.toBeInstanceOf(Unexpected)
  for (let round = 0; round < 3; round++) {
    expect(names.steps(["d"])).toHaveLength(1)
    await null
  }
})

test("a name whose transaction took place is noticed without being asked for", async () => {
  const names = createNames(held.engine)
  await held.engine.atomically(names.steps(["e"]))
  // Each asking looks it up once more beside other work, on a connection of its own where there are several.
  await expect.poll(() => names.steps(["e"])).toEqual([])
})

test("statements find it by its text", async () => {
  const names = createNames(held.engine)
  await held.engine.atomically([
    ...names.steps(["triage"]),
    { statement: put, values: { type: "triage" }, rows: 1 },
  ])
  expect(await held.engine.query(read)).toEqual([{ text: "triage" }])
  await expect(
    held.engine.atomically([{ statement: put, values: { type: "never interned" }, rows: 1 }]),
  ).rejects.toBeInstanceOf(Unexpected)
})
