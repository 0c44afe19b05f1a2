// From an operator's order at the issuer to the refusal at a guarded API, each in a process of its own: how soon, for
// every kind, across a crash, and that what is minted afterwards lives.
import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { decodeJwt, decodeProtectedHeader } from "jose"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import { openIssuer } from "../../src/client/issuer-call.ts"
import type { Task } from "../../src/client/task.ts"
import { systemClock } from "../../src/time.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { replaceKeys } from "../support/policy-keys.ts"
import { writePolicies } from "../support/world.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const ISSUER = "https://taskmint.internal"
/** The promise is half a second where the machine is not busy with something else. */
const AT_MOST_MILLISECONDS = 3000
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000, interval: 20 })

const children: ChildProcess[] = []
let folder: string
let keys: Map<string, PrivateJwk>
let issuer: { readonly address: string; readonly child: ChildProcess }
let api: string

async function launch(script: string, args: readonly string[]) {
  const file = fileURLToPath(new URL(`../support/${script}.ts`, import.meta.url))
  const child = fork(file, args, { execArgv: [] })
  children.push(child)
  const address = await new Promise<string>((resolve, reject) => {
    child.once("message", (text) => resolve(String(text)))
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code} before it listened`)))
  })
  return { address, child }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-revocation-"))
  writePolicies(join(folder, "policies"))
  keys = replaceKeys(join(folder, "policies"))
  writeFileSync(join(folder, "kek"), randomBytes(32), { mode: 0o600 })
  issuer = await launch("issuer-child", [folder, ISSUER])
  const key = JSON.stringify(keys.get("tickets"))
  const files = [join(folder, "uses.db"), join(folder, "handled.log")]
  api = (await launch("guarded-child", [ISSUER, key, ...files, issuer.address])).address
  await start()
})
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const credential = (clientId: string) => ({ clientId, privateJwk: { ...keys.get(clientId) } })
const start = (): Promise<Task> =>
  createOrchestrator({
    issuer: ISSUER,
    issuerAddress: issuer.address,
    credential: credential("support-orchestrator"),
  }).start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be ended",
    inputs: { ticket: "SUP-1" },
  })
const tokenOf = (task: Task) => task.handover().tokens[0]?.accessToken ?? ""

/** What the API answers to a token: 200, or the code of its refusal. */
async function use(token: string): Promise<string> {
  const answer = await fetch(`${api}/tickets/SUP-1`, { headers: { authorization: `Bearer ${token}` } })
  const { code }: { code?: string } = JSON.parse(await answer.text())
  return code ?? String(answer.status)
}

const operator = () =>
  openIssuer(
    { issuer: ISSUER, issuerAddress: issuer.address, credential: credential("operations-team") },
    systemClock,
  )
type Shown = {
  readonly id: string
  readonly lock: boolean
  readonly applied_in_ms?: number
  readonly instances: readonly { readonly applied_at?: string }[]
}
const ask = async (method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<Shown> =>
  (await operator().call(method, path, body)).body as Shown
const revoke = (kind: string, value: string) => ask("POST", "/revocations", { kind, value, reason: "drill" })

/** A lock can be lifted once its second is over. */
const lift = ({ id }: Shown) =>
  soon(() =>
    ask("DELETE", `/revocations/${id}`).then(
      () => "lifted",
      () => "too early",
    ),
  ).toBe("lifted")

async function millisecondsUntilRefused(token: string, since: number): Promise<number> {
  while ((await use(token)) === "200") {
    const late = performance.now() - since
    if (late > 20_000) return late
  }
  return performance.now() - since
}

describe("G01 an order ends what it names at an API in another process, within moments", () => {
  test.each<[string, (task: Task) => string]>([
    ["token", (task) => String(decodeJwt(tokenOf(task)).jti)],
    ["task", (task) => task.id],
    ["instance", () => "triage-bot/pod-1"],
    ["agent", () => "triage-bot"],
    ["orchestrator", () => "support-orchestrator"],
    ["subject", () => "support-orchestrator"],
    ["api", () => "tickets"],
    ["key", (task) => String(decodeProtectedHeader(tokenOf(task)).kid)],
  ])("of a %s; and what is minted afterwards lives", async (kind, value) => {
    const task = await start()
    expect(await use(tokenOf(task))).toBe("200")
    const since = performance.now()
    const set = await revoke(kind, value(task))
    expect(await millisecondsUntilRefused(tokenOf(task), since)).toBeLessThan(AT_MOST_MILLISECONDS)
    // A key that was revoked goes out of the key set, which the API fetches again: then it is no key of ours.
    const ended = kind === "key" ? /^token_(revoked|invalid)$/ : /^token_revoked$/
    expect(await use(tokenOf(task))).toMatch(ended)
    if (set.lock) {
      await expect(start()).rejects.toMatchObject({ code: "locked" })
      await lift(set)
    }
    // Of what has no lock: what is minted within the same second may have ended too.
    await soon(async () => use(tokenOf(await start()))).toBe("200")
    expect(await use(tokenOf(task))).toMatch(ended)
  })

  test("of a task by its orchestrator: paused, resumed, ended, each told apart", async () => {
    const task = await start()
    const first = tokenOf(task)
    await task.pause()
    await soon(() => use(first)).toBe("task_paused")
    await task.resume()
    expect(await use(tokenOf(task))).toBe("200")
    expect(await use(first)).toBe("task_paused")
    const second = tokenOf(task)
    await task.complete()
    await soon(() => use(second)).toBe("task_ended")
  })

  test("and the issuer tells who has applied it, and how long that took", async () => {
    const task = await start()
    const { id } = await revoke("task", task.id)
    await soon(async () => (await ask("GET", `/revocations/${id}`)).applied_in_ms).toBeDefined()
    const { applied_in_ms, instances } = await ask("GET", `/revocations/${id}`)
    expect(applied_in_ms).toBeLessThan(AT_MOST_MILLISECONDS)
    expect(instances).toEqual([expect.objectContaining({ applied_at: expect.any(String), closed: false })])
  })

  test("G03 twice, or of what nobody knows, is no error and tells nothing", async () => {
    const task = await start()
    await revoke("task", task.id)
    await soon(() => use(tokenOf(task))).toBe("token_revoked")
    for (const value of [task.id, "task_0190b8a2-7c5e-7d4c-8e1f-123456789abc"])
      expect(await revoke("task", value)).toMatchObject({ tokens_ended: 0, instances: [] })
  })
})

test("G10 an order that was answered outlives a crash in the next instant, and the feed goes on where it was", async () => {
  const [told, untold, later, bystander] = [await start(), await start(), await start(), await start()]
  await revoke("task", told.id)
  await soon(() => use(tokenOf(told))).toBe("token_revoked")
  await revoke("task", untold.id)
  const gone = new Promise((resolve) => issuer.child.once("exit", resolve))
  issuer.child.kill("SIGKILL")
  await gone
  const { port } = new URL(issuer.address)
  issuer = await launch("issuer-child", [folder, ISSUER, port])
  await revoke("task", later.id)
  for (const task of [untold, later]) await soon(() => use(tokenOf(task))).toBe("token_revoked")
  expect(await use(tokenOf(told))).toBe("token_revoked")
  expect(await use(tokenOf(bystander))).toBe("200")

  // And it is a stream again, not only questions.
  const last = await start()
  expect(await use(tokenOf(last))).toBe("200")
  const since = performance.now()
  await revoke("task", last.id)
  expect(await millisecondsUntilRefused(tokenOf(last), since)).toBeLessThan(AT_MOST_MILLISECONDS)
})
