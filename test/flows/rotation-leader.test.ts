// A rotation whose leader is killed at every step of it: real processes on one database, and a quarter of an hour that passes
// by their clocks. Whoever is left does the next step, and nobody has to say so.
import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import { GRACE_SECONDS, PUBLISHED_AHEAD_SECONDS } from "../../src/keys/due.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import { type Clock, systemClock } from "../../src/time.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { createApp, optionsOf } from "../support/guarded-api.ts"
import { replaceKeys } from "../support/policy-keys.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source.ts"
import { writePolicies } from "../support/world.ts"

const ISSUER = "https://taskmint.internal"
const STEP = { timeout: 10_000, interval: 50 }
const replicas = new Set<ChildProcess>()
let folder: string
let database: TestDatabase
let keys: Map<string, PrivateJwk>
let ahead = 0
const clock: Clock = {
  now: () => systemClock.now() + ahead,
  monotonic: () => systemClock.monotonic() + ahead,
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-leader-"))
  writePolicies(join(folder, "policies"))
  keys = replaceKeys(join(folder, "policies"))
  writeFileSync(join(folder, "kek"), randomBytes(32), { mode: 0o600 })
  database = await createDatabase()
})
afterAll(async () => {
  for (const child of replicas) child.kill("SIGKILL")
  await database.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function startReplica() {
  const file = join(ROOT, "test/support/issuer-child.ts")
  const child = fork(file, [folder, ISSUER, "0", database.address], { execArgv: [] })
  replicas.add(child)
  const address = await new Promise<string>((resolve, reject) => {
    child.once("message", (text) => resolve(String(text)))
    child.once("exit", (code) => reject(new Error(`the issuer ended with ${code} before it listened`)))
  })
  child.send(ahead)
  const kill = () =>
    new Promise<void>((resolve) => {
      replicas.delete(child)
      child.removeAllListeners("exit").once("exit", () => resolve())
      child.kill("SIGKILL")
    })
  return { address, kill }
}

function pass(seconds: number): void {
  ahead += seconds * 1000
  for (const child of replicas) child.send(ahead)
}

const credential = (clientId: string) => ({ clientId, privateJwk: { ...keys.get(clientId) } as PrivateJwk })

async function operate(address: string, method: string, path: string) {
  const tokens = createServiceTokens({
    issuer: ISSUER,
    issuerAddress: address,
    credential: credential("operations-team"),
    clock,
  })
  const headers = { authorization: `Bearer ${await tokens.get()}`, "content-type": "application/json" }
  const body = method === "POST" ? { body: "{}" } : {}
  return (await fetch(`${address}${path}`, { method, headers, ...body })).json()
}

/** What state each key is in, the newest first, and what it waits for. */
async function states(address: string): Promise<string[]> {
  const { keys: all } = (await operate(address, "GET", "/keys")) as {
    keys: { state: string; waits_for?: { what: string } }[]
  }
  return all.map(({ state, waits_for }) => [state, waits_for?.what].filter(Boolean).join(" "))
}

async function mint(address: string): Promise<string> {
  const orchestrator = createOrchestrator({
    issuer: ISSUER,
    issuerAddress: address,
    credential: credential("support-orchestrator"),
    clock,
  })
  const task = await orchestrator.start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be signed",
    inputs: { ticket: "SUP-1042" },
  })
  return task.handover().tokens[0]?.accessToken ?? ""
}

async function use(address: string, tokens: readonly string[]): Promise<number[]> {
  const verifier = await createVerifier(
    optionsOf(ISSUER, join(folder, "uses.db"), {
      issuerAddress: address,
      credential: credential("tickets"),
      clock,
    }),
  )
  try {
    await vi.waitFor(() => expect(verifier.ready()).toMatchObject({ ready: true }), STEP)
    const app = createApp(verifier, [])
    const ask = async (token: string) =>
      (await app.request("/tickets/SUP-1042", { headers: { authorization: `Bearer ${token}` } })).status
    const statuses = await Promise.all(tokens.map(ask))
    await verifier.flush()
    return statuses
  } finally {
    await verifier.close()
  }
}

test("I21 whoever leads a rotation may be killed after each of its steps: another does the next", {
  timeout: 60_000,
}, async () => {
  const [first, second] = [await startReplica(), await startReplica()]
  const old = await mint(first.address)
  await use(first.address, [old])
  expect(await operate(first.address, "POST", "/keys/rotate")).toMatchObject({ result: "published" })
  await first.kill()
  expect(await states(second.address)).toEqual(["next publication", "current"])

  pass(PUBLISHED_AHEAD_SECONDS - 30)
  const late = await mint(second.address)
  pass(31)
  await vi.waitFor(
    async () => expect(await states(second.address)).toEqual(["current first_use", "previous last_token"]),
    STEP,
  )
  const third = await startReplica()
  await second.kill()
  const fresh = await mint(third.address)
  expect(kidOf(late)).toBe(kidOf(old))
  expect(kidOf(fresh)).not.toBe(kidOf(old))
  expect(await use(third.address, [late, fresh])).toEqual([200, 200])
  expect(await states(third.address)).toEqual(["current", "previous last_token"])

  const fourth = await startReplica()
  await third.kill()
  pass(3600 + GRACE_SECONDS)
  await vi.waitFor(async () => expect(await states(fourth.address)).toEqual(["current", "retired"]), STEP)
})

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid
