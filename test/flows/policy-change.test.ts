// One policy's change, as its owners live it: written, tested by its scenarios, compared with main, replayed over what
// happened, deployed, narrowed to what an API's verifier reported, deployed again, and taken back. Each step is a process of
// its own, against an issuer that runs.
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type ExampleFolder, writeExampleFolder } from "../../src/cli/example-folder.ts"
import { asRecord } from "../../src/client/issuer-call.ts"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { type Running, runCli, startCli } from "../support/command-line.ts"
import { type TestPlace, testPlace } from "../support/engine.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-change-"))
let house: ExampleFolder
let serving: Running
let at: TestPlace
let verifier: Verifier
let issuer = ""
let support = ""

beforeAll(async () => {
  at = await testPlace(folder)
  house = writeExampleFolder(join(folder, "house"))
  support = join(house.policies, "support.yaml")
  const env = {
    TASKMINT_POLICIES: house.policies,
    ...at.settings,
    TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
  }
  serving = startCli(["serve", "--dev", "--port", "0"], { env })
  issuer = (await serving.said(/"address":"([^"]+)".*"msg":"listening"/))[1] ?? ""
  verifier = await createVerifier({
    issuer,
    resource: "https://tickets.internal.example",
    credential: { clientId: "tickets", privateJwkFile: house.keyFileOf("tickets") },
    spool: join(folder, "uses.db"),
  })
})
afterAll(async () => {
  await verifier.close()
  serving.child.kill("SIGTERM")
  await serving.ended
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

const as = (name: string, ...args: string[]) => {
  const env = {
    TASKMINT_ISSUER: issuer,
    TASKMINT_CLIENT_ID: name,
    TASKMINT_CLIENT_KEY_FILE: house.keyFileOf(name),
    TASKMINT_POLICIES: house.policies,
  }
  return runCli(args, { env, cwd: dirname(house.policies) })
}
const policy = (...args: string[]) => as("audit-team", "policy", ...args)
const git = (...args: string[]) =>
  execFileSync(
    "git",
    ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", ...args],
    { cwd: dirname(house.policies), stdio: "pipe" },
  )
const edit = (from: string, to: string) =>
  writeFileSync(support, readFileSync(support, "utf8").replace(from, to))
const start = async (ticket: string) => {
  const task = [
    "task",
    "start",
    "triage-ticket",
    "--agent",
    "triage-bot/pod-1",
    "--input",
    `ticket=${ticket}`,
    "--purpose",
    "a test",
  ]
  return (await as("support-orchestrator", ...task)).code
}

/** Reads the ticket as an agent would; whether it may, as the API's verifier says. */
const read = async (token: string) => {
  const rawHeaders = ["authorization", `Bearer ${token}`]
  const view = { method: "GET", target: "/tickets/SUP-1", rawHeaders }
  const decision = await verifier.check(view, "tickets:read", ["tickets", "SUP-1"])
  if (decision.outcome === "allowed") decision.finished(200)
  return decision.outcome === "refused" ? decision.code : decision.outcome
}
/** Named longer than the second that it may take: others use this machine, too. */
const SOON = { timeout: 10_000, interval: 50 }

/** The commands that docs/policy-changes.md begins with. */
const documented = (): string[] => {
  const text = readFileSync(join(ROOT, "docs/policy-changes.md"), "utf8")
  const lines = (/```sh\n(.+?)```/s.exec(text)?.[1] ?? "").trim().split("\n")
  return lines.map((line) => line.replace(/^taskmint /, ""))
}

const serviceTokens = new Map<string, string>()
const post = async (name: string, path: string, json: object = {}) => {
  const token = serviceTokens.get(name) ?? (await as(name, "token", "get")).stdout.trim()
  serviceTokens.set(name, token)
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  return fetch(issuer + path, { method: "POST", headers, body: JSON.stringify(json) })
}
const operate = async (path: string) => (await post("operations-team", path)).status
/** The command shows no token. */
const startByHand = async (ticket: string) => {
  const agent = { id: "triage-bot", instance: "pod-1" }
  const request = { type: "triage-ticket", agent, purpose: "a test", inputs: { ticket } }
  const { task_id: task, tokens } = asRecord(
    await (await post("support-orchestrator", "/tasks", request)).json(),
  )
  const [first] = Array.isArray(tokens) ? tokens : []
  return { task: String(task), token: String(asRecord(first).access_token) }
}

test("a change is tested, compared, replayed, deployed, narrowed and taken back", async () => {
  git("init", "-q", "-b", "main")
  git("add", basename(house.policies))
  git("commit", "-q", "-m", "x")
  expect(await start("OPS-2")).toBe(0)
  const { task, token } = await startByHand("SUP-1")
  await expect.poll(() => read(token), SOON).toBe("allowed")
  await verifier.flush()

  edit('ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,9}" }', "ticket: { enum: [SUP-1] }")
  expect((await policy("check", "--dev")).code).toBe(0)
  const tested = await policy("test", "--dev")
  expect([tested.code, tested.stdout]).toMatchObject([1, expect.stringContaining("+ refused inputs_invalid")])
  const scenarios = join(house.policies, "scenarios", "support.yaml")
  writeFileSync(scenarios, readFileSync(scenarios, "utf8").replaceAll("SUP-1042", "SUP-1"))
  expect(await policy("test", "--dev")).toMatchObject({ code: 0 })
  const compared = await policy("diff", "git:main", "--dev", "--fail-on", "widening")
  expect([compared.code, compared.stdout]).toMatchObject([
    0,
    expect.stringContaining("takes one of SUP-1; before"),
  ])
  const hit = await policy("replay", "--dev", "--since", "1h")
  expect([hit.code, hit.stdout]).toMatchObject([1, expect.stringMatching(/starts +2 +1 +0 +1 +0/)])

  edit("ticket: { enum: [SUP-1] }", "ticket: { enum: [SUP-1, OPS-2] }")
  const certificate = join(folder, "replay.jws")
  const passed = await policy("replay", "--dev", "--since", "1h", "--certificate", certificate)
  expect([passed.code, passed.stdout]).toMatchObject([
    0,
    expect.stringContaining("1 of 1 uses in the window permitted"),
  ])
  const jwks = join(house.policies, "keys/audit-team.jwks.json")
  const genuine = await policy(
    "replay",
    house.policies,
    "--dev",
    "--verify",
    certificate,
    "--jwks",
    jwks,
    "--json",
  )
  expect(JSON.parse(genuine.stdout)).toMatchObject({
    iss: "audit-team",
    ledger: issuer,
    checkpoint: expect.stringContaining("\n\n— "),
  })

  const first = JSON.parse((await policy("diff", "git:main", "--dev", "--json")).stdout).old
  expect(await operate("/policy/reload")).toBe(200)
  expect([await start("SUP-1"), await start("SUP-3")]).toEqual([0, 1])

  const cut = await policy("narrow", "--dev", "--min-tasks", "1", "--write")
  expect([cut.code, cut.stderr]).toMatchObject([
    0,
    expect.stringMatching(/tickets:comment goes from .*\n.*tickets\/\{ticket\}\/comments goes from /s),
  ])
  expect(await operate("/policy/reload")).toBe(200)
  await expect.poll(() => read(token), SOON).toBe("token_revoked")
  const all = await as("audit-team", "ledger", "query", "--json")
  const { entries }: { entries: { kind: string; at: string; task_id?: string }[] } = JSON.parse(all.stdout)
  const ended = entries.find((entry) => entry.kind === "token.revoked" && entry.task_id === task)
  const changed = entries.findLast(({ kind }) => kind === "policy.loaded")
  expect(Date.parse(ended?.at ?? "") - Date.parse(changed?.at ?? "")).toBeLessThan(1000)
  const report = join(folder, "report.json")
  const item = {
    type: "triage-ticket",
    agent: "triage-bot",
    rule: "support.yaml#/tasks/triage-ticket/grants/0",
    api: "tickets",
    granted: 90,
    refused: 0,
    last_used: null,
    resources: null,
  }
  const items = [
    { ...item, operation: "tickets:read", used: 70 },
    { ...item, operation: "tickets:comment", used: 0 },
  ]
  writeFileSync(
    report,
    JSON.stringify({
      from: "2026-01-01T00:00:00Z",
      to: "2026-01-31T00:00:00Z",
      entries: 160,
      up_to: 160,
      up_to_at: "2026-01-31T00:00:00Z",
      items,
    }),
  )
  const narrower = await policy("diff", "git:main", "--dev", "--fail-on", "widening")
  expect([narrower.code, narrower.stdout]).toMatchObject([
    0,
    expect.stringContaining("may no longer tickets:comment"),
  ])

  for (const line of documented()) {
    const ran = await as("audit-team", ...line.replace("report.json", report).split(" "), "--dev")
    expect([line, ran.code, ran.stderr]).toMatchObject([line, 0, expect.not.stringContaining("error")])
  }
  // The issuer looks at its folder every few seconds: from here on there is nothing new in it.
  expect(await operate("/policy/reload")).toBe(200)
  const misspelled = await as("operations-team", "policy", "use", "main")
  expect([misspelled.code, misspelled.stderr]).toMatchObject([2, expect.stringContaining("policy.loaded")])
  const unknown = await as("operations-team", "policy", "use", `sha-256:${"A".repeat(43)}`)
  expect(unknown.code).toBe(1)
  expect((await as("operations-team", "policy", "use", first)).stdout).toContain("in force")
  const again = await as("operations-team", "policy", "use", first, "--json")
  expect(JSON.parse(again.stdout)).toEqual({ result: "unchanged", digest: first })
  expect(await start("SUP-3")).toBe(0)
  git("checkout", "-q", "--", basename(house.policies))
  const back = await policy("diff", "git:main", "--dev", "--fail-on", "any")
  expect([back.code, back.stdout]).toEqual([0, "Nobody may do more or less.\n"])
})
