// `revoke` against a running issuer with real verifiers: what it waits for and what it says; and `verifier list`.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { awaitApplied } from "../../src/cli/revoke.ts"
import type { IssuerCalls } from "../../src/client/issuer-call.ts"
import { toInstant } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { runCli } from "../support/command-line.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let town: Town
let keyFile: string
beforeAll(async () => {
  town = await buildTown()
  keyFile = join(town.folder, "operations.private.json")
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("operations-team")), { mode: 0o600 })
})
afterAll(() => town.close())

const START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Be ended",
  inputs: { ticket: "SUP-1" },
}
const revoke = (...args: string[]) => operate("revoke", ...args, "--reason", "drill")
const operate = (...args: string[]) =>
  runCli(args, {
    env: {
      TASKMINT_ISSUER: town.issuerUrl,
      TASKMINT_CLIENT_ID: "operations-team",
      TASKMINT_CLIENT_KEY_FILE: keyFile,
    },
  })

test("it says how many verifier instances have applied it, and how long the last one took", async () => {
  const task = await town.orchestrator().start(START)
  const { code, stdout, stderr } = await revoke("task", task.id)
  expect([code, stderr]).toEqual([0, ""])
  expect(stdout).toMatch(
    /1 live token\(s\) ended\n1 of 1 verifier instance\(s\) have applied it, the last after \d+ ms/,
  )
})

test("--json is the revocation as the issuer shows it, with who applied it and when", async () => {
  const task = await town.orchestrator().start(START)
  const { code, stdout } = await revoke("task", task.id, "--json")
  expect(code).toBe(0)
  const { instances, applied_in_ms, at } = JSON.parse(stdout)
  expect(instances).toEqual([
    {
      instance: expect.any(String),
      api: "tickets",
      applied_at: expect.any(String),
      last_seen: expect.any(String),
      closed: false,
    },
  ])
  expect(Date.parse(instances[0].applied_at) - Date.parse(at)).toBe(applied_in_ms)
})

test("where nobody holds a token nobody is waited for", async () => {
  const { code, stdout, stderr } = await revoke("token", newId("tok"))
  expect([code, stderr]).toEqual([0, ""])
  expect(stdout).toMatch(/0 live token\(s\) ended\n$/)
})

test("who has not applied it in a few seconds is named", async () => {
  const task = await town.orchestrator().start(START)
  const { code, stdout, stderr } = await town.without("/uses", () => revoke("task", task.id))
  expect(code).toBe(0)
  expect(stdout).toContain("0 of 1 verifier instance(s) have applied it\n")
  expect(stderr).toMatch(/^Not applied yet: tickets [0-9a-f-]+, last heard of \d{4}-/)
})

describe("who is waited for", () => {
  const AT = Date.parse("2026-03-01T09:00:00Z")
  const orderWith = (instance: Readonly<Record<string, unknown>>) => ({
    id: "rev_1",
    at: toInstant(AT),
    instances: [{ instance: "i", api: "tickets", closed: false, last_seen: toInstant(AT), ...instance }],
  })
  const askedFor = async (instance: Readonly<Record<string, unknown>>) => {
    const asked: string[] = []
    const issuer: IssuerCalls = {
      issuer: "https://x.example",
      call: async (_, path) => {
        asked.push(path)
        return { status: 200, body: orderWith({ applied_at: toInstant(AT) }) }
      },
      headers: () => Promise.reject(new Error("not asked for")),
      serviceToken: () => Promise.reject(new Error("not asked for")),
    }
    const view = await awaitApplied(issuer, orderWith(instance))
    return [asked, view.instances]
  }

  test("one that was heard within the minute before the order, until it has applied it", async () => {
    const applied = [expect.objectContaining({ applied_at: toInstant(AT) })]
    for (const last of [AT, AT - 60_000])
      expect(await askedFor({ last_seen: toInstant(last) })).toEqual([["/revocations/rev_1"], applied])
  })

  test.each([
    ["one that was closed in order: it applies it before it lets anything through", { closed: true }],
    ["one that was silent before", { last_seen: toInstant(AT - 60_001) }],
    ["one that has applied it", { applied_at: toInstant(AT) }],
  ])("not %s", async (_, instance) => {
    expect(await askedFor(instance)).toEqual([[], orderWith(instance).instances])
  })
})

test("verifier list shows how each stands: its state, its batches, its clock", async () => {
  const { code, stdout } = await operate("verifier", "list")
  expect(code).toBe(0)
  expect(stdout).toMatch(/INSTANCE +API +STATE +LAST SEEN +BATCH +MISSING +CLOCK +FEED/)
  expect(stdout).toMatch(/tickets +reporting +\S+Z +\d+ +\+0\.0 s +\d+/)
})

test("a lock for longer than years are counted stands until the last of them", async () => {
  const { code, stdout } = await revoke("agent", "summarizer", "--until", "9999999d", "--json")
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ until: "9999-12-31T23:59:59.999Z" })
})
