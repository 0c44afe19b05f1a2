import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, expect, test, vi } from "vitest"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { happen } from "../support/replayed.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const createFolder = createFolders()
const folder = createFolder()
const policies = join(folder, "policies")
const entries = join(folder, "entries.ndjson")
const keyFile = join(folder, "key.json")
const keys = join(folder, "keys.json")
const key = generatePrivateJwk("ES256")

beforeAll(async () => {
  await happen(async ({ entries: all, policyFolder }) => {
    cpSync(policyFolder, policies, { recursive: true })
    writeFileSync(entries, all.map((one) => `${JSON.stringify(one)}\n`).join(""))
  })
  writeFileSync(keyFile, JSON.stringify(key), { mode: 0o600 })
  writeFileSync(keys, JSON.stringify({ keys: [importSigningKey(key).publicJwk] }))
})

const env = {
  TASKMINT_ISSUER: "https://taskmint.internal",
  TASKMINT_CLIENT_ID: "audit-team",
  TASKMINT_CLIENT_KEY_FILE: keyFile,
}
const SINCE = ["--since", "2026-02-01T00:00:00Z"]
const replay = (...args: string[]) => runCli(["policy", "replay", ...args], { env })

/** A copy of the policy folder with a change. */
function changed(from: string, to: string): string {
  const path = join(createFolder(), "policies")
  cpSync(policies, path, { recursive: true })
  const file = join(path, "support.yaml")
  writeFileSync(file, readFileSync(file, "utf8").replace(from, to))
  return path
}

test("what happened passes the policy that decided, and the certificate says so and can be checked", async () => {
  const certificate = join(createFolder(), "replay.jws")
  const done = await replay(policies, "--entries", entries, ...SINCE, "--certificate", certificate, "--json")
  expect([done.code, done.stderr]).toEqual([0, ""])
  const told = JSON.parse(done.stdout)
  expect(told).toMatchObject({
    statement: "4 of 4 uses in the window permitted",
    starts: { total: 2 },
    hits: [],
  })
  const verify = (...args: string[]) => replay(...args, "--verify", certificate, "--jwks", keys)
  const genuine = await verify(policies)
  expect([genuine.code, genuine.stdout]).toMatchObject([
    0,
    expect.stringContaining(
      `genuine  4 of 4 uses in the window permitted, says audit-team of ${told.policy}`,
    ),
  ])
  const other = await verify(changed("deadline: 2h", "deadline: 1h"))
  expect([other.code, other.stderr]).toEqual([1, "no: The certificate is about another policy\n"])
  const [head, , signature] = readFileSync(certificate, "utf8").split(".")
  const better = Buffer.from(JSON.stringify({ ...told, statement: "9 of 9" })).toString("base64url")
  writeFileSync(certificate, `${head}.${better}.${signature}`)
  expect((await verify()).stderr).toBe("no: The certificate is not genuine: its signature does not hold\n")
})

test("what would have been refused is told with whom it hits, and the exit code is no", async () => {
  const candidate = changed("", "")
  const file = join(candidate, "support.yaml")
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("[A-Z]{2,5}", "SUP"))
  const done = await replay(candidate, "--entries", entries, ...SINCE)
  expect([done.code, done.stderr]).toEqual([1, "no: 2 of what happened would have been refused\n"])
  expect(done.stdout).toContain("3 of 4 uses in the window permitted")
  expect(done.stdout).toMatch(
    /starts +refused +inputs_invalid: the inputs do not fit the task type +triage-ticket +triage-bot +support-orchestrator +1 /,
  )
})

test("what can't be told is exit code 3, never 0", async () => {
  const late = join(createFolder(), "late.ndjson")
  const lines = readFileSync(entries, "utf8").split("\n")
  writeFileSync(late, lines.filter((line) => !line.includes('"task.started"')).join("\n"))
  const done = await replay(policies, "--entries", late, ...SINCE)
  expect([done.code, done.stderr]).toEqual([
    3,
    "error: Of 5 it can't be told whether they would have been refused\n",
  ])
})

test("a window of all there is begins with the first of all years", async () => {
  const done = await replay(policies, "--entries", entries, "--since", "9999999d", "--json")
  expect(JSON.parse(done.stdout)).toMatchObject({ from: "0000-01-01T00:00:00.000Z", starts: { total: 2 } })
})

test.each([
  [["--since", "soon"], 2, "--since soon is no time"],
  [["--entries", "nowhere"], 2, "nowhere can't be read (ENOENT)"],
  [["--entries", keys], 3, "this is no entry of a ledger"],
  [["--verify", keys], 2, "--verify needs the public keys of who signed"],
])("what can't be replayed is said: %j", async (args, code, said) => {
  const done = await replay(policies, ...args)
  expect(done.stderr).toContain(said)
  expect(done.code).toBe(code)
})
