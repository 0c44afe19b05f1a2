// What the spool keeps of uses: groups as they were written, parts of groups that were taken, and what a restart finds.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openFile } from "../../src/database/file.ts"
import { bytesOf, readGroup, type StoredUse, writeGroup } from "../../src/spool/group-row.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { newBatch, takingOf } from "../support/batch.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"

let folder: string
let spool: Spool
beforeEach(async () => {
  folder = newFolder()
  spool = await openSpool(join(folder, "uses.db"))
})
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})
const restart = async () => {
  await spool.close()
  spool = await openSpool(join(folder, "uses.db"))
}

const HEAD = { task: "task_1", text: '{"of":"one"' }
const OTHER = { task: "task_2", text: "" }
const use = (seq: number, head = HEAD): StoredUse => ({ seq, head, tail: `,"n":${seq}}` })
const uses = (...seqs: number[]) => writeGroup(seqs.map((seq) => use(seq)))
const KEY = importSigningKey(generatePrivateJwk("ES256"))
/** A batch of all that is there, but for those that stay. */
function batch(sequence: number, ...staying: number[]) {
  const { taking, uses } = takingOf(spool.oldestUses(1000), ({ seq }) => !staying.includes(seq))
  return [newBatch(sequence, uses, KEY), taking] as const
}
const NOTHING = { groups: [], split: [], pieces: [], highest: 0 }
const FIRST = { from: undefined, to: "chain" }
const seqsOf = () => spool.oldestUses(1000).map((group) => readGroup(group).map(({ seq }) => seq))

describe("uses in the spool", () => {
  test("come back in the groups in which they were written, whatever their text holds", async () => {
    const group = [use(1), { seq: 2, head: OTHER, tail: JSON.stringify({ route: "a b\nc\u2028{" }) }]
    await spool.addUses(writeGroup(group))
    await spool.addUses(uses(3))
    await restart()
    expect(spool.oldestUses(1000).map(readGroup)).toEqual([group, [use(3)]])
  })

  test("write what many of them have in common once, and read it as one object", async () => {
    const head = { task: "task_1", text: `{"text":"${"x".repeat(1000)}"` }
    const group = writeGroup([1, 2, 3].map((seq) => (seq === 2 ? use(seq) : use(seq, head))))
    expect(group.heads.length + group.tails.length).toBeLessThan(1100)
    await spool.addUses(group)
    await restart()
    const [first, second, third] = spool.oldestUses(10).flatMap(readGroup)
    expect([first?.head, second?.head]).toEqual([head, HEAD])
    expect(third?.head).toBe(first?.head)
  })

  test("that name a head which is not there are no uses", async () => {
    await spool.addUses({ ...uses(1), tails: '1 ,"n":1}' })
    expect(() => spool.oldestUses(10).flatMap(readGroup)).toThrow("move the spool aside")
  })

  test("are read no further than was asked for, but never half a group", async () => {
    for (const first of [1, 4, 7]) await spool.addUses(uses(first, first + 1, first + 2))
    expect(spool.oldestUses(4).flatMap(readGroup)).toHaveLength(6)
    expect(spool.oldestUses(1).flatMap(readGroup)).toHaveLength(3)
  })

  test("stay where a batch took only some of their group", async () => {
    await spool.addUses(uses(1, 2, 3))
    await spool.addUses(uses(4, 5))
    await spool.storeBatch(...batch(1, 2), FIRST)
    await restart()
    expect(seqsOf()).toEqual([[2]])
    expect(spool.highestSeq()).toBe(5)
    expect(spool.holdsThrough(1)).toBe(true)
    await spool.releaseBatch(1)
    expect([spool.holdsThrough(1), spool.holdsThrough(2)]).toEqual([false, true])
  })

  test("are taken whole or not at all: a group that is gone refuses the batch", async () => {
    await spool.addUses(uses(1, 2))
    const [one, all] = batch(1)
    await spool.storeBatch(one, all, FIRST)
    const again = { from: "chain", to: "other" }
    await expect(spool.storeBatch({ ...one, sequence: 2 }, all, again)).rejects.toThrow()
    await restart()
    expect([spool.oldestBatch()?.sequence, spool.chain(), seqsOf()]).toEqual([1, "chain", []])
    await spool.releaseBatch(1)
    await expect(spool.storeBatch({ ...one, sequence: 2 }, all, again)).rejects.toThrow()
  })

  test("make the batch that was signed of them again, to the byte", async () => {
    const hostile = { seq: 2, head: OTHER, tail: JSON.stringify({ route: "a b\nc\u2028{é😀" }) }
    await spool.addUses(writeGroup([use(1), hostile, use(3), use(4), use(5)]))
    await spool.addUses(uses(6, 7))
    const [first, some] = batch(1, 1, 4)
    await spool.storeBatch(first, some, FIRST)
    await spool.addUses(uses(8))
    const [second, others] = batch(2)
    await spool.storeBatch(second, others, { from: "chain", to: "next" })
    const empty = newBatch(3, [], KEY)
    await spool.storeBatch(empty, NOTHING, { from: "next", to: "last" })
    for (const { sequence, bytes } of [first, second, empty]) {
      await restart()
      const found = spool.oldestBatch()
      expect(found?.sequence).toBe(sequence)
      expect(Buffer.from(found?.bytes ?? []).toString()).toBe(Buffer.from(bytes).toString())
      await spool.releaseBatch(sequence)
    }
    expect([spool.oldestBatch(), spool.oldestUses(10), spool.holdsThrough(8)]).toEqual([undefined, [], false])
  })

  test("are counted by task after a restart, sealed or not", async () => {
    await spool.addUses(writeGroup([use(1), use(2, OTHER)]))
    await spool.addUses(uses(3))
    await spool.storeBatch(...batch(1, 1, 2), FIRST)
    await restart()
    const { tail } = use(1)
    const expected = { task_1: bytesOf(HEAD, tail) + 7, task_2: bytesOf(OTHER, tail) }
    expect(Object.fromEntries(spool.shares())).toEqual(expected)
  })
})

test("a spool of another version is refused and stays as it is", async () => {
  const path = join(folder, "old.db")
  const old = openFile(path, { create: true })
  old.exec("PRAGMA application_id = 0x7461736b; CREATE TABLE use (seq INTEGER PRIMARY KEY, text TEXT)")
  old.close()
  await expect(openSpool(path)).rejects.toThrow("another version of taskmint")
})
