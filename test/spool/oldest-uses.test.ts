// Which uses wait, told by every spool alike: on a disk, before a disk, and without one.
import { join } from "node:path"
import { afterEach, describe, expect, test } from "vitest"
import { rememberFront } from "../../src/spool/front.ts"
import { readGroup, writeGroup } from "../../src/spool/group-row.ts"
import { createMemorySpool } from "../../src/spool/memory-spool.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"

const HEAD = { task: "task_1", text: '{"of":"one"' }
let folder: string
let spool: Spool
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})

describe.each([
  ["on a disk", async () => openSpool(join(folder, "uses.db"))],
  [
    "before a disk",
    async () => rememberFront(await openSpool(join(folder, "uses.db")), { uses: 2, page: 1 }),
  ],
  ["in memory", async () => createMemorySpool()],
])("the oldest uses %s", (_, open) => {
  const seqsOf = (limit: number, after?: number) =>
    spool.oldestUses(limit, undefined, after).flatMap((group) => readGroup(group).map(({ seq }) => seq))

  test("are as many as were asked for, from the first on or behind a number", async () => {
    folder = newFolder()
    spool = await open()
    for (const seq of [1, 2, 3, 4, 5])
      void spool.addUses(writeGroup([{ seq, head: HEAD, tail: `,"id":"${seq}"}` }])).catch(() => undefined)
    await expect.poll(() => seqsOf(9)).toEqual([1, 2, 3, 4, 5])
    expect(seqsOf(2)).toEqual([1, 2])
    expect(seqsOf(2, 0)).toEqual([1, 2])
    expect(seqsOf(2, 3)).toEqual([4, 5])
    expect(seqsOf(9, 4)).toEqual([5])
    expect(seqsOf(9, 5)).toEqual([])
  })
})
