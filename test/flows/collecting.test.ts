// An agent that collects its own tokens, so that none rests in a job queue: in the library on a simulated clock, and by
// `taskmint session --task`, against a real issuer and a guarded API.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { openSession } from "../../src/client/session.ts"
import { readSessionOptions } from "../../src/client/session-options.ts"
import { surroundingsOf } from "../../src/client/surroundings.ts"
import type { Task } from "../../src/client/task.ts"
import { systemClock } from "../../src/time.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { startCli } from "../support/command-line.ts"
import { statusOf } from "../support/leaping.ts"
import { type Simulated, simulate } from "../support/simulated.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })

const privateJwk = generatePrivateJwk("ES256")
const credential = { clientId: "triage-bot", privateJwk }
const folder = () => mkdtempSync(join(tmpdir(), "taskmint-collecting-"))
let town: Town
let around: Simulated
let made: string
beforeEach(() => {
  around = simulate(5, Date.now())
  made = folder()
})
afterEach(async () => {
  await town.close()
  rmSync(made, { recursive: true, force: true })
})

/** A task whose agent may authenticate, and to whom its tokens are left. */
async function startTask(clock: Simulated["clock"], renew: string): Promise<Task> {
  town = await buildTown({ clock })
  const file = join(town.policies, "support.yaml")
  const jwks = JSON.stringify({ keys: [importSigningKey(privateJwk).publicJwk] })
  const text = readFileSync(file, "utf8")
    .replace("  triage-bot:\n", `  triage-bot:\n    authenticate: [{ private_key_jwt: { jwks: ${jwks} } }]\n`)
    .replace("    deadline: 2h\n", `    deadline: 2h\n    renew: ${renew}\n`)
  writeFileSync(file, text)
  expect(await town.ask("operations-team", "POST", "/policy/reload", {})).not.toHaveProperty("code")
  const task = await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "a test",
    inputs: { ticket: "SUP-1042" },
    deliver: "agent",
  })
  expect(task.tokens).toEqual([])
  return task
}

const collecting = (task: Task) => ({ issuer: town.issuerUrl, task: task.id, credential, waitSeconds: 0 })

test("with renew: agent it renews by its credential, and an outage longer than the tokens live ends nothing", async () => {
  const task = await startTask(around.clock, "agent")
  const session = openSession(await readSessionOptions(collecting(task), around), around)
  const call = () => session.fetch(`${town.tickets}/tickets/SUP-1042`)
  const pass = async (minutes: number) => {
    for (let part = 0; part < minutes * 6; part++) if ((await around.pass(10_000)) > 0) await town.quiet()
  }
  for (let minute = 0; minute < 30; minute++) {
    await pass(1)
    expect(await statusOf(call)).toBe(200)
  }
  await town.without(`/tasks/${task.id}/tokens`, async () => {
    await pass(25)
    await expect(call()).rejects.toMatchObject({ next: "wait" })
  })
  await pass(2)
  expect(await statusOf(call)).toBe(200)
  await session.close()
})

test("where the orchestrator renews, it uses what it collected, and is told so when that has run out", async () => {
  const task = await startTask(around.clock, "orchestrator")
  const session = openSession(await readSessionOptions(collecting(task), around), around)
  for (let part = 0; part < 58; part++) if ((await around.pass(10_000)) > 0) await town.quiet()
  expect(await statusOf(() => session.fetch(`${town.tickets}/tickets/SUP-1042`))).toBe(200)
  await around.pass(30_000)
  await town.quiet()
  const late = session.fetch(`${town.tickets}/tickets/SUP-1042`)
  await expect(late).rejects.toMatchObject({ code: "renewal_not_allowed", next: "stop" })
  await session.close()
})

test("a second copy takes the task over, and the first one's tokens are worth nothing", async () => {
  const task = await startTask(systemClock, "agent")
  const real = surroundingsOf()
  const open = async (instance: string) =>
    openSession(await readSessionOptions({ ...collecting(task), instance }, real), real)
  const first = await open("pod-1")
  const url = `${town.tickets}/tickets/SUP-1042`
  expect((await first.fetch(url)).status).toBe(200)
  const second = await open("pod-2")
  expect((await second.fetch(url)).status).toBe(200)
  await vi.waitFor(() => expect(first.fetch(url)).rejects.toMatchObject({ code: "token_revoked" }), 5000)
  await Promise.all([first.close(), second.close()])
})

test("on the command line: collected as the agent, used by its command, and the task goes on", async () => {
  const task = await startTask(systemClock, "agent")
  const keyFile = join(made, "triage-bot.private.json")
  writeFileSync(keyFile, JSON.stringify(privateJwk), { mode: 0o600 })
  const env = {
    TASKMINT_ISSUER: town.issuerUrl,
    TASKMINT_CLIENT_ID: "triage-bot",
    TASKMINT_CLIENT_KEY_FILE: keyFile,
  }
  const script = 'curl -sS "$TASKMINT_API_TICKETS/tickets/SUP-1042"; env'
  const ended = await startCli(["session", "--task", task.id, "--", "/bin/sh", "-c", script], { env }).ended
  expect([ended.code, ended.stdout]).toEqual([0, expect.stringContaining('{"id":"SUP-1042"}')])
  expect(ended.stdout).not.toMatch(/eyJ|private\.json/)
  expect(ended.stderr).toContain("the task goes on")
  expect(await town.ask("support-orchestrator", "GET", `/tasks/${task.id}`)).toMatchObject({
    state: "active",
  })
})
