// `ledger archive` as an operator runs it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Command } from "commander"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { EXIT } from "../../src/cli/exit.ts"
import { addArchive } from "../../src/cli/ledger-archive.ts"
import { addLedgerCopy } from "../../src/cli/ledger-copy.ts"
import { addVerify } from "../../src/cli/ledger-verify.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { openIssuer } from "../../src/client/issuer-call.ts"
import { systemClock } from "../../src/time.ts"
import { runCli } from "../support/command-line.ts"
import { runHere } from "../support/in-process.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let town: Town
let env: Record<string, string>
beforeAll(async () => {
  town = await buildTown()
  const keyFile = join(town.folder, "operator.private.json")
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("operations-team")), { mode: 0o600 })
  const client = { TASKMINT_CLIENT_ID: "operations-team", TASKMINT_CLIENT_KEY_FILE: keyFile }
  env = { TASKMINT_ISSUER: town.issuerUrl, ...client }
})
afterAll(() => town.close())

const archive = (...args: string[]) => runCli(["ledger", "archive", ...args], { env })
/** Each query is an entry. */
async function pad(): Promise<void> {
  const credential = { clientId: "audit-team", privateJwk: town.privateJwkOf("audit-team") }
  const auditor = openIssuer({ issuer: town.issuerUrl, credential }, systemClock)
  for (let n = 0; n < 256; n += 64)
    await Promise.all(Array.from({ length: 64 }, () => auditor.call("GET", "/ledger/entries?limit=1")))
  await town.sweep()
}

test("it says what went, and ends with 1 where a task holds the rest up", async () => {
  await pad()
  expect(await archive("--before", "0s")).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /^archived {2}256 entries, 1 to 256: 0\.\d MiB where they took 0\.\d MiB\n$/,
    ),
    stderr: expect.stringContaining("256 at a time"),
  })
  const start = { type: "triage-ticket", agent: { id: "triage-bot", instance: "pod-1" } }
  const task = await town.orchestrator().start({ ...start, purpose: "Hold", inputs: { ticket: "SUP-1" } })
  await pad()
  const held = await archive("--before", "0s", "--json")
  expect([held.code, JSON.parse(held.stdout)]).toMatchObject([
    1,
    { entries: 0, end: "open", task_id: task.id },
  ])
  expect(held.stderr).toContain(`${task.id} runs`)
})

test("to files: the issuer serves them, and verifying and copying read them where they are told the folder", async () => {
  const folder = mkdtempSync(join(town.folder, "archive-"))
  await town.restartIssuer(async () => undefined, { archive: folder })
  const here = (add: typeof addArchive, ...args: string[]) => runHere(add, args, env)
  const moved = await here(addArchive, "archive", "--before", "0s", "--to", folder)
  expect(moved).toMatchObject({
    code: 1, // a task still runs
    stdout: expect.stringMatching(/^archived {2}256 entries, 1 to 256: .* MiB, and 0\.\d MiB in files\n$/),
  })
  expect(await here(addArchive, "archive", "--before", "0s", "--to", `${folder}/else`)).toMatchObject({
    stderr: expect.stringContaining("TASKMINT_ARCHIVE"),
  })
  const file = join(folder, "tile/entries/000")
  expect(await town.ask("audit-team", "GET", "/ledger/entries?limit=1")).toMatchObject({
    entries: [{ seq: 1 }],
  })
  const database = ["--database", `sqlite:${join(town.folder, "issuer.db")}`]
  const verify = (...args: string[]) => here(addVerify, "verify", ...database, ...args)
  const copy = (...args: string[]) =>
    here(addLedgerCopy, "copy", ...database, "--to", `sqlite:${join(town.folder, "copy.db")}`, ...args)
  await town.restartIssuer(async () => {
    expect(await copy()).toMatchObject({ code: 3, stderr: expect.stringContaining("--archive") })
    expect(await copy("--archive", folder)).toMatchObject({ code: 0 })
  })
  expect(await verify("--archive", folder)).toMatchObject({ code: 0 })
  expect(await verify()).toMatchObject({ code: 3, stderr: expect.stringContaining("tile/entries/000") })
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.fill(0, 700, 701))
  expect(await verify("--archive", folder)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/broken at entry 1: file differs: tile\/entries\/000/),
  })
  rmSync(file)
  expect(await verify("--archive", folder)).toMatchObject({ code: 3, stderr: expect.stringContaining(file) })
  expect(await town.ask("audit-team", "GET", "/ledger/entries?limit=1")).toMatchObject({ status: 503 })
})

test("a time that is none is wrong use", async () => {
  const terminal = createTerminal(process.stdout, process.stderr)
  const program = new Command()
  addArchive(program, { terminal, settings: createSettings({ ...env }, undefined) })
  const given = ["archive", "--before", "soon"]
  await expect(program.parseAsync(given, { from: "user" })).rejects.toMatchObject({ exitCode: EXIT.wrongUse })
})
