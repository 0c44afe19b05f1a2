import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { signJwt } from "../../src/token/jwt.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { runCli } from "../support/command-line.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-cli-"))
const house = join(folder, "house")
beforeAll(() => void writeExampleFolder(house))
afterAll(() => rmSync(folder, { recursive: true }))

const caller = () => ({
  TASKMINT_ISSUER: "http://127.0.0.1:9",
  TASKMINT_CLIENT_ID: "support-orchestrator",
  TASKMINT_CLIENT_KEY_FILE: join(house, "credentials/support-orchestrator.private.json"),
})
const START = ["task", "start", "triage-ticket", "--agent", "triage-bot/pod-1", "--purpose", "x"]
const EXPLAIN = [
  "policy",
  "explain",
  "triage-ticket",
  "--orchestrator",
  "support-orchestrator",
  "--agent",
  "triage-bot",
]

describe.concurrent("a wrong turn ends with its exit code and the next step, on standard error", () => {
  const cases: readonly (readonly [
    args: readonly string[],
    env: () => Record<string, string>,
    code: number,
    says: RegExp,
  ])[] = [
    [[], () => ({}), 2, /Usage: taskmint/],
    [["task"], () => ({}), 2, /Usage: taskmint task/],
    [["ledger", "ask"], () => ({}), 2, /Usage: taskmint ledger ask/],
    [["help", "tusk"], () => ({}), 2, /Usage: taskmint/],
    [["tusk"], () => ({}), 2, /unknown command 'tusk'[\s\S]*task/],
    [["task", "stort"], () => ({}), 2, /Did you mean start/],
    [["task", "list", "--stat", "x"], () => ({}), 2, /Did you mean --state/],
    [["task", "list"], () => ({}), 2, /TASKMINT_ISSUER is not set\s+Give --issuer/],
    [["task", "list", "--issuer", "https://x.example"], () => ({}), 2, /TASKMINT_CLIENT_ID is not set/],
    [
      ["task", "list"],
      () => ({ ...caller(), TASKMINT_CLIENT_KEY_FILE: "/nowhere" }),
      2,
      /can't be read \(ENOENT\)/,
    ],
    [
      ["task", "list", "--client-assertion-file", "/nowhere"],
      caller,
      2,
      /ASSERTION_FILE: \/nowhere can't be read \(ENOENT\)/,
    ],
    [
      ["task", "list"],
      () => ({ ...caller(), TASKMINT_CLIENT_ASSERTION_FILE: "/etc/hostname" }),
      2,
      /Keep one of TASKMINT_CLIENT_KEY_FILE and TASKMINT_CLIENT_ASSERTION_FILE/,
    ],
    [["token", "get", "--client-assertion-file", "/etc/hostname"], caller, 2, /bound to a key/],
    [
      ["approval", "list"],
      () => ({ ...caller(), TASKMINT_CLIENT_KEY_FILE: "" }),
      2,
      /Nobody signs in[\s\S]*--sign-in-issuer and --sign-in-client-id/,
    ],
    [["task", "list", "--limit", "0"], caller, 2, /whole number above 0/],
    [["task", "list", "--issuer", "http://issuer.example"], caller, 2, /must be https/],
    [["task", "list"], caller, 3, /can't be asked.*[\s\S]*Is it running\?/],
    [["task", "start", "triage-ticket"], caller, 2, /--agent/],
    [[...START, "--agent", "triage-bot"], caller, 2, /agent\/instance/],
    [[...START, "--input", "ticket"], caller, 2, /name=value/],
    [[...START, "--input", "ticket=A", "--input", "ticket=B"], caller, 2, /Each input is given once/],
    [["task", "list", "--state", "ended"], caller, 2, /Allowed choices are active/],
    [
      ["ledger", "verify", "--key", "/nowhere"],
      () => ({}),
      3,
      /\/nowhere can't be read\s+Name a file that is there/,
    ],
    [["ledger", "verify", "--database", "sqlite:a.db", "--served"], caller, 2, /exclude each other/],
    [["ledger", "verify", "--database", "sqlite:a.db", "--tiles", "."], caller, 2, /exclude each other/],
    [["ledger", "ask", "who"], caller, 2, /Give one of --operation, --resource/],
    [["ledger", "ask", "did"], caller, 2, /Give one of --task, --jti/],
    [["ledger", "ask", "did", "--task", "t", "--jti", "j"], caller, 2, /exclude each other/],
    [["ledger", "ask", "approved", "--from", "x"], caller, 2, /Give one of --task, --jti, --operation/],
    [["backup", "--to", "package.json", "--database", "sqlite:x"], () => ({}), 2, /never overwritten/],
    [["init", "w2", "--port", "70000"], () => ({}), 2, /Give a port/],
    [["init", "package.json/"], () => ({}), 2, /package.json is no folder/],
    [["init", "/proc/x"], () => ({}), 2, /\/proc\/x can't be made/],
    [["credential", "new", "a", "--out", "/proc/x"], () => ({}), 2, /\/proc\/x can't be made/],
    [["revoke", "pod", "x", "--reason", "y"], caller, 2, /Allowed choices are token/],
    [["revoke", "task", "task_1", "--reason", "y", "--until", "2h"], caller, 2, /--until is for locks/],
    [["revoke", "agent", "a", "--reason", "y", "--until", "soon"], caller, 2, /--until soon is no time/],
    [["keys", "rotate", "--reason", "x"], caller, 2, /--reason is for an --emergency/],
    [["token", "inspect", "eyJhbGciOiJFUzI1NiJ9.e30.e30"], () => ({}), 2, /seen by everyone/],
    [["token", "inspect", "/nowhere"], () => ({}), 2, /can't be read/],
    [["credential", "new", "No Name"], () => ({}), 2, /can't be a name/],
    [["credential", "new", "a", "--algorithm", "RS256"], () => ({}), 2, /Allowed choices are ES256, EdDSA/],
    [["policy", "check"], () => ({}), 2, /TASKMINT_POLICIES is not set/],
    [["policy", "check", "/nowhere"], () => ({}), 1, /mistake/],
    [["policy", "check", "policies"], () => ({}), 1, /6 mistake/],
    [
      [...EXPLAIN, "--input", "ticket=nonsense"],
      () => ({ TASKMINT_POLICIES: join(house, "policies") }),
      1,
      /does not allow/,
    ],
    [["completion", "tcsh"], () => ({}), 2, /Allowed choices are zsh, bash, fish/],
    [["init", folder], () => ({}), 2, /not empty/],
  ]
  for (const [args, env, code, says] of cases)
    test(`taskmint ${args.join(" ").replaceAll(folder, "<folder>")}`, async () => {
      const ended = await runCli(args, { env: env(), cwd: join(import.meta.dirname, "../..") })
      expect(ended.stderr).toMatch(says)
      expect(ended.code).toBe(code)
      expect(ended.stderr).not.toMatch(/\n\s+at |node_modules/)
    })
})

describe.concurrent("what needs no issuer works without one", () => {
  const env = () => ({ TASKMINT_POLICIES: join(house, "policies") })

  test("policy check", async () => {
    const { code, stdout } = await runCli(["policy", "check"], { env: env() })
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^valid {2}4 tasks, 2 apis/)])
    const json = await runCli(["policy", "check", "--json"], { env: env() })
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: true, digest: expect.stringMatching(/^sha-256:/) })
  })

  test("policy check tells each mistake with its place", async () => {
    const bad = join(folder, "bad")
    writeExampleFolder(bad, (text) =>
      text.replace("orchestrators: [support-orchestrator]", "orchestraters: [x]"),
    )
    const { code, stdout } = await runCli(["policy", "check", join(bad, "policies")])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^support\.yaml:\d+:\d+: .*orchestraters/m)
  })

  test("policy check of a folder that is not there names it", async () => {
    const { code, stdout } = await runCli(["policy", "check", "/nowhere"])
    expect([code, stdout]).toEqual([1, expect.stringContaining("expected /nowhere to be a folder")])
  })

  test("policy explain", async () => {
    const { code, stdout } = await runCli([...EXPLAIN, "--input", "ticket=SUP-1", "--json"], { env: env() })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ allowed: true, authority: expect.any(Array) })
    const wrong = await runCli([...EXPLAIN, "--input", "ticket=SUP-1", "--now", "noon"], { env: env() })
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--now noon is no time")])
  })

  test("credential new", async () => {
    const out = join(folder, "credential")
    const { code, stdout } = await runCli(["credential", "new", "tickets", "--out", out, "--json"])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      clientId: "tickets",
      privateFile: join(out, "tickets.private.json"),
    })
    expect(stdout).not.toContain(JSON.parse(readFileSync(join(out, "tickets.private.json"), "utf8")).d)
  })

  for (const shell of ["bash", "zsh", "fish"])
    test(`completion ${shell}`, async () => {
      const { code, stdout } = await runCli(["completion", shell])
      expect([code, stdout]).toEqual([0, expect.stringContaining("taskmint complete --")])
    })

  test("completion answers the shell with commands and options", async () => {
    expect((await runCli(["complete", "--", "ta"])).stdout).toContain("task\t")
    expect((await runCli(["complete", "--", "task", "st"])).stdout).toContain("start\t")
  })
})

describe.concurrent("token inspect shows what a token says, and that it proves nothing", () => {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const claims = {
    iss: "https://i.example",
    exp: 1_700_000_000,
    act: { sub: "triage-bot/\u001b[31mpod" },
    txn: "task_1",
  }
  const token = signJwt({ typ: "at+jwt", kid: key.kid }, claims, key)

  test("from standard input, as a table, escaped", async () => {
    const { code, stdout } = await runCli(["token", "inspect"], { stdin: `${token}\n` })
    expect(code).toBe(0)
    expect(stdout).toContain("NOT verified")
    expect(stdout).toMatch(/expires +2023-11-14T22:13:20.000Z {2}\(expired\)/)
    expect(stdout).toContain("triage-bot/\\u{1b}[31mpod")
    expect(stdout).not.toMatch(/eyJ|\u001b/)
  })

  test("from standard input that comes late and in parts", async () => {
    const stdin = `${"\n".repeat(1_000_000)}${token}\n`
    const { code, stderr } = await runCli(["token", "inspect", "-"], { stdin })
    expect([code, stderr]).toEqual([0, ""])
  })

  test("from a file, as JSON", async () => {
    const path = join(folder, "token")
    writeFileSync(path, token)
    const { stdout } = await runCli(["token", "inspect", path, "--json"])
    expect(JSON.parse(stdout)).toEqual({
      verified: false,
      header: { typ: "at+jwt", alg: "ES256", kid: key.kid },
      payload: claims,
    })
  })

  for (const [what, stdin] of [
    ["nothing", ""],
    ["two parts", "eyJ.eyJ"],
    ["no JSON", "eyJ.eyJ.eyJ"],
    [
      "two members of one name",
      `${Buffer.from("{}").toString("base64url")}.${Buffer.from('{"a":1,"a":2}').toString("base64url")}.x`,
    ],
  ] as const)
    test(`${what} is no token`, async () => {
      const { code, stderr } = await runCli(["token", "inspect"], { stdin })
      expect([code, stderr]).toEqual([2, expect.stringContaining("not a JWT")])
    })
})
