// Somebody owns the disk and rewrites what was archived: whatever is changed in a bundle, or in the rows that stayed, is found.
import { hash, randomInt } from "node:crypto"
import { brotliCompressSync, brotliDecompressSync } from "node:zlib"
import { afterAll, beforeAll, expect, test } from "vitest"
import { leafHash } from "../../src/ledger/merkle.ts"
import { flipped } from "../support/ledger-edits.ts"
import { type LedgerFile, makeLedgerFile } from "../support/ledger-file.ts"

let ledger: LedgerFile
beforeAll(async () => {
  ledger = await makeLedgerFile(560, true)
})
afterAll(() => ledger.remove())

interface Bundle {
  readonly first: number
  readonly leaves: Buffer
  readonly packed: Buffer
}
const bundleAt = (first: number) =>
  ledger.database.prepare("SELECT * FROM ledger_bundle WHERE first = ?").get(first) as Bundle
const one = (sql: string, ...values: unknown[]) =>
  ledger.database
    .prepare(sql)
    .pluck()
    .get(...values)
const run = (sql: string, ...values: unknown[]) => ledger.database.prepare(sql).run(...values)
const sha256 = (bytes: Buffer) => hash("sha256", bytes, "buffer")

test("untouched it is verified, from its bundles", async () => {
  expect(ledger.database.prepare("SELECT first FROM ledger_bundle ORDER BY first").pluck().all()).toEqual([
    1, 257,
  ])
  for (const earlier of [undefined, ...ledger.notes])
    expect(
      await ledger.verify({ key: ledger.vkey, ...(earlier !== undefined && { earlier }) }),
    ).toMatchObject({
      verdict: "verified",
      signed: ledger.entries,
    })
})

test.each(["first", "leaves", "packed", "digest"])("H01: one value of %s is another", async (column) => {
  for (let times = 0; times < 12; times++) {
    const first = times % 2 === 0 ? 1 : 257
    const value = one(`SELECT ${column} FROM ledger_bundle WHERE first = ?`, first)
    const to = flipped(value, randomInt)
    const found = await ledger.changed(() => {
      run(`UPDATE ledger_bundle SET ${column} = ? WHERE first = ?`, to, first)
    })
    expect(found).toMatchObject({ verdict: "broken" })
    const { seq = 0 } = found.verdict === "broken" ? found : {}
    // Of all but the leaves, which stand one by one, the whole bundle can't be read.
    if (column === "leaves") expect(Math.floor((seq - 1) / 256)).toBe((first - 1) / 256)
    else if (column !== "first") expect(found).toMatchObject({ how: "bytes_missing", seq: first })
  }
})

test("H03: an entry is another, with its leaf and all that says how the bundle was made", async () => {
  const { leaves, packed } = bundleAt(257)
  const plain = brotliDecompressSync(packed)
  const [length, second] = [plain.readUInt16BE(0), Buffer.from(leaves)]
  plain.writeUInt8(plain.readUInt8(length) === 0x31 ? 0x32 : 0x31, length - 5)
  leafHash(plain.subarray(2, 2 + length)).copy(second)
  const forged = brotliCompressSync(plain)
  const change = () => {
    const sql = "UPDATE ledger_bundle SET leaves = ?, packed = ?, digest = ? WHERE first = 257"
    run(sql, second, forged, sha256(forged))
  }
  expect(await ledger.changed(change)).toMatchObject({
    verdict: "broken",
    how: expect.stringMatching(/differs|not_an/),
  })
})

const NO_BUNDLE = "DELETE FROM ledger_bundle WHERE first = 257"
test.each([
  ["a bundle is gone", NO_BUNDLE, { seq: 257, how: "bytes_missing" }],
  [
    "two have changed places",
    [
      "UPDATE ledger_bundle SET first = -first",
      "UPDATE ledger_bundle SET first = 258 + first WHERE first < 0",
    ],
    { seq: 1, how: expect.any(String) },
  ],
  [
    "a bundle stands twice",
    `INSERT INTO ledger_bundle SELECT 100000, leaves, packed, digest, file FROM ledger_bundle WHERE first = 1`,
    { how: "entries_without_row" },
  ],
  ["a row of an archived entry is gone", "DELETE FROM entry WHERE seq = 300", { how: "entries_without_row" }],
  [
    "what was archived is in a row, too",
    "UPDATE entry_bytes SET bytes = x'7b7d' WHERE seq = (SELECT min(seq) FROM entry_bytes)",
    { how: "entries_without_row" },
  ],
  [
    "a row of an archived entry has a leaf",
    "UPDATE entry_bytes SET leaf = zeroblob(32) WHERE seq = (SELECT min(seq) FROM entry_bytes)",
    { how: "bytes_missing" },
  ],
  [
    "something stands beside an entry that never was",
    "INSERT INTO entry_bytes (seq, bytes, leaf) SELECT max(seq) + 1, x'', x'' FROM entry",
    { how: "entries_without_row" },
  ],
  [
    "a value beside an archived entry is another",
    "UPDATE entry SET resource = 'tickets/SUP-9' WHERE seq = (SELECT min(seq) FROM entry WHERE resource IS NOT NULL)",
    { how: "value_differs: resource" },
  ],
  [
    "what is searched of an archived entry is another",
    "UPDATE entry SET outcome = 0 WHERE seq = (SELECT min(seq) FROM entry WHERE outcome = 1)",
    { how: "row_differs: outcome" },
  ],
])("H02: %s", async (_how, sql, found) => {
  expect(await ledger.changed(sql)).toMatchObject({ verdict: "broken", ...found })
})

test("H02: a bundle that says to rest in a file, where nobody has one, is not verified", async () => {
  const change = "UPDATE ledger_bundle SET file = 'tile/entries/000' WHERE first = 1"
  await expect(ledger.changed(change)).rejects.toThrow("tile/entries/000")
})
