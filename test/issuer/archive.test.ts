// Archiving over HTTP, and by a retention: who may, what is answered, and that it is told of.
import { execFileSync } from "node:child_process"
import { closeSync, linkSync, openSync, readdirSync, readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { toInstant } from "../../src/time.ts"
import { createFolders } from "../support/folder.ts"
import { type House, openHouse } from "../support/issuer-house.ts"

const newFolder = createFolders()
let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const archive = (json: unknown, as: "operations-team" | "audit-team" = "operations-team") =>
  house.ask("POST", "/ledger/archive", { as, json })
const before = () => toInstant(house.clock.now())
const told = async () => {
  const { body } = await house.ask("GET", "/ledger/entries?kind=ledger.archived", { as: "audit-team" })
  return (body.entries as { body: object }[]).map((entry) => entry.body)
}
/** Each query is an entry. */
async function pad(of = house): Promise<void> {
  const query = () => of.call("GET", "/ledger/entries?limit=1", { as: "audit-team" })
  await query() // signed in
  for (let n = 0; n < 256; n += 64) await Promise.all(Array.from({ length: 64 }, query))
  of.clock.advance(1000)
  await of.issuer.sweep()
}

/** Another house, whose first entries have gone to the folder by its retention. */
async function openArchived() {
  const folder = newFolder()
  const other = await openHouse()
  await other.restart({ archive: folder, retentionSeconds: 86_400 })
  await pad(other)
  other.clock.advance(2 * 86_400_000)
  await other.issuer.sweep()
  return { other, folder }
}

test("an operator archives what is old, some thousand at a time, and is told why it ends", async () => {
  const none = {
    status: 200,
    body: { entries: 0, bytes_before: 0, bytes_after: 0, more: false, end: "unsigned" },
  }
  expect(await archive({ before: before() })).toEqual(none)
  await pad()
  const done = await archive({ before: before() })
  expect(done).toMatchObject({
    status: 200,
    body: { entries: 256, from: 1, to: 256, more: false, end: "unsigned" },
  })
  expect(Number(done.body.bytes_after)).toBeLessThan(Number(done.body.bytes_before) / 2)
  expect(await told()).toMatchObject([{ by: "operations-team", as: "operations-team", from: 1, to: 256 }])
})

test.each([
  [{}, "/before"],
  [{ before: "90d" }, "/before"],
  [{ before: "2100-01-01T00:00:00Z" }, "/before"],
  [{ before: "2026-01-01T00:00:00Z", to: "/elsewhere" }, "/to"],
  [{ before: "2026-01-01T00:00:00Z", by: "me" }, ""],
])("%j is 400", async (json, pointer) => {
  expect(await archive(json)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } })
})

test("whoever does not operate may not", async () => {
  expect(await archive({ before: before() }, "audit-team")).toMatchObject({ status: 403 })
})

test("without a retention nothing goes by itself; with one, what is older does", async () => {
  await pad()
  house.clock.advance(90 * 86_400_000)
  await house.issuer.sweep()
  expect(await told()).toHaveLength(1)
  await house.restart({ retentionSeconds: 91 * 86_400 })
  await house.issuer.sweep()
  expect(await told()).toHaveLength(1)
  await house.restart({ retentionSeconds: 89 * 86_400 })
  await house.issuer.sweep()
  expect((await told()).slice(1)).toMatchObject([{ by: "retention", from: 257, to: 512 }])
  expect(house.faults).toEqual([])
})

test("to files goes what the folder is for that the issuer was started with, and they are served as tiles", async () => {
  const folder = newFolder()
  await house.restart({ archive: folder })
  expect(await archive({ before: before(), to: `${folder}/..` })).toMatchObject({
    status: 400,
    body: { errors: [{ pointer: "/to", expected: expect.stringContaining("TASKMINT_ARCHIVE") }] },
  })
  const tile = () => house.call("GET", "/ledger/tile/entries/000", { as: "audit-team" })
  const served = Buffer.from(await (await tile()).arrayBuffer())
  const done = await archive({ before: before(), to: folder })
  expect(done).toMatchObject({ status: 200, body: { entries: 512, from: 1, to: 512, more: true } })
  expect(readFileSync(join(folder, "tile/entries/000")).equals(served)).toBe(true)
  expect(Buffer.from(await (await tile()).arrayBuffer()).equals(served)).toBe(true)
  expect(done.body.bytes_in_files).toBeGreaterThan(served.length)
  expect((await told()).at(-1)).toMatchObject({ by: "operations-team", from: 1, to: 512, files: true })
})

test("by a retention it goes to the folder, where there is one; and no issuer starts that could not find it", async () => {
  const { other, folder } = await openArchived()
  expect(readdirSync(join(folder, "tile/entries"))).toEqual(["000"])
  await expect(other.restart()).rejects.toThrow("--archive")
  await expect(other.restart({ archive: join(folder, "none") })).rejects.toThrow("is no folder")
  await other.restart({ archive: folder })
  await other.remove()
})

test("files that can't be read are a warning until they can, and so is a folder that hangs", async () => {
  const { other, folder } = await openArchived()
  const warnings = async () => (await other.ask("GET", "/readyz")).body.warnings
  const warned = (than: readonly string[], passing = 2000) =>
    vi.waitFor(async () => {
      other.clock.advance(passing)
      expect(await warnings()).toEqual(than)
    })
  await warned([])
  const [file, aside] = [join(folder, "tile/entries/000"), join(folder, "aside")]
  renameSync(file, aside)
  await warned(["archive_away"])
  renameSync(aside, file)
  await warned([])

  const hanging = join(folder, "hanging")
  execFileSync("mkfifo", [hanging]) // whoever reads it waits for somebody who writes
  linkSync(file, aside)
  renameSync(hanging, file)
  try {
    await warned(["archive_away"], 6000)
  } finally {
    const opened = openSync(file, "r+")
    renameSync(aside, file)
    closeSync(opened) // what was read of it is nothing
  }
  await warned([])
  await other.remove()
})
