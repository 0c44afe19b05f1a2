// SIGKILL of the issuer under load, again and again on the same files: no token without its entry, no start done twice,
// and every next start needs no hand.
import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { decodeJwt } from "jose"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { systemClock } from "../../src/time.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { type TestPlace, testPlace } from "../support/engine.ts"
import { replaceKeys } from "../support/policy-keys.ts"
import { writePolicies } from "../support/world.ts"

const ISSUER = "https://taskmint.internal"
const KILLS = 6
const AT_ONCE = 8
const children: ChildProcess[] = []
let folder: string
let at: TestPlace
let jwk: PrivateJwk | undefined

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-kill-"))
  at = await testPlace(folder)
  writePolicies(join(folder, "policies"))
  jwk = replaceKeys(join(folder, "policies")).get("support-orchestrator")
  writeFileSync(join(folder, "kek"), randomBytes(32), { mode: 0o600 })
})

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL")
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function startIssuer() {
  const child = fork(
    fileURLToPath(new URL("../support/issuer-child.ts", import.meta.url)),
    [folder, ISSUER, "0", at.place],
    {
      execArgv: [],
    },
  )
  children.push(child)
  const address = await new Promise<string>((resolve, reject) => {
    child.once("message", (text) => resolve(String(text)))
    child.once("exit", (code) => reject(new Error(`the issuer ended with ${code} before it listened`)))
  })
  const kill = () =>
    new Promise<void>((resolve) => {
      child.removeAllListeners("exit")
      child.once("exit", () => resolve())
      child.kill("SIGKILL")
    })
  return { address, kill }
}

/** Starts, renews and completes until the issuer is gone; answers the ids of the tokens that arrived. */
async function work(address: string, round: number, got: Map<string, string>): Promise<void> {
  const credential = { clientId: "support-orchestrator", privateJwk: { ...jwk } }
  const orchestrator = createOrchestrator({ issuer: ISSUER, issuerAddress: address, credential })
  const one = async (worker: number) => {
    for (let count = 0; ; count++) {
      const reference = `${round}-${worker}-${count}`
      const task = await orchestrator.start({
        type: "triage-ticket",
        agent: { id: "triage-bot", instance: `pod-${worker}` },
        purpose: "Survive",
        inputs: { ticket: "SUP-1" },
        reference,
      })
      for (const token of task.handover().tokens) got.set(String(decodeJwt(token.accessToken).jti), task.id)
      await task.complete()
    }
  }
  await Promise.allSettled(Array.from({ length: AT_ONCE }, (_each, worker) => one(worker)))
}

test("I01 a killed issuer has recorded every token that left it, and starts again by itself", async () => {
  const got = new Map<string, string>()
  for (let round = 0; round < KILLS; round++) {
    const issuer = await startIssuer()
    const working = work(issuer.address, round, got)
    await new Promise((resolve) => setTimeout(resolve, 150 + 70 * round))
    await issuer.kill()
    await working
  }
  const engine = await openDatabase(at.place)
  const ledger = await createLedger({ engine, names: createNames(engine), clock: systemClock })
  const issued = new Map<string, string>()
  for (let after: string | undefined; ; ) {
    const page = await ledger.read({
      kind: "token.issued",
      limit: 1000,
      ...(after !== undefined && { after }),
    })
    for (const entry of page.entries) issued.set(entry.jti ?? "", entry.task_id ?? "")
    if (page.next === null) break
    after = page.next
  }
  const started = (await ledger.read({ kind: "task.started", limit: 1000 })).entries
  await engine.close()
  expect(got.size).toBeGreaterThan(KILLS)
  expect([...got].filter(([jti, task]) => issued.get(jti) !== task)).toEqual([])
  expect(new Set(started.map((entry) => entry.reference)).size).toBe(started.length)
}, 60_000)
