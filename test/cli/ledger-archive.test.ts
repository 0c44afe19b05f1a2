// `ledger archive` as an operator runs it.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Command } from "commander"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { EXIT } from "../../src/cli/exit.ts"
import { addArchive } from "../../src/cli/ledger-archive.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { openIssuer } from "../../src/client/issuer-call.ts"
import { systemClock } from "../../src/time.ts"
import { runCli } from "../support/command-line.ts"
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

test("a time that is none is wrong use", async () => {
  const terminal = createTerminal(process.stdout, process.stderr)
  const program = new Command()
  addArchive(program, { terminal, settings: createSettings({ ...env }, undefined) })
  const given = ["archive", "--before", "soon"]
  await expect(program.parseAsync(given, { from: "user" })).rejects.toMatchObject({ exitCode: EXIT.wrongUse })
})
