// Somebody owns the disk and rewrites what happened: every way of doing so that is told of in the catalogue is found, and
// the first entry that does not fit is named.
import { randomInt } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { leafHash } from "../../src/ledger/merkle.ts"
import { both, COLUMNS, copyTo, flipped, remove, runEdits, shift, swap } from "../support/ledger-edits.ts"
import { type LedgerFile, makeLedgerFile } from "../support/ledger-file.ts"

let ledger: LedgerFile
beforeAll(async () => {
  ledger = await makeLedgerFile()
})
afterAll(() => ledger.remove())

const one = <Row>(sql: string, ...values: unknown[]): Row =>
  ledger.database.prepare(sql).get(...values) as Row
const bytesAt = (seq: number) =>
  one<{ bytes: Buffer }>("SELECT bytes FROM entry_bytes WHERE seq = ?", seq).bytes
const run = (sql: string, ...values: unknown[]) => ledger.database.prepare(sql).run(...values)

test("an untouched ledger is verified, by its own word, by a key and by every checkpoint there was", async () => {
  expect(await ledger.verify()).toMatchObject({
    verdict: "verified",
    origin: "taskmint.internal",
    signed: ledger.entries,
    unsigned: 0,
    erased: {},
  })
  for (const earlier of ledger.notes)
    expect(await ledger.verify({ key: ledger.vkey, earlier })).toMatchObject({ verdict: "verified" })
})

describe("H01: one value of one row is another", () => {
  test.each(COLUMNS)("%s.%s", async (table, column) => {
    const rows = ledger.database
      .prepare(`SELECT rowid AS id, ${column} AS value FROM ${table} WHERE ${column} IS NOT NULL`)
      .all() as { id: number; value: unknown }[]
    const missed: unknown[] = []
    for (let times = 0; times < Math.min(12, 4 * rows.length); times++) {
      const { id, value } = rows[randomInt(rows.length)] ?? { id: 0, value: "" }
      const to = flipped(value, randomInt)
      const found = await ledger.changed(() => {
        try {
          run(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`, to, id)
        } catch {
          run(`DELETE FROM ${table} WHERE rowid = ?`, id) // the place is taken: then the row is gone instead
        }
      })
      if (found.verdict !== "broken") missed.push({ id, value, to })
    }
    expect(rows.length).toBeGreaterThan(0)
    expect(missed).toEqual([])
  })

  test.each(COLUMNS.filter(([table]) => table === "entry" || table === "entry_bytes"))(
    "%s.%s is gone",
    async (table, column) => {
      const { id } = one<{ id: number }>(`SELECT max(rowid) AS id FROM ${table} WHERE ${column} IS NOT NULL`)
      const change = `UPDATE ${table} SET ${column} = NULL WHERE rowid = ${id}`
      // The schema does not let some be nothing, and a key that is gone with its values is an erasure, which is told.
      const found = await ledger.changed(change).catch(() => ({ verdict: "refused" }))
      expect(found.verdict).toMatch(/^(broken|refused)$/)
    },
  )

  test("any byte of an entry, and its place is named", async () => {
    for (let times = 0; times < 60; times++) {
      const seq = 1 + randomInt(ledger.entries)
      const bytes = bytesAt(seq)
      const found = await ledger.changed(() =>
        run("UPDATE entry_bytes SET bytes = ? WHERE seq = ?", flipped(bytes, randomInt), seq),
      )
      expect(found).toEqual({ verdict: "broken", seq, how: "leaf_differs" })
    }
  })

  test.each([
    ["a byte that is nothing behind it", (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)])],
    ["a mark of byte order before it", (bytes: Buffer) => Buffer.concat([Buffer.from("\ufeff"), bytes])],
  ])("what was hashed, with %s", async (_what, change) => {
    const bytes = change(bytesAt(40))
    const found = await ledger.changed(() => run("UPDATE entry_bytes SET bytes = ? WHERE seq = 40", bytes))
    expect(found).toEqual({ verdict: "broken", seq: 40, how: "leaf_differs" })
  })

  test("bytes that are no UTF-8, where what stands for such was hashed", async () => {
    const [before, after] = [Buffer.from('{"kind":"'), Buffer.from('"}')]
    const leaf = leafHash(Buffer.concat([before, Buffer.from("\ufffd"), after]))
    for (const wrong of [[0xff], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80]]) {
      const bytes = Buffer.concat([before, Buffer.from(wrong), after])
      const found = await ledger.changed(() =>
        run("UPDATE entry_bytes SET bytes = ?, leaf = ? WHERE seq = 40", bytes, leaf),
      )
      expect(found).toEqual({ verdict: "broken", seq: 40, how: "leaf_differs" })
    }
  })

  test("a name that entries point to", async () => {
    const used = ledger.database
      .prepare(`SELECT DISTINCT n.id AS id, n.text AS text FROM name n JOIN entry e
        ON n.id IN (e.kind, e.agent, e.instance, e.orchestrator, e.api, e.operation, e.code)`)
      .all() as { id: number; text: string }[]
    expect(used.length).toBeGreaterThan(10)
    for (const { id, text } of used) {
      const found = await ledger.changed(() => run("UPDATE name SET text = ? WHERE id = ?", `${text}x`, id))
      expect(found).toMatchObject({ verdict: "broken", how: expect.stringMatching(/^row_differs/) })
    }
  })
})

describe("H02: rows are taken out, put in, moved", () => {
  const cases: readonly [string, () => readonly string[], object][] = [
    ["the first is deleted", () => remove(1), { seq: 1, how: "entry_missing" }],
    ["one in the middle is deleted", () => remove(40), { seq: 40, how: "entry_missing" }],
    ["the last is deleted", () => remove(ledger.entries), { how: "entries_missing" }],
    ["one is deleted and the rest moves up", () => [...remove(150), ...shift(151, -1)], {}],
    ["two change places", () => swap(30, 31), {}],
    ["two far apart change places", () => swap(3, 250), {}],
    ["one is there twice", () => [...shift(41, 1), ...copyTo(40, 41)], {}],
    ["one is put in at the front", () => [...shift(1, 1), ...copyTo(20, 1)], {}],
    [
      "the bytes of one are deleted",
      () => ["DELETE FROM entry_bytes WHERE seq = 40"],
      { seq: 40, how: "bytes_missing" },
    ],
    ["bytes without a row are put in", () => copyTo(40, 100_000).slice(1), { how: "entries_without_row" }],
    ["all are deleted", () => both((table) => `DELETE FROM ${table}`), { seq: 1 }],
  ]
  test.each(cases)("%s", async (_what, sql, found) => {
    expect(await ledger.changed(sql())).toMatchObject({ verdict: "broken", ...found })
  })
})

test("H01, H02: a thousand entries, any byte, number or row of which is another: found, and where", async () => {
  const larger = await makeLedgerFile(940)
  try {
    expect(larger.entries).toBeGreaterThanOrEqual(1000)
    expect(await larger.verify()).toMatchObject({ verdict: "verified" })
    const { missed, seed, ...edits } = await runEdits(larger, 1000, Date.now())
    expect({ missed, seed }).toEqual({ missed: [], seed })
    expect(Math.min(edits.bytes, edits.rows, edits.values)).toBeGreaterThan(80)
    expect(await larger.verify()).toMatchObject({ verdict: "verified" })
  } finally {
    await larger.remove()
  }
}, 120_000)
