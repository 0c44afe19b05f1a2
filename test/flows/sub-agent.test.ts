// A sub-agent that gets less, in the library's words against a real issuer and a guarded API: it can't do more than it was
// given, and ends with whoever gave it.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createSession, createSessionKey } from "../../src/client/client.ts"
import type { Session } from "../../src/client/session.ts"
import type { Task } from "../../src/client/task.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const RULES = `    renew: agent
    delegation: { max_depth: 1, max_children: 2, to: { summarizer: [tickets:read] } }
`
const open: Session[] = []
let town: Town
let task: Task
let session: Session
beforeEach(async () => {
  town = await buildTown()
  const file = join(town.policies, "support.yaml")
  const text = readFileSync(file, "utf8").replace(/ {8}approval: .*\n/g, "")
  writeFileSync(file, text.replace("    deadline: 2h\n", `    deadline: 2h\n${RULES}`))
  expect(await town.ask("operations-team", "POST", "/policy/reload", {})).not.toHaveProperty("code")
  const key = createSessionKey()
  task = await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "a test",
    inputs: { ticket: "SUP-1042" },
    dpopJkt: key.thumbprint,
  })
  session = await createSession({ ...task.handover(), key })
  open.push(session)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  await town.close()
})

const key = createSessionKey()
const request = () => ({
  agent: { id: "summarizer", instance: "pod-9" },
  resource: town.tickets,
  dpopJkt: key.thumbprint,
})
async function openChild(): Promise<Session> {
  const { delegation: _, ...handover } = await session.delegate(request())
  const child = await createSession({ ...handover, key, waitSeconds: 0 })
  open.push(child)
  return child
}

test("reads what it may read, and closes nothing", async () => {
  const child = await openChild()
  expect((await child.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
  expect(town.served.at(-1)).toMatchObject({ agent: "summarizer", instance: "pod-9", task: task.id })
  const close = (by: Session) => by.fetch(`${town.tickets}/tickets/SUP-1042/close`, { method: "POST" })
  await expect(close(child)).rejects.toMatchObject({ code: "operation_not_granted", next: "stop" })
  expect((await close(session)).status).toBe(200)
})

test("renews by its own token, under its own key", async () => {
  const child = await openChild()
  const [before] = child.tokens
  const handed = await session.delegate({ ...request(), agent: { id: "summarizer", instance: "pod-10" } })
  const due = handed.tokens.map((one) => ({ ...one, renewAt: Date.now() }))
  const eager = await createSession({ task: handed.task, issuer: handed.issuer, tokens: due, key })
  open.push(eager)
  await vi.waitFor(() => expect(eager.tokens[0]?.token.reveal()).not.toBe(due[0]?.accessToken), 20_000)
  expect((await eager.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
  expect(child.tokens[0]).toBe(before)
})

test("ends when the task does", async () => {
  const child = await openChild()
  await task.complete()
  const read = () => child.fetch(`${town.tickets}/tickets/SUP-1042`)
  await vi.waitFor(() => expect(read()).rejects.toMatchObject({ code: "task_ended", next: "stop" }), 5000)
})

test.each([
  [
    "another agent than the policy's",
    { agent: { id: "triage-bot", instance: "x" } },
    "delegation_not_allowed",
  ],
  ["more than the policy gives it", { operations: ["tickets:close"] }, "operation_not_allowed"],
  ["no key where the delegator has one", { dpopJkt: undefined }, "key_required"],
])("%s is refused", async (_, change, code) => {
  const { dpopJkt, ...rest } = { ...request(), ...change }
  const asked = session.delegate({ ...rest, ...(dpopJkt !== undefined && { dpopJkt }) })
  await expect(asked).rejects.toMatchObject({ code, next: "stop" })
})

test("a session that was not told who the issuer is, or holds no token of its own, delegates nothing", async () => {
  const [api] = task.handover().tokens
  const bare = await createSession({ tokens: api ? [{ ...api, tokenType: "Bearer" }] : [] })
  await expect(bare.delegate(request())).rejects.toThrow(TypeError)
  const without = await createSession({ tokens: api ? [api] : [], issuer: town.issuerUrl, key })
  await expect(without.delegate(request())).rejects.toMatchObject({ code: "token_missing" })
  open.push(bare, without)
})
