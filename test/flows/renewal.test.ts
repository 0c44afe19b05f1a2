// An agent's session against a real issuer and a guarded API, for two hours that pass in seconds: it renews by its own token,
// through an outage, a restart and a pause, and nothing that it calls is refused meanwhile.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createSessionKey } from "../../src/client/client.ts"
import { openSession, type Session } from "../../src/client/session.ts"
import type { OwnKey } from "../../src/client/session-key.ts"
import { readSessionOptions } from "../../src/client/session-options.ts"
import type { Task } from "../../src/client/task.ts"
import { statusOf } from "../support/leaping.ts"
import { type Simulated, simulate } from "../support/simulated.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })

let town: Town
let around: Simulated
let key: OwnKey
let task: Task
let session: Session
beforeEach(async () => {
  around = simulate(3, Date.now())
  town = await buildTown({ clock: around.clock })
  const file = join(town.policies, "support.yaml")
  const text = readFileSync(file, "utf8")
  writeFileSync(
    file,
    text.replace("    deadline: 2h\n", "    deadline: 2h\n    renew: agent\n    renewal_grace: 10m\n"),
  )
  expect(await town.ask("operations-team", "POST", "/policy/reload", {})).not.toHaveProperty("code")
  key = createSessionKey()
  task = await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "a long task",
    inputs: { ticket: "SUP-1042" },
    dpopJkt: key.thumbprint,
  })
  const opened = await readSessionOptions({ ...task.handover(), key, waitSeconds: 0 }, around)
  session = openSession(opened, around)
})
afterEach(async () => {
  await session.close()
  await town.close()
})

const call = () => session.fetch(`${town.tickets}/tickets/SUP-1042`)
const read = async () => (await call()).status
/** A minute at a time; after each, what renewals there were have been answered. */
async function pass(minutes: number, each: () => Promise<void> = async () => undefined): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    for (let part = 0; part < 12; part++) if ((await around.pass(5000)) > 0) await town.quiet()
    await each()
  }
}
const isServed = async () => expect(await statusOf(call)).toBe(200)
const entries = async (kind: string) => {
  const found = await town.ask("audit-team", "GET", `/ledger/entries?task=${task.id}&kind=${kind}`)
  return Array.isArray(found.entries) ? found.entries.length : 0
}

test("ten-minute tokens carry a task of two hours, and the deadline ends it", async () => {
  await pass(115, isServed)
  const renewals = await entries("token.renewed")
  expect(renewals).toBeGreaterThanOrEqual(2 * 13)
  expect(renewals).toBeLessThanOrEqual(2 * 20)
  expect(await entries("token.refused")).toBe(0)
  await pass(8)
  await expect(read()).rejects.toMatchObject({ next: "stop" })
})

test("an outage that ends within renewal_grace costs no more than the wait, and a restart nothing", async () => {
  await pass(3, isServed)
  await town.without("/token", async () => {
    await pass(15)
    await expect(read()).rejects.toMatchObject({ next: "wait" })
  })
  await pass(2)
  await pass(10, isServed)
  await town.restartIssuer(() => pass(1, isServed))
  await pass(20, isServed)
  expect(await entries("token.refused")).toBe(0)
})

test("an outage that outlasts the grace ends it, and says that the orchestrator can help: with what it hands over", async () => {
  await town.without("/token", () => pass(22))
  await pass(2)
  await expect(read()).rejects.toMatchObject({ code: "subject_token_expired", next: "stop" })
  await task.renew()
  session.take(task.handover().tokens)
  await pass(30, isServed)
})

test("a paused task is waited for, and goes on with what its orchestrator hands over", async () => {
  await task.pause()
  await vi.waitFor(() => expect(read()).rejects.toMatchObject({ code: "task_paused", next: "wait" }), 5000)
  await task.resume()
  session.take(task.handover().tokens)
  await pass(15, isServed)
})

test("an agent whose task was ended stops for good", async () => {
  await task.cancel()
  await pass(11)
  await expect(read()).rejects.toMatchObject({ code: "task_ended", next: "stop" })
  expect(around.timers()).toBe(0)
})
