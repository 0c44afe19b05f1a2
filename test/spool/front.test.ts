// A spool that remembers what it was given answers as the disk would, whatever is done to it and however often it is opened.
import { join } from "node:path"
import { expect, test } from "vitest"
import type { StoredBatch } from "../../src/spool/batch-row.ts"
import { rememberFront } from "../../src/spool/front.ts"
import { readGroup, writeGroup } from "../../src/spool/group-row.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { newBatch, takingOf } from "../support/batch.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"

const HEAD = { task: "t", text: "" }
const KEY = importSigningKey(generatePrivateJwk("ES256"))

const plain = (batch: StoredBatch | undefined) => batch && { ...batch, bytes: [...batch.bytes] }

/** Numbers that look random and are the same in every run. */
function numbers(seed: number) {
  let state = seed
  return (below: number) => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** One spool, driven through what a verifier does; each answer is compared with the disk's. */
async function drive(seed: number, steps: number) {
  const folder = newFolder()
  const path = join(folder, "uses.db")
  const next = numbers(seed)
  const seen = { fromDisk: 0, fromMemory: 0, partly: 0 }
  const open = async () => {
    const disk = await openSpool(path)
    const counting: Spool = {
      ...disk,
      oldestUses(...of) {
        seen.fromDisk++
        return disk.oldestUses(...of)
      },
    }
    const spool = rememberFront(counting, { uses: 150, page: 50 })
    return { disk, spool, lastSeq: spool.highestSeq() }
  }
  let { disk, spool, lastSeq } = await open()
  try {
    for (let step = 0; step < steps; step++) {
      const turn = next(20)
      if (turn < 10) {
        const group = Array.from({ length: 1 + next(40) }, () => ({
          seq: ++lastSeq,
          head: { task: `task_${next(3)}`, text: '{"a":1' },
          tail: `,"n":${lastSeq}}`,
        }))
        await spool.addUses(writeGroup(group))
      } else if (turn < 16) {
        const groups = spool.oldestUses(1 + next(100))
        const chosen = new Set(groups.flatMap(readGroup).flatMap(({ seq }) => (next(4) > 0 ? [seq] : [])))
        const { taking, uses } = takingOf(groups, ({ seq }) => chosen.has(seq))
        if (taking.split.length > 0) seen.partly++
        const from = spool.chain()
        const sequence = Number(from ?? 0) + 1
        const batch = newBatch(sequence, uses, KEY)
        expect(await spool.storeBatch(batch, taking, { from, to: String(sequence) })).toBe(true)
      } else if (turn < 19) {
        const oldest = spool.oldestBatch()
        if (oldest) await spool.releaseBatch(oldest.sequence)
      } else {
        await spool.close()
        ;({ disk, spool, lastSeq } = await open())
      }
      const limit = 1 + next(200)
      const before = disk.oldestUses(limit)
      const { fromDisk } = seen
      expect(spool.oldestUses(limit)).toEqual(before)
      if (seen.fromDisk === fromDisk) seen.fromMemory++
      expect(plain(spool.oldestBatch())).toEqual(plain(disk.oldestBatch()))
    }
  } finally {
    await spool.close()
    removeFolder(folder)
  }
  return seen
}

test.each([1, 2, 3])("what is remembered is what the disk holds (seed %i)", async (seed) => {
  const seen = await drive(seed, 150)
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(0)
})

test("more than is remembered is read from the disk, each use once, and none of it is passed over", async () => {
  const folder = newFolder()
  const disk = await openSpool(join(folder, "uses.db"))
  const read: number[] = []
  const spool = rememberFront({
    ...disk,
    oldestUses(...of) {
      const groups = disk.oldestUses(...of)
      read.push(...groups.map(({ first }) => first))
      return groups
    },
  })
  for (let first = 1; first < 15_000; first += 250)
    await spool.addUses(
      writeGroup(Array.from({ length: 250 }, (_, at) => ({ seq: first + at, head: HEAD, tail: "{}" }))),
    )
  let sequence = 0
  for (let groups = spool.oldestUses(1000); groups.length > 0; groups = spool.oldestUses(1000)) {
    expect(groups).toEqual(disk.oldestUses(1000))
    const { taking, uses } = takingOf(groups, () => true)
    const from = spool.chain()
    const to = String(++sequence)
    await spool.storeBatch(newBatch(sequence, uses, KEY), taking, { from, to })
  }
  expect([sequence, disk.oldestUses(1)]).toEqual([15, []])
  expect(read.length).toBeGreaterThan(10)
  expect(new Set(read).size).toBe(read.length)
  await spool.close()
  removeFolder(folder)
})

test("what is read from the disk before it is known to be there is not there twice", async () => {
  const folder = newFolder()
  const disk = await openSpool(join(folder, "uses.db"))
  const spool: Spool = rememberFront({
    ...disk,
    async addUses(group) {
      const unserved = await disk.addUses(group)
      expect(spool.oldestUses(10)).toHaveLength(1)
      return unserved
    },
  })
  await spool.addUses(writeGroup([{ seq: 1, head: HEAD, tail: "{}" }]))
  expect(spool.oldestUses(10)).toHaveLength(1)
  await spool.close()
  removeFolder(folder)
})
