// History is made anew, as far as somebody gets who owns the disk but no key of the ledger, or who holds that too: then by
// who kept a checkpoint. And what stands beside the hashed bytes.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { leafHash } from "../../src/ledger/merkle.ts"
import { both, remove, shift } from "../support/ledger-edits.ts"
import { type LedgerFile, makeLedgerFile } from "../support/ledger-file.ts"
import { slowRoot } from "../support/slow-tree.ts"

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

/** The entry says something else, and its row and its hash say so too. */
function rewrite(seq: number): void {
  const bytes = bytesAt(seq)
  const text = Buffer.from(bytes)
    .toString("utf8")
    .replace(/"at":"\d{4}/, '"at":"2031')
  const changed = Buffer.from(text)
  const at = Date.parse(JSON.parse(text).at)
  run("UPDATE entry_bytes SET bytes = ?, leaf = ? WHERE seq = ?", changed, leafHash(changed), seq)
  run("UPDATE entry SET at = ? WHERE seq = ?", at, seq)
}
function rebuildTree(): void {
  const leaves = ledger.database
    .prepare("SELECT leaf FROM entry_bytes ORDER BY seq")
    .pluck()
    .all() as Buffer[]
  const { size } = one<{ size: number }>("SELECT size FROM ledger_tree")
  run("UPDATE ledger_node SET hash = ? WHERE level = 1 AND place = 0", slowRoot(leaves.slice(0, 256)))
  const hashes: Buffer[] = []
  for (let level = 20, from = 0; level >= 0; level--) {
    if ((size & (2 ** level)) === 0) continue
    hashes.push(slowRoot(leaves.slice(from, from + 2 ** level)))
    from += 2 ** level
  }
  run("UPDATE ledger_tree SET frontier = ?", Buffer.concat(hashes))
}
/** As if nothing had been signed beyond. */
function cutTree(size: number): void {
  run("DELETE FROM ledger_checkpoint WHERE size > ?", size)
  run("DELETE FROM ledger_node WHERE place >= ?", Math.floor(size / 256))
  run("UPDATE ledger_tree SET size = ?", size)
  rebuildTree()
}

describe("history is made anew", () => {
  test("H03: an entry and its hash are rewritten", async () => {
    const found = await ledger.changed(() => rewrite(20))
    expect(found).toMatchObject({ verdict: "broken", how: "root_differs" })
    if (found.verdict === "broken")
      expect([(found.seq ?? 0) <= 20, (found.to ?? 0) >= 20]).toEqual([true, true])
  })

  test("H03: and with it the whole tree, to the head", async () => {
    const found = await ledger.changed(() => {
      rewrite(ledger.entries - 2)
      rebuildTree()
    })
    expect(found).toMatchObject({ verdict: "broken", how: "root_differs", to: ledger.entries })
  })

  test("H04, H05, H06: and cut back consistently, by who holds any later checkpoint", async () => {
    const notes = ledger.notes
    const older = Number(notes[1]?.split("\n")[1])
    const cut = () => {
      for (const table of ["entry_bytes", "entry"]) run(`DELETE FROM ${table} WHERE seq > ?`, older)
      cutTree(older)
    }
    // By itself it is a ledger like any other: that is why checkpoints are kept elsewhere.
    expect(await ledger.changed(cut)).toMatchObject({ verdict: "verified", signed: older })
    expect(await ledger.changed(cut, { earlier: notes.at(-1) ?? "" })).toMatchObject({
      verdict: "broken",
      seq: older + 1,
      how: "entries_missing",
    })
  })

  test("H05: the tail is cut off behind the tree, or with the newest checkpoint", async () => {
    const tail = both((table) => `DELETE FROM ${table} WHERE seq > ${ledger.entries - 3}`)
    expect(await ledger.changed(tail)).toMatchObject({ verdict: "broken", how: "entries_missing" })
    const andCheckpoint = [...tail, `DELETE FROM ledger_checkpoint WHERE size > ${ledger.entries - 3}`]
    expect(await ledger.changed(andCheckpoint)).toMatchObject({ verdict: "broken", how: "entries_missing" })
  })

  test("H08: the newest checkpoint is an older one, of another log, of another key", async () => {
    const place = (note: string) => () =>
      run("UPDATE ledger_checkpoint SET note = ? WHERE size = ?", note, ledger.entries)
    const last = ledger.notes.at(-1) ?? ""
    for (const note of [
      ledger.notes[0] ?? "",
      last.replace("taskmint", "other"),
      last.replace(/\n\d+\n/, "\n1\n"),
      "",
      "x",
    ])
      expect(await ledger.changed(place(note))).toMatchObject({ verdict: "broken" })
    // Of the oldest nobody can say that it is from before a key handed over, unless such a key signed it.
    const oldest = ledger.notes[0] ?? ""
    const renamed = () =>
      run(
        "UPDATE ledger_checkpoint SET note = ? WHERE note = ?",
        oldest.replace("\u2014 t", "\u2014 x"),
        oldest,
      )
    expect(await ledger.changed(renamed)).toMatchObject({ verdict: "broken", how: "checkpoint_unsigned" })
    const stranger = "taskmint.internal+96f50a10+AYRvq4PZwTWpJ8fBVU7mAHqBWpqrrkmwRk0pUkXcAn7Q"
    await expect(ledger.verify({ key: stranger })).rejects.toThrow(TypeError)
    const other = await makeLedgerFile(1)
    expect(await ledger.verify({ key: other.vkey })).toMatchObject({
      verdict: "broken",
      how: "checkpoint_unsigned",
    })
    await other.remove()
  })
})

describe("what stands beside the bytes", () => {
  test("H10: the stored bytes are hashed, not what they mean", async () => {
    const bytes = bytesAt(5)
    const text = Buffer.from(bytes).toString("utf8")
    for (const same of [` ${text}`, text.replace('"at"', '"\\u0061t"'), text.replace("{", '{"at":1,')])
      expect(
        await ledger.changed(() => run("UPDATE entry_bytes SET bytes = ? WHERE seq = 5", Buffer.from(same))),
      ).toMatchObject({ verdict: "broken", seq: 5, how: "leaf_differs" })
  })

  test("H13: values that are erased with their key leave the ledger whole, and are counted", async () => {
    const { id } = one<{ id: number }>("SELECT id FROM task LIMIT 1")
    const erase = [
      `UPDATE entry_bytes SET personal = NULL, key = NULL WHERE seq IN (SELECT seq FROM entry WHERE task = ${id})`,
      `UPDATE entry SET resource = NULL, subject = NULL, reference = NULL WHERE task = ${id}`,
      `UPDATE task SET key = NULL, reference = NULL WHERE id = ${id}`,
    ]
    expect(await ledger.changed(erase)).toMatchObject({
      verdict: "verified",
      signed: ledger.entries,
      erased: { sub: expect.any(Number), purpose: 1, inputs: 1 },
    })
    // Without the key being gone, a value that is missing is a value that somebody took.
    expect(await ledger.changed(erase.slice(1, 2))).toMatchObject({ verdict: "broken" })
  })

  test("H14: a use is taken out before its batch is told of, and nothing that was signed says so any more", async () => {
    const found = await ledger.changed(() => {
      const { seq } = one<{ seq: number }>(
        "SELECT max(e.seq) AS seq FROM entry e JOIN name n ON n.id = e.kind AND n.text = 'use.allowed'",
      )
      for (const sql of [...remove(seq), ...shift(seq + 1, -1)]) ledger.database.exec(sql)
      cutTree(
        one<{ size: number }>("SELECT max(size) AS size FROM ledger_checkpoint WHERE size < ?", seq).size,
      )
    })
    expect(found).toMatchObject({ verdict: "broken", how: "uses_missing" })
  })

  test("H17: what searching finds is what was hashed", async () => {
    const { seq } = one<{ seq: number }>("SELECT max(seq) AS seq FROM entry WHERE outcome = 1")
    const found = await ledger.changed(`UPDATE entry SET outcome = 0 WHERE seq = ${seq}`)
    expect(found).toEqual({ verdict: "broken", seq, how: "row_differs: outcome" })
  })
})
