import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { type ExampleFolder, writeExampleFolder } from "../../src/cli/example-folder.ts"
import { createSession } from "../../src/client/client.ts"
import { type Ended, type Running, runCli, startCli } from "../support/command-line.ts"
import { type TestPlace, testPlace } from "../support/engine.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-day-"))
let house: ExampleFolder
let serving: Running
let at: TestPlace
let issuer = ""

beforeAll(async () => {
  at = await testPlace(folder)
  house = writeExampleFolder(join(folder, "house"))
  serving = startCli(["serve", "--dev", "--port", "0"], {
    env: {
      TASKMINT_POLICIES: house.policies,
      ...at.settings,
      TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
    },
  })
  issuer = (await serving.said(/"address":"([^"]+)".*"msg":"listening"/))[1] ?? ""
})
afterAll(async () => {
  serving.child.kill("SIGTERM")
  expect((await serving.ended).code).toBe(0)
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

const as = (name: string, ...args: string[]): Promise<Ended> =>
  runCli(args, {
    env: {
      TASKMINT_ISSUER: issuer,
      TASKMINT_CLIENT_ID: name,
      TASKMINT_CLIENT_KEY_FILE: house.keyFileOf(name),
    },
  })

const START = ["--agent", "triage-bot/pod-1", "--input", "ticket=SUP-1042", "--purpose", "a test"]
const start = async (...more: string[]) => {
  const { code, stdout } = await as(
    "support-orchestrator",
    "task",
    "start",
    "triage-ticket",
    ...START,
    ...more,
    "--json",
  )
  expect(code).toBe(0)
  expect(stdout).not.toContain("eyJ")
  return JSON.parse(stdout)
}

describe("an orchestrator's day", () => {
  test("a task is started, shown, paused, resumed and completed; ended, it stays ended", async () => {
    const { task_id: id, tokens } = await start("--operation", "tickets:read")
    expect(tokens).toMatchObject([
      {
        token: "[task token for https://tickets.internal.example]",
        scope: ["tickets:read"],
        tokenType: "Bearer",
      },
    ])
    for (const [change, state] of [
      ["pause", "paused"],
      ["resume", "active"],
      ["complete", "completed"],
      ["complete", "completed"],
    ]) {
      const { code, stdout } = await as("support-orchestrator", "task", change ?? "", id)
      expect([code, stdout]).toEqual([0, `${id}  ${state}\n`])
    }
    const over = await as("support-orchestrator", "task", "resume", id)
    expect([over.code, over.stderr]).toEqual([
      1,
      expect.stringMatching(/task_ended, 409[\s\S]*start another/),
    ])
    const shown = await as("support-orchestrator", "task", "show", id)
    expect(shown.stdout).toMatch(/^state +completed$/m)
    expect(shown.stdout).toMatch(/tickets\/SUP-1042/)
    const listed = await as("support-orchestrator", "task", "list", "--state", "completed")
    expect(listed.stdout).toContain(id)
  })

  test("an auditor's questions are answered in a table, or as JSON", async () => {
    const { task_id: id } = await start("--operation", "tickets:read")
    const shown = await as("audit-team", "ledger", "ask", "rule", "--task", id)
    expect([shown.code, shown.stdout]).toEqual([
      0,
      expect.stringMatching(/^PLACE +TEXT[\s\S]*support\.yaml:\d+ +- api: tickets/),
    ])
    expect(shown.stderr).toContain("started by support-orchestrator for support-orchestrator")
    const told = await as("audit-team", "ledger", "ask", "did", "--task", id, "--json")
    expect(JSON.parse(told.stdout)).toMatchObject({ question: "did", about: { task_id: id }, rows: [] })
    const unknown = await as("audit-team", "ledger", "ask", "did", "--task", "task_x")
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("not_found, 404")])
    const rights = await as("audit-team", "ledger", "least-privilege", "--agent", "summarizer", "--json")
    expect(JSON.parse(rights.stdout)).toMatchObject({
      items: [],
      dormant: { agents: expect.anything() },
      only: { agent: "summarizer" },
    })
    const unused = await as("audit-team", "ledger", "least-privilege", "--unused")
    expect([unused.code, unused.stderr]).toEqual([
      0,
      expect.stringMatching(/^\n\d+ entries from \S+ to \S+\.$/m),
    ])
    expect((await as("operations-team", "ledger", "rebuild")).code).toBe(0)
    const unusual = await as("audit-team", "ledger", "anomalies", "--rule", "unusual_spread", "--json")
    expect(JSON.parse(unusual.stdout)).toMatchObject({
      anomalies: [],
      learning: { wanted: { tasks: 50, days: 7 } },
    })
    await vi.waitFor(async () => {
      const { stderr } = await as("audit-team", "ledger", "anomalies")
      expect(stderr).toMatch(/Nothing unusual stands\.[\s\S]*A task counts from an hour after its end on/)
    }, 12_000) // once the counts that were made anew are there
    const path = join(folder, "export.csv")
    expect((await as("audit-team", "ledger", "export", "--format", "csv", "--to", path)).code).toBe(0)
    expect(readFileSync(path, "utf8").split("\r\n").at(-2)).toMatch(/^\d+,/)
  })

  test("the same reference is the same task; another request with it is refused", async () => {
    const one = await start("--reference", "run-1")
    expect((await start("--reference", "run-1")).task_id).toBe(one.task_id)
    const other = await as(
      "support-orchestrator",
      "task",
      "start",
      "triage-ticket",
      ...START.map((word) => word.replace("SUP-1042", "SUP-9")),
      "--reference",
      "run-1",
    )
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("reference_conflict")])
  })

  test("tokens come out on purpose: in a file for the agent, or as text", async () => {
    const path = join(folder, "handover.json")
    const { task_id: id } = await start("--handover", path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const session = await createSession(JSON.parse(readFileSync(path, "utf8")))
    expect(await session.headers("GET", "https://tickets.internal.example/x")).toHaveProperty("authorization")
    const got = await as("support-orchestrator", "token", "get", id)
    expect([got.code, got.stdout]).toEqual([0, expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/)])
    const inspected = await runCli(["token", "inspect"], { stdin: got.stdout })
    expect(inspected.stdout).toMatch(new RegExp(`task +${id}`))
    const service = await as("support-orchestrator", "token", "get")
    expect(service.stdout).toMatch(/^eyJ/)
  })

  test("a refused start says which field, and is no success", async () => {
    const wrong = await as(
      "support-orchestrator",
      "task",
      "start",
      "triage-ticket",
      ...START.map((word) => word.replace("SUP-1042", "nonsense")),
    )
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("/inputs/ticket: expected")])
  })

  test("what is another caller's does not exist for it", async () => {
    const { task_id: id } = await start()
    const other = await as("release-orchestrator", "task", "show", id)
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("not_found")])
    const stolen = await runCli(["task", "list"], {
      env: {
        TASKMINT_ISSUER: issuer,
        TASKMINT_CLIENT_ID: "audit-team",
        TASKMINT_CLIENT_KEY_FILE: house.keyFileOf("support-orchestrator"),
      },
    })
    expect([stolen.code, stolen.stderr]).toEqual([
      1,
      expect.stringMatching(/invalid_client[\s\S]*Check TASKMINT_CLIENT_ID/),
    ])
  })
})

test("an API's credential calls nothing, and says whose is wanted", async () => {
  const { code, stderr } = await as("tickets", "task", "list")
  expect([code, stderr]).toEqual([1, expect.stringMatching(/invalid_dpop_proof[\s\S]*is for its verifier/)])
})

describe("a credential that was not taken tells what was wrong with the issuer's name", () => {
  const elsewhere = createServer((_request, response) => response.writeHead(404).end("no"))
  beforeAll(() => new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve)))
  afterAll(() => void elsewhere.close())

  test.each<[what: string, name: () => string, says: () => RegExp]>([
    ["another host", () => issuer.replace("127.0.0.1", "localhost"), () => RegExp(`called ${issuer}: give`)],
    ["a slash", () => `${issuer}/`, () => RegExp(`called ${issuer}: give .*TASKMINT_ISSUER`)],
    [
      "no issuer",
      () => `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`,
      () => /is no issuer .*TASKMINT_ISSUER/,
    ],
  ])("%s", async (_what, name, says) => {
    const { code, stderr } = await runCli(["task", "list"], {
      env: {
        TASKMINT_ISSUER: name(),
        TASKMINT_CLIENT_ID: "audit-team",
        TASKMINT_CLIENT_KEY_FILE: house.keyFileOf("audit-team"),
      },
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(says())])
    expect(stderr).not.toContain("CLIENT_ID")
  })
})

describe("an operator's and an auditor's day", () => {
  test("an instance is revoked and locked, nothing starts for it, and the lock is lifted", async () => {
    const { task_id: id } = await start()
    const revoked = await as("operations-team", "revoke", "instance", "triage-bot/pod-1", "--reason", "odd")
    const [, revocation = ""] = /^(rev_\S+) {2}\d+ live token/.exec(revoked.stdout) ?? []
    expect([revoked.code, revocation]).toEqual([0, expect.stringMatching(/^rev_/)])
    const listed = await as("operations-team", "lock", "list")
    expect(listed.stdout).toMatch(
      new RegExp(`${revocation} +instance +triage-bot/pod-1 +lifted +operations-team +odd`),
    )
    const refused = await as("support-orchestrator", "task", "start", "triage-ticket", ...START)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("(locked, 403)")])
    expect((await as("support-orchestrator", "task", "show", id)).stdout).toMatch(/^state +revoked$/m)
    const lifted = await lift(revocation)
    expect([lifted.code, lifted.stdout]).toEqual([0, `${revocation}  lifted\n`])
    expect((await as("operations-team", "lock", "list")).stderr).toContain("No locks.")
    await start()
  })

  /** Within the second in which a lock was set it can't be lifted: then the answer is to try again. */
  async function lift(revocation: string): Promise<Ended> {
    for (;;) {
      const ended = await as("operations-team", "lock", "lift", revocation)
      if (!ended.stderr.includes("task_conflict")) return ended
    }
  }

  test("the ledger is read by filters, a page at a time", async () => {
    const refused = await as("audit-team", "ledger", "query", "--kind", "task.refused")
    expect([refused.code, refused.stdout]).toEqual([
      0,
      expect.stringMatching(/task\.refused .*(inputs_invalid|locked)/),
    ])
    const page = await as("audit-team", "ledger", "query", "--limit", "2", "--json")
    const { entries, next } = JSON.parse(page.stdout)
    expect(entries).toHaveLength(2)
    const more = await as("audit-team", "ledger", "query", "--limit", "2", "--after", next, "--json")
    expect(JSON.parse(more.stdout).entries[0].seq).toBe(entries[1].seq + 1)
  })

  test("roles keep to what is theirs", async () => {
    for (const [role, name, ...args] of [
      ["operator", "audit-team", "lock", "list"],
      ["auditor", "operations-team", "ledger", "query"],
      ["operator", "support-orchestrator", "revoke", "agent", "triage-bot", "--reason", "x"],
      ["orchestrator", "audit-team", "task", "start", "triage-ticket", ...START],
      ["approver", "support-orchestrator", "approval", "grant", "apr_1"],
    ] as const) {
      const { code, stderr } = await as(name, ...args)
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(RegExp(`role_missing, 403\\)\\n  expected a caller with the role ${role}`)),
      ])
    }
  })
})
