// docs/http.md, run as it stands: its shell blocks as one script, its Python blocks as one program, against a real issuer and
// a guarded API. Only the two addresses are replaced. Where a program is missing, its test says NOT TESTED HERE.
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type Ended, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const STEPS = ["functions", "token", "start", "call", "renew", "complete", "bound"]
const text = readFileSync(join(ROOT, "docs/http.md"), "utf8")
const blocks = new Map(
  [...text.matchAll(/^```(sh|python) (\S+)\n([\s\S]*?)^```$/gm)].map(([, language, name, block = ""]) => [
    `${language} ${name}`,
    block,
  ]),
)
const missing = ["openssl", "curl", "python3"].filter((one) => spawnSync(one, ["--version"]).error)
const folder = mkdtempSync(join(tmpdir(), "taskmint-http-"))
let town: Town

const program = (language: string, names: readonly string[]): string =>
  names
    .map((name) => {
      const block = blocks.get(`${language} ${name}`)
      if (block === undefined) throw new Error(`docs/http.md has no block ${language} ${name}`)
      return block
    })
    .join("\n")
    .replaceAll("https://taskmint.internal", town.issuerUrl)
    .replaceAll("https://tickets.internal.example", town.tickets)

beforeAll(async () => {
  town = await buildTown()
  const policy = join(town.policies, "support.yaml")
  writeFileSync(
    policy,
    readFileSync(policy, "utf8").replace("    deadline: 2h\n", "    deadline: 2h\n    renew: agent\n"),
  )
  if (missing.includes("openssl")) return
  const made = await startShell(program("sh", ["functions", "key"]), { cwd: folder }).ended
  expect(made).toMatchObject({ code: 0, stderr: "" })
  copyFileSync(
    join(folder, "support-orchestrator.jwks.json"),
    join(town.policies, "keys/support-orchestrator.jwks.json"),
  )
  expect(await town.ask("operations-team", "POST", "/policy/reload", {})).not.toHaveProperty("code")
})
afterAll(async () => {
  await town.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What the steps print, in their order. */
function expectWhole({ code, stdout, stderr }: Ended, ticket: string): void {
  expect([code, stderr]).toEqual([0, ""])
  const [started, read, refused, again, ended, bound, last] = stdout.trim().split("\n")
  expect(started).toMatch(/^started task_[0-9a-f-]{36}$/)
  expect([read, again, bound]).toEqual([ticket, ticket, ticket])
  expect(refused).toMatch(/^resource_not_granted(, next: stop)?$/)
  expect([ended, last]).toEqual(["completed", "completed"])
}

const notTestedHere = () =>
  console.warn(`NOT TESTED HERE: docs/http.md (${missing} missing). Run it where they are.`)

test("every block is one that is run", () => {
  const run = [
    "sh key",
    ...["sh", "python"].flatMap((language) => STEPS.map((name) => `${language} ${name}`)),
  ]
  expect([...blocks.keys()].sort()).toEqual(run.sort())
  expect(text.match(/^```\w/gm)).toHaveLength(run.length)
})

test("in a shell with curl", async () => {
  if (missing.length > 0) return notTestedHere()
  expectWhole(await startShell(program("sh", STEPS), { cwd: folder }).ended, '{"id":"SUP-1042"}')
})

test("in Python's standard library", async () => {
  if (missing.length > 0) return notTestedHere()
  writeFileSync(join(folder, "steps.py"), program("python", STEPS))
  const ended = await startShell("exec python3 steps.py", { cwd: folder }).ended
  expectWhole(ended, "{'id': 'SUP-1042'}")
  const imported = [...program("python", STEPS).matchAll(/^import (.*)$/gm)].map(([, names]) => names)
  expect(imported).toEqual([
    "base64, hashlib, json, subprocess, tempfile, time, urllib.error, urllib.parse, urllib.request, uuid",
  ])
})
