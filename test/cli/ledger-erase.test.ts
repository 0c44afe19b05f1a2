// `ledger erase` as an operator runs it, against an issuer that lets keys stand for people.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { runCli } from "../support/command-line.ts"
import { onPostgres } from "../support/engine.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let town: Town
let env: Record<string, string>
beforeAll(async () => {
  town = await buildTown({ dev: true })
  const keyFile = join(town.folder, "operator.private.json")
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("operations-team")), { mode: 0o600 })
  const client = { TASKMINT_CLIENT_ID: "operations-team", TASKMINT_CLIENT_KEY_FILE: keyFile }
  env = { TASKMINT_ISSUER: town.issuerUrl, ...client }
})
afterAll(() => town.close())

const erase = (...args: string[]) => runCli(["ledger", "erase", "--reason", "They asked", ...args], { env })

test("a task that runs is 1 with the next step; ended it is erased, and again nothing is left", async () => {
  const task = await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be erased",
    inputs: { ticket: "SUP-1" },
  })
  expect(await erase("--task", task.id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("erasure_blocked"),
  })
  await task.complete()
  const { code, stdout, stderr } = await erase("--task", task.id)
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^erased {2}the values of \d+ entries, of 1 tasks\n$/),
  ])
  expect(stderr.includes("Traces may stay")).toBe(onPostgres)
  expect(stderr).toContain("backups still have the values")
  expect(await erase("--task", task.id)).toMatchObject({ code: 0, stdout: "Nothing was left to erase.\n" })
  const json = await erase("--sub", "people/nobody@example.com", "--json")
  expect([json.code, JSON.parse(json.stdout)]).toEqual([0, { tasks: 0, entries: 0, from_files: !onPostgres }])
})

test.each([[["--task", "task_x", "--sub", "people/x"]], [[]]])("%j is wrong use", async (args) => {
  expect((await erase(...args)).code).toBe(2)
})
