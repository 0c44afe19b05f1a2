// Signing keys that change under load, with real verifiers on real sockets: a quarter of an hour passes by a clock that the
// test moves, and nobody who works meanwhile is refused.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { PUBLISHED_AHEAD_SECONDS } from "../../src/keys/due.ts"
import { type Clock, systemClock } from "../../src/time.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let town: Town
let passed = 0
const clock: Clock = {
  now: () => systemClock.now() + passed,
  monotonic: () => systemClock.monotonic() + passed,
}
beforeEach(async () => {
  passed = 0
  town = await buildTown({ clock })
})
afterEach(() => town.close())

const START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Be there meanwhile",
  inputs: { ticket: "SUP-1042" },
}
const operate = (method: string, path: string, json?: object) =>
  town.ask("operations-team", method, path, json)
const states = async () => {
  const { keys } = await operate("GET", "/keys")
  return (keys as { state: string; waits_for?: { what: string } }[]).map((key) =>
    [key.state, key.waits_for?.what].filter(Boolean).join(" "),
  )
}
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid
const use = async (token: string) =>
  (await fetch(`${town.tickets}/tickets/SUP-1042`, { headers: { authorization: `Bearer ${token}` } })).status
const tokenOf = (task: { handover(): { readonly tokens: readonly { readonly accessToken: string }[] } }) =>
  task.handover().tokens[0]?.accessToken ?? ""

/** Starts tasks and uses their tokens at once until told to stop; answers every status, by the key that signed. */
function work(callers: number) {
  const statuses: (readonly [kid: string, status: number])[] = []
  let stopped = false
  const one = async () => {
    const orchestrator = town.orchestrator()
    while (!stopped) {
      const task = await orchestrator.start(START)
      const token = tokenOf(task)
      statuses.push([kidOf(token), await use(token)])
      await task.complete()
    }
  }
  const running = Promise.all(Array.from({ length: callers }, one))
  running.catch(() => undefined) // told by stop()
  return {
    statuses,
    async stop() {
      stopped = true
      await running
    },
  }
}
const seen = (statuses: readonly (readonly [string, number])[], kid: string) =>
  statuses.filter(([one]) => one === kid).length

test("L03 a rotation under load: no start refused, no token that an API can't verify, before, during and after", async () => {
  const policy = join(town.policies, "support.yaml")
  const text = readFileSync(policy, "utf8").replace("starts_per_hour: 200", "starts_per_hour: 1000000")
  writeFileSync(policy, text)
  expect(await operate("POST", "/policy/reload", {})).toMatchObject({ result: "loaded" })
  const load = work(4)
  await vi.waitFor(() => expect(load.statuses.length).toBeGreaterThan(20), 20_000)
  const [[first = ""] = []] = load.statuses
  expect(await operate("POST", "/keys/rotate", {})).toMatchObject({ result: "published" })
  await load.stop()
  // What was used under the first key is told before another one signs: it confirms the first.
  await town.flush()
  // A long-lived token that is used on either side.
  passed = (PUBLISHED_AHEAD_SECONDS - 30) * 1000
  const old = tokenOf(await town.orchestrator().start(START))
  const again = work(4)
  await vi.waitFor(() => expect(seen(again.statuses, first)).toBeGreaterThan(20), 20_000)
  passed = PUBLISHED_AHEAD_SECONDS * 1000
  await town.sweep()
  await vi.waitFor(() => expect(again.statuses.some(([kid]) => kid !== first)).toBe(true), 20_000)
  const [second = ""] = again.statuses.find(([kid]) => kid !== first) ?? []
  await vi.waitFor(() => expect(seen(again.statuses, second)).toBeGreaterThan(20), 20_000)
  await again.stop()
  expect([...load.statuses, ...again.statuses].filter(([, status]) => status !== 200)).toEqual([])
  expect(await use(old)).toBe(200)
  // Finished only when a use under the new key was recorded.
  await town.flush()
  expect(await states()).toEqual(["current", "previous last_token"])
  const { entries } = await town.ask("audit-team", "GET", "/ledger/entries?kind=key.confirmed")
  expect(entries).toMatchObject([{ body: { kid: first } }, { body: { kid: second } }])
})

test("a rotation waits for a first use, and says so", async () => {
  expect(await states()).toEqual(["current first_use"])
  const token = tokenOf(await town.orchestrator().start(START))
  expect(await states()).toEqual(["current first_use"])
  await use(token)
  await town.flush()
  expect(await states()).toEqual(["current"])
})

test("G08 an emergency ends what the key signed everywhere, and what the next one signs is good at once", async () => {
  const before = tokenOf(await town.orchestrator().start(START))
  const service = await town.orchestrator("release-orchestrator").start({
    type: "deploy-service",
    agent: { id: "deploy-bot", instance: "pod-1" },
    purpose: "Be ended",
    inputs: { environment: "staging", service: "web" },
  })
  expect(await use(before)).toBe(200)
  const replaced = await operate("POST", "/keys/rotate", { emergency: true, reason: "it leaked" })
  expect(replaced).toMatchObject({ result: "replaced", revocation: { kind: "key", tokens_ended: 2 } })
  const since = performance.now()
  await vi.waitFor(async () => expect(await use(before)).toBe(401), { timeout: 5000, interval: 10 })
  expect(performance.now() - since).toBeLessThan(5000)
  const after = tokenOf(await town.orchestrator().start(START))
  expect(kidOf(after)).not.toBe(kidOf(before))
  // Verifiers were told of the successor: no token of it waits for a look that is not due.
  expect(await use(after)).toBe(200)
  expect(kidOf(tokenOf(service))).toBe(kidOf(before))
  const set = await fetch(`${town.issuerUrl}/.well-known/jwks.json`).then((answer) => answer.text())
  expect([set.includes(kidOf(before)), set.includes(kidOf(after))]).toEqual([false, true])
})
