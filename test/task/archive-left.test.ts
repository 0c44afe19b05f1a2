// What was left before a log that was begun anew is in no tree, and is archived like the rest: it is answered and verified as
// before, and what is missing of it holds nothing up.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openFolder } from "../../src/database/folder.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { acceptRollback } from "../../src/task/rollback.ts"
import { mustBe } from "../support/approvals.ts"
import { archiveAll, closeAll, pad } from "../support/archive.ts"
import { onPostgres } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const verify = async () => verifyLedger({ source: await databaseSource(world.engine) })
const bundles = statement<{ first: number; file: string | null }>(
  "test.bundles",
  sql`SELECT first, file FROM ledger_bundle ORDER BY first`,
)
const firsts = async () => (await world.engine.query(bundles)).map(({ first }) => first)
const lose = statement("test.lose", sql`DELETE FROM entry_bytes WHERE seq = 10`)
const loseRow = statement("test.lose_row", sql`DELETE FROM entry WHERE seq = 10`)

async function reopen(archive?: string): Promise<void> {
  const { folder, keyEncryptionKey, clock } = world
  await world.close()
  const opened = archive === undefined ? {} : { archive: await openFolder(archive) }
  world = await createWorld({ folder, keyEncryptionKey, clock, ...opened })
}
/** Another log begins behind what there is by then, which it answers. */
async function beginAnew(archive?: string): Promise<number> {
  await world.sequence.stop(JSON.stringify({ why: "rollback", theirs: "another" }))
  const origin = await acceptRollback(world)
  expect(typeof origin).toBe("string")
  await reopen(archive)
  const { entries } = await world.ledger.read({ kind: "ledger.begun", limit: 1000 })
  return (entries.at(-1)?.seq ?? 0) - 1
}
/** A task, and more entries than two tiles have. */
async function fill(): Promise<string> {
  const { taskId } = mustBe(await world.tasks.start("support-orchestrator", SUPPORT_START))
  await pad(world, 600)
  return taskId
}
const everything = async () => {
  const found: unknown[] = []
  for (let after: string | undefined; ; ) {
    const page = await world.ledger.read({ limit: 1000, ...(after !== undefined && { after }) })
    found.push(...page.entries)
    if (page.next === null) return found
    after = page.next
  }
}

test.each(onPostgres ? [false] : [false, true])(
  "it goes tile by tile, and is answered and verified; in files: %s",
  async (inFiles) => {
    const folder = newFolder()
    await fill()
    const left = await beginAnew(inFiles ? folder : undefined)
    await fill()
    await closeAll(world)
    const before = await everything()
    expect(await archiveAll(world)).toBe(4 * 256)
    expect(await firsts()).toEqual([1, 257, left + 1, left + 257])
    expect((await everything()).slice(0, before.length)).toEqual(before)
    const found = await verify()
    expect(found).toMatchObject({ verdict: "verified" })
    // Once more: now it is the log of before whose tiles are left.
    await beginAnew(inFiles ? folder : undefined)
    await closeAll(world)
    await archiveAll(world)
    expect((await everything()).slice(0, before.length)).toEqual(before)
    expect(await verify()).toMatchObject({ verdict: "verified" })
    if (!inFiles) return
    const files = (await world.engine.query(bundles)).map(({ file }) => file ?? "")
    const own = /^taskmint\.internal%2F[^/]+\/(left\/(1|257)|tile\/entries\/00[01])$/
    expect(files.filter((file) => own.test(file) && existsSync(join(folder, file)))).toHaveLength(
      files.length,
    )
    const one = join(folder, files[1] ?? "")
    writeFileSync(one, readFileSync(one).fill(0, 700, 701))
    expect(await verify()).toEqual({ verdict: "broken", how: `file_differs: ${files[1]}` })
  },
)

test("an entry of it that is missing holds up its own tile alone", async () => {
  await fill()
  await world.engine.atomically([
    { statement: lose, values: {}, rows: 1 },
    { statement: loseRow, values: {}, rows: 1 },
  ])
  await beginAnew()
  await closeAll(world)
  await archiveAll(world)
  expect(await firsts()).toEqual([11, 267])
  expect(await verify()).toMatchObject({ verdict: "verified" })
})

test("an entry of it that is another stays where it is, and is found", async () => {
  await fill()
  await beginAnew()
  await closeAll(world)
  const change = statement("test.change", sql`UPDATE entry_bytes SET bytes = leaf WHERE seq = 300`)
  await world.engine.atomically([{ statement: change, values: {}, rows: 1 }])
  await expect(archiveAll(world)).rejects.toThrow("are not those that were signed")
  expect(await firsts()).toEqual([])
  expect(await verify()).toMatchObject({ verdict: "broken", how: "entries_before_differ" })
})
