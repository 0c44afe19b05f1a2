// An issuer that moves from a file to PostgreSQL, each step as an operator takes it and every program a process of its own.
// The API notices nothing: its token, its cursor of revocations and what waits in its spool are good at the new place.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { openIssuer } from "../../src/client/issuer-call.ts"
import { systemClock } from "../../src/time.ts"
import { type Running, runCli, startCli } from "../support/command-line.ts"
import {
  ISSUER,
  onStage,
  readStory,
  type Stage,
  shipTheRest,
  startApi,
  startTask,
} from "../support/kill-story.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-move-"))
const running = new Set<Running>()
let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await database.remove()
  rmSync(folder, { recursive: true, force: true })
})

const FILE = `sqlite:${join(folder, "issuer.db")}`
const USES = 12

const environment = (place: string, port = "0") => ({
  TASKMINT_ISSUER: ISSUER,
  TASKMINT_PORT: port,
  TASKMINT_POLICIES: join(folder, "policies"),
  TASKMINT_DATABASE: place,
  TASKMINT_KEY_ENCRYPTION_KEY: readFileSync(join(folder, "kek")).toString("base64url"),
})

async function serve(place: string, port?: string) {
  const one = startCli(["serve"], { env: environment(place, port) })
  running.add(one)
  const [, address = ""] = await one.said(/"address":"([^"]+)".*"msg":"listening"/)
  const stop = async () => {
    one.child.kill("SIGTERM")
    running.delete(one)
    return (await one.ended).code
  }
  return { address, port: new URL(address).port, stop }
}

const copy = (...more: readonly string[]) =>
  startCli(["ledger", "copy", ...more], {
    env: { TASKMINT_DATABASE: FILE, TASKMINT_COPY_TO: database.address },
  })

async function use(address: string, token: string): Promise<number> {
  return (await fetch(`${address}/tickets/SUP-1042`, { headers: { authorization: `Bearer ${token}` } }))
    .status
}

async function useAgain(address: string, token: string): Promise<void> {
  for (let n = 0; n < USES; n++) expect(await use(address, token)).toBe(200)
}

/** As the operator; answers when the API refuses it. */
async function endTask({ keys }: Stage, issuerAddress: string, api: string, token: string): Promise<void> {
  const credential = { clientId: "operations-team", privateJwk: { ...keys.get("operations-team") } }
  const { txn } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
  const order = { kind: "task", value: txn, reason: "enough" }
  await openIssuer({ issuer: ISSUER, issuerAddress, credential }, systemClock).call(
    "POST",
    "/revocations",
    order,
  )
  await vi.waitFor(async () => expect(await use(api, token)).toBe(401), { timeout: 10_000, interval: 50 })
}

const leaves = () => {
  const file = new Sqlite(join(folder, "issuer.db"), { readonly: true })
  const found = file
    .prepare("SELECT seq, lower(hex(leaf)) AS leaf, lower(hex(bytes)) AS bytes FROM entry_bytes ORDER BY seq")
    .all()
  file.close()
  return found
}

test("a ledger moves to PostgreSQL, and APIs go on without a hand", async () => {
  await onStage({ folder, place: FILE }, async (stage) => {
    const before = await serve(FILE)
    const [token, ended] = [await startTask(stage, before.address), await startTask(stage, before.address)]
    const api = await startApi(stage, before.address)
    await useAgain(api.address, token)
    await endTask(stage, before.address, api.address, ended)
    const keys = await (await fetch(`${before.address}/.well-known/jwks.json`)).text()
    const busy = await copy().ended
    expect([busy.code, busy.stderr]).toEqual([
      3,
      expect.stringMatching(/in use by another process: stop the issuer first/),
    ])
    expect(await before.stop()).toBe(0)
    await useAgain(api.address, token) // kept in the spool

    // Killed somewhere, it is started again; what is there until then is no place for an issuer.
    const killed = copy()
    await vi.waitFor(() => tables(), { timeout: 20_000, interval: 2 })
    killed.child.kill("SIGKILL")
    await killed.ended
    if ((await madeFor())?.startsWith("copy ")) {
      const refused = await runCli(["serve"], { env: environment(database.address) })
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/a copy that was not finished/),
      ])
    }
    const moved = await copy("--json").ended
    expect([moved.code, moved.stderr]).toEqual([0, ""])
    const was = leaves()
    expect(JSON.parse(moved.stdout)).toMatchObject({ newest: { seq: was.length } })
    expect(moved.stdout).not.toContain(new URL(database.address).password || "no password")

    const after = await serve(database.address, before.port)
    expect(await (await fetch(`${after.address}/.well-known/jwks.json`)).text()).toBe(keys)
    await useAgain(api.address, token)
    expect(await use(api.address, ended)).toBe(401)
    // The API's cursor is good here: an order that is given now reaches it.
    await endTask(stage, after.address, api.address, token)
    await api.kill()
    await shipTheRest(stage, after.address)
    expect(await after.stop()).toBe(0)
    expect(
      await database.run(`SELECT seq::int, encode(leaf, 'hex') AS leaf, encode(bytes, 'hex') AS bytes
      FROM entry_bytes WHERE seq <= ${was.length} ORDER BY seq`),
    ).toEqual(was)
  })
  const { handled, recorded } = await readStory({ folder, place: database.address })
  expect(handled.length).toBeGreaterThanOrEqual(3 * USES)
  expect(recorded.map(({ use }) => use).sort()).toEqual([...new Set(handled)].sort())
})

/** Throws until the copy has made its tables. */
async function tables(): Promise<void> {
  const [row] = await database.run("SELECT to_regclass('public.setting') IS NOT NULL AS there")
  if (row?.there !== true) throw new Error("not yet")
}

async function madeFor(): Promise<string | undefined> {
  const [row] = await database.run("SELECT value FROM setting WHERE key = 'made_for'")
  return typeof row?.value === "string" ? row.value : undefined
}

test("wrong use is said as wrong use, and what could not be told as that", async () => {
  const env = { TASKMINT_DATABASE: FILE }
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[], 2, /TASKMINT_COPY_TO is not set[\s\S]*--to/],
    [["--to", "here.db"], 2, /TASKMINT_COPY_TO is not an address/],
    [["--to", FILE], 2, /--to is the database itself/],
    [["--to", "postgres://u:canary@127.0.0.1/x"], 2, /--to holds a password/],
    [["--to", "sqlite:x.db", "--database", "postgres://u@127.0.0.1/x"], 2, /SQLite files/],
    [["--to", "postgres://u@127.0.0.1:9/x"], 3, /can't be used[\s\S]*Run it again/],
    [["--to", "sqlite:x.db", "--database", "sqlite:none.db"], 3, /does not exist/],
  ]
  await Promise.all(
    cases.map(async ([args, code, says]) => {
      const ended = await runCli(["ledger", "copy", ...args], { cwd: folder, env })
      expect([ended.code, ended.stdout, ended.stderr]).toEqual([code, "", expect.stringMatching(says)])
      expect(ended.stderr).not.toContain("canary")
    }),
  )
  const person = await runCli(["ledger", "copy", "--to", "sqlite:second.db"], { cwd: folder, env })
  expect([person.code, person.stdout]).toEqual([
    0,
    expect.stringMatching(
      /^second\.db {2}\d+ rows, entries up to \d+ at 20.*; each compared, in [\d.]+ s \(\d+ a second\)$/m,
    ),
  ])
  expect(person.stderr).toMatch(/TASKMINT_DATABASE[\s\S]*Move the file away/)
  const taken = await runCli(["ledger", "copy", "--to", "sqlite:policies"], { cwd: folder, env })
  expect(taken.code).toBe(3)
})
