// Catalogue I11: a copy while the issuer writes, an issuer on the copy, and what is refused. Copies are made by the command, as
// operators make them, by a process of its own beside the one that writes.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterEach, describe, expect, test, vi } from "vitest"
import { copyDatabase } from "../../src/database/backup.ts"
import { runCli, startCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"

vi.setConfig({ testTimeout: 60_000 })
const newFolder = createFolders()
const houses: House[] = []
afterEach(async () => {
  await Promise.all(houses.splice(0).map((one) => one.remove()))
})

async function open(): Promise<House> {
  const house = await openHouse()
  houses.push(house)
  return house
}

const databaseOf = (house: House) => join(house.folder, "issuer.db")
const backup = (from: string, to: string, ...more: readonly string[]) =>
  runCli(["backup", "--database", `sqlite:${from}`, "--to", to, ...more])
const startTask = (house: House, reference: string) =>
  house.ask("POST", "/tasks", { as: "support-orchestrator", json: { ...START, reference } })
async function entriesOf(house: House): Promise<unknown[]> {
  const found: unknown[] = []
  for (let after = ""; ; ) {
    const { body } = await house.ask("GET", `/ledger/entries?limit=1000${after}`, { as: "audit-team" })
    if (Array.isArray(body.entries)) found.push(...body.entries)
    if (typeof body.next !== "string") return found
    after = `&after=${body.next}`
  }
}

test("I11 a copy made under load is one moment of the ledger, and an issuer goes on from it", async () => {
  const house = await open()
  const before = await startTask(house, "before")
  const keys = await house.ask("GET", "/.well-known/jwks.json")
  let copying = true
  const load = async () => {
    while (copying) await house.ask("GET", "/ledger/entries?limit=1", { as: "audit-team" })
  }
  const loading = Promise.all([load(), load(), load(), load()])
  const to = join(newFolder(), "copy.db")
  const { code, stdout, stderr } = await backup(databaseOf(house), to, "--json")
  copying = false
  await loading
  expect([code, stderr]).toEqual([0, ""])
  const told: { entries: number; newest: { seq: number } } = JSON.parse(stdout)
  expect(told.newest.seq).toBe(told.entries)
  expect(readdirSync(join(to, ".."))).toEqual(["copy.db"])
  expect(statSync(to).mode & 0o777).toBe(0o600)

  const whole = await entriesOf(house)
  expect(whole.length).toBeGreaterThan(told.entries) // it went on while it was copied
  await house.restart({ database: to })
  expect(await house.ask("GET", "/.well-known/jwks.json")).toEqual(keys)
  const restored = await entriesOf(house)
  expect(restored.slice(0, told.entries)).toEqual(whole.slice(0, told.entries))
  const again = await startTask(house, "before")
  expect([again.status, again.body.task_id]).toEqual([200, before.body.task_id])
  expect((await startTask(house, "after")).status).toBe(201)
})

test("I11 what it says is for people, too, and names what the copy lacks", async () => {
  const house = await open()
  await house.issuer.close()
  const { code, stdout, stderr } = await backup(databaseOf(house), join(newFolder(), "copy.db"))
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/copy\.db {2}\d+ bytes, \d+ entries, up to \d+ at 20.*; checked$/m),
  ])
  expect(stderr).toMatch(/key-encryption key[\s\S]*policy files/)
})

test("I11 a copy is verified where it lies, with its archive's copy, and is left as it was", async () => {
  const house = await open()
  await startTask(house, "before")
  await house.issuer.sweep() // it signs
  await house.issuer.close()
  const [folder, archive] = [newFolder(), newFolder()]
  const to = join(folder, "copy.db")
  expect((await backup(databaseOf(house), to)).code).toBe(0)
  const whole = readFileSync(to)
  for (const more of [[], ["--archive", archive]]) {
    const { code, stdout, stderr } = await runCli(["ledger", "verify", "--database", `sqlite:${to}`, ...more])
    expect([code, stdout], stderr).toEqual([0, expect.stringMatching(/^verified {2}\d+ entries of /)])
  }
  expect([readdirSync(folder), readFileSync(to).equals(whole)]).toEqual([["copy.db"], true])
})

test("I11 a copy that was killed leaves nothing by its name, and the next try is whole", async () => {
  const from = await makeLarge()
  const to = join(newFolder(), "copy.db")
  const one = startCli(["backup", "--database", `sqlite:${from}`, "--to", to])
  await vi.waitFor(() => expect(statSync(`${to}.partial`).size).toBeGreaterThan(1_000_000), {
    timeout: 20_000,
    interval: 1,
  })
  one.child.kill("SIGKILL")
  await one.ended
  expect(existsSync(to)).toBe(false)
  expect(existsSync(`${to}.partial`)).toBe(true)
  expect((await backup(from, to)).code).toBe(0)
  expect(readdirSync(join(to, ".."))).toEqual(["copy.db"])
  expect(fillersIn(to)).toBe(FILLERS)
})

test("I11 what is written between the pages is not in the copy, and does not begin it anew", async () => {
  const from = await makeLarge()
  const to = join(newFolder(), "copy.db")
  const writer = new Sqlite(from)
  const put = writer.prepare("INSERT INTO setting (key, value) VALUES (?, ?)")
  let written = 0
  const progress = () => {
    if (written < 40) put.run(`filler-late-${written++}`, "x")
  }
  await copyDatabase({ from, to, progress })
  writer.close()
  expect(written).toBeGreaterThan(5)
  expect(written).toBeLessThan(40)
  expect([fillersIn(to), fillersIn(from)]).toEqual([FILLERS, FILLERS + written])
})

describe("I11 what is no backup says so, and leaves nothing", () => {
  const cases: readonly (readonly [
    what: string,
    make: (from: string) => readonly [string, string],
    says: RegExp,
  ])[] = [
    ["a copy that is there", (from) => [from, existing()], /nothing is overwritten/],
    ["the database itself", (from) => [from, from], /nothing is overwritten/],
    ["a folder that is missing", (from) => [from, join(newFolder(), "no", "copy.db")], /is not a folder/],
    ["a database that is missing", () => [join(newFolder(), "none.db"), fresh()], /does not exist/],
    ["a file that is no database", () => [garbage(), fresh()], /SQLITE_NOTADB/],
    ["another program's database", () => [foreign(), fresh()], /not a database of the issuer/],
    ["a damaged database", (from) => [damaged(from), fresh()], /damaged|SQLITE_CORRUPT/],
  ]
  const fresh = () => join(newFolder(), "copy.db")

  test.each(cases)("%s", async (_what, make, says) => {
    const house = await open()
    await house.issuer.close()
    const [from, to] = make(databaseOf(house))
    const before = existsSync(to) ? readFileSync(to) : undefined
    const error = await copyDatabase({ from, to }).catch((thrown: unknown) => thrown)
    expect(String(error)).toMatch(says)
    expect(existsSync(to) ? readFileSync(to) : undefined).toEqual(before)
    expect(existsSync(`${to}.partial`)).toBe(false)
  })

  test("another engine's address is wrong use; what can't be copied could not be told", async () => {
    const other = await runCli(["backup", "--database", "postgres://x", "--to", fresh()])
    expect(other.code).toBe(2)
    const none = await backup(join(newFolder(), "none.db"), fresh())
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining("does not exist")])
  })
})

const FILLERS = 4000

/** 80 MB: more than is copied at once. */
async function makeLarge(): Promise<string> {
  const path = join(newFolder(), "large.db")
  const house = await open()
  await house.issuer.close()
  await copyDatabase({ from: databaseOf(house), to: path })
  const large = new Sqlite(path)
  large.pragma("journal_mode = WAL")
  const put = large.prepare("INSERT INTO setting (key, value) VALUES (?, ?)")
  large.transaction(() => {
    for (let n = 0; n < FILLERS; n++) put.run(`filler-${n}`, "x".repeat(20_000))
  })()
  large.close()
  return path
}

function fillersIn(path: string): unknown {
  const database = new Sqlite(path, { readonly: true })
  const count = database.prepare("SELECT count(*) FROM setting WHERE key LIKE 'filler-%'").pluck().get()
  database.close()
  return count
}

function existing(): string {
  const path = join(newFolder(), "copy.db")
  writeFileSync(path, "a copy of yesterday")
  return path
}

function garbage(): string {
  const path = join(newFolder(), "a.db")
  writeFileSync(path, "not a database, ".repeat(512))
  return path
}

function foreign(): string {
  const path = join(newFolder(), "a.db")
  const database = new Sqlite(path)
  database.pragma("journal_mode = WAL")
  database.exec("CREATE TABLE recipe (name)")
  database.close()
  return path
}

/** Every page but the first is overwritten in its middle. */
function damaged(from: string): string {
  const bytes = readFileSync(from)
  for (let page = 4096; page < bytes.length; page += 4096) bytes.fill(0xa5, page, page + 600)
  const folder = join(newFolder(), "damaged")
  mkdirSync(folder)
  writeFileSync(join(folder, "a.db"), bytes)
  return join(folder, "a.db")
}
