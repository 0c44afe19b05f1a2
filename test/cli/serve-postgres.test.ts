// `taskmint serve` on PostgreSQL, as an operator runs it: the address in a file of its own, the same keys at
// the next start and in a second issuer, and a password that nobody is shown.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { type ExampleFolder, writeExampleFolder } from "../../src/cli/example-folder.ts"
import { WANTED } from "../../src/database/postgres-checks.ts"
import { type Running, runCli, startCli } from "../support/command-line.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-serve-"))
const LISTENING = /"address":"([^"]+)".*"msg":"listening"/
let database: TestDatabase
/** With a password, whether it is needed or not. */
let address: string
let house: ExampleFolder
const running: Running[] = []

beforeAll(async () => {
  house = writeExampleFolder(join(folder, "house"))
  database = await createDatabase()
  const url = new URL(database.address)
  url.password ||= "canary-of-a-password" // of a server that asks for none
  address = url.href
})
afterEach(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await Promise.all(running.splice(0).map((one) => one.ended))
})
afterAll(async () => {
  await database.remove()
  rmSync(folder, { recursive: true, force: true })
})

const surroundings = () => {
  const file = join(folder, "database")
  writeFileSync(file, `${address}\n`, { mode: 0o600 })
  return {
    cwd: folder,
    env: {
      TASKMINT_ISSUER: "https://taskmint.example",
      TASKMINT_PORT: "0",
      TASKMINT_POLICIES: house.policies,
      TASKMINT_DATABASE_FILE: file,
      TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
    },
  }
}

async function serve(): Promise<{ readonly one: Running; readonly keys: string }> {
  const one = startCli(["serve"], surroundings())
  running.push(one)
  const [, address] = await one.said(LISTENING)
  return { one, keys: await (await fetch(`${address}/.well-known/jwks.json`)).text() }
}

test("it ends as it was told to, and the next start has the same keys", async () => {
  const { one, keys } = await serve()
  one.child.kill("SIGTERM")
  const ended = await one.ended
  expect(ended.code).toBe(0)
  expect(ended.stdout + ended.stderr).not.toContain(new URL(address).password)
  expect(ended.stderr).toContain(`postgres://${new URL(database.address).host}/`)
  expect(keys).toMatch(/"kid"/)
  expect((await serve()).keys).toBe(keys)
})

test("one that was killed is followed at once", async () => {
  const { one, keys } = await serve()
  one.child.kill("SIGKILL")
  await one.ended
  expect((await serve()).keys).toBe(keys)
})

test("a second one on the same database serves beside the first, with the same keys", async () => {
  const both = [await serve(), await serve()]
  expect(both[1]?.keys).toBe(both[0]?.keys)
  for (const { one } of both) {
    const [, at] = await one.said(LISTENING)
    expect((await fetch(`${at}/readyz`)).status).toBe(200)
  }
})

test("the page about PostgreSQL names every setting that is read, and the database's file", () => {
  const page = readFileSync(join(ROOT, "docs/scale.md"), "utf8")
  const settings = WANTED.map(
    ([name, allowed]) => `| \`${name}\` | ${allowed.map((one) => `\`${one}\``).join(" or ")} |`,
  )
  for (const said of [...settings, "TASKMINT_DATABASE_FILE", "pg_is_in_recovery()"])
    expect(page).toContain(said)
})

test.each([
  ["synchronous_commit", "off", /synchronous_commit = off: it acknowledges before a commit is on disk/],
  ["synchronous_commit", "local", /synchronous_commit = local/],
])("a database with %s = %s is refused, and the reason is said", async (setting, value, says) => {
  const name = new URL(database.address).pathname.slice(1)
  await database.run(`ALTER DATABASE ${name} SET ${setting} TO ${value}`)
  const ended = await runCli(["serve"], surroundings())
  await database.run(`ALTER DATABASE ${name} RESET ${setting}`)
  expect([ended.code, ended.stderr]).toEqual([3, expect.stringMatching(says)])
})
