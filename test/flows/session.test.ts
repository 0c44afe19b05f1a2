// `taskmint session` in use: agents of several languages as processes, a real issuer and a guarded API. What an agent tells is
// what it printed; what was done is what the API served and the issuer knows of the task.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type Ended, startCli, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-session-"))
const keyFile = join(folder, "orchestrator.private.json")
/** Inside the package, so that `taskmint/...` means this package. */
const programs = join(ROOT, "dist", `session-${process.pid}`)
let town: Town
beforeAll(async () => {
  town = await buildTown()
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("support-orchestrator")), { mode: 0o600 })
})
afterAll(async () => {
  await town.close()
  rmSync(programs, { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
})

const env = () => ({
  TASKMINT_ISSUER: town.issuerUrl,
  TASKMINT_CLIENT_ID: "support-orchestrator",
  TASKMINT_CLIENT_KEY_FILE: keyFile,
  NO_PROXY: "127.0.0.1",
})
const START = ["--type", "triage-ticket", "--agent", "triage-bot/pod-1", "--purpose", "a test"]
const INPUT = ["--input", "ticket=SUP-1042"]
const start = (flags: readonly string[], ...command: string[]) =>
  startCli(["session", ...START, ...INPUT, ...flags, "--", ...command], { env: env() })
const run = (flags: readonly string[], ...command: string[]): Promise<Ended> => start(flags, ...command).ended
/** A shell as the agent: it shows that any program does. */
const sh = (script: string, ...flags: string[]) => run(flags, "/bin/sh", "-c", script)

const taskOf = ({ stderr, stdout }: Ended): string => /task_[0-9a-f-]{36}/.exec(stderr + stdout)?.[0] ?? ""
const shown = (task: string) => town.ask("support-orchestrator", "GET", `/tasks/${task}`)
const hasPython = () => spawnSync("python3", ["--version"]).status === 0
const notTestedHere = (what: string) =>
  console.warn(`NOT TESTED HERE: ${what} (python3 is missing). Run it where python3 is.`)

describe.concurrent("an agent in Python's standard library, which holds no token", () => {
  test("calls the API by the address in its environment, and the task is completed", async () => {
    if (!hasPython()) return notTestedHere("the session of a Python agent")
    const ended = await run([], "python3", join(ROOT, "examples/agent.py"), "SUP-1042")
    expect([ended.code, ended.stdout]).toEqual([0, '{"id": "SUP-1042"}\n'])
    const task = taskOf(ended)
    expect(await shown(task)).toMatchObject({ state: "completed" })
    expect(town.served.filter((use) => use.task === task).map((use) => use.operation)).toEqual([
      "tickets:read",
    ])
  })

  test("calls an http API by its own URL, through the proxy that its environment names", async () => {
    if (!hasPython()) return notTestedHere("the forward proxy with Python")
    const program = `import urllib.request as r; print(r.urlopen("${town.tickets}/tickets/SUP-1042").read().decode())`
    const ended = await run([], "python3", "-c", program)
    expect([ended.code, ended.stdout.trim()]).toEqual([0, '{"id":"SUP-1042"}'])
  })

  test("is told what to do about a refusal, and the task is failed with its exit code", async () => {
    if (!hasPython()) return notTestedHere("a refusal of a Python agent")
    const ended = await run([], "python3", join(ROOT, "examples/agent.py"), "SUP-9")
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining("resource_not_granted, stop")])
    expect(await shown(taskOf(ended))).toMatchObject({ state: "failed" })
  })
})

describe.concurrent("what the agent is given", () => {
  test("neither a token nor a credential of its orchestrator, and the task's id", async () => {
    const ended = await sh("env; cat /proc/self/cmdline | tr '\\0' ' '")
    expect(ended.stdout).not.toMatch(/eyJ|TASKMINT_CLIENT|TASKMINT_ISSUER|TASKMINT_SESSION_SECRET/)
    expect(ended.stdout).not.toContain(keyFile)
    expect(ended.stdout).toContain(`TASKMINT_TASK=${taskOf(ended)}`)
    expect(ended.stdout).toMatch(/TASKMINT_API_TICKETS=http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/tickets\n/)
  })

  test.each([
    [["--give-tokens", "--token-file", join(folder, "told.json")]],
    [["--socket", join(folder, "told.sock")]],
  ])("the variables that its page names, and no others: %o", async (flags) => {
    const page = readFileSync(join(ROOT, "docs/session.md"), "utf8")
    const rows = page.split("\n").filter((line) => line.startsWith("| `"))
    const told = rows.flatMap((row) =>
      [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name),
    )
    const { stdout } = await sh("env", ...flags)
    const given = [...stdout.matchAll(/^(TASKMINT_\w+|\w+_proxy)=/gim)].map(([, name = ""]) => name)
    expect(given.filter((name) => !name.startsWith("TASKMINT_API_") && !told.includes(name))).toEqual([])
    expect(given).toContain("TASKMINT_SESSION_URL")
  })

  test("paths that hold wherever it goes", async () => {
    const [socket, file] = ["far.sock", "far.json"].map((name) => relative(process.cwd(), join(folder, name)))
    const calls = `cd /; curl -sS --unix-socket "$TASKMINT_SESSION_SOCKET" "$TASKMINT_API_TICKETS/tickets/SUP-1042"`
    const { code, stdout } = await sh(
      `${calls} && ls "$TASKMINT_TOKEN_FILE"`,
      "--socket",
      socket ?? "",
      "--token-file",
      file ?? "",
    )
    expect([code, stdout]).toEqual([0, expect.stringContaining(join(folder, "far.json"))])
  })

  test("no way to hosts that are not the task's", async () => {
    const { stdout } = await sh(`curl -sS --noproxy "" ${town.deployments}/environments/staging/services/web`)
    expect(JSON.parse(stdout)).toMatchObject({ status: 403, code: "url_not_granted", next: "stop" })
  })

  test("with --give-tokens: the headers of one request, to whoever names the secret", async () => {
    const ask = `curl -sS --noproxy "*" "$TASKMINT_SESSION_URL/headers?method=GET&url=${town.tickets}/tickets/SUP-1042"`
    const script = `${ask}; echo; ${ask} -H "Taskmint-Session: $TASKMINT_SESSION_SECRET"`
    const { stdout } = await sh(script, "--give-tokens")
    const [refused = "", given = ""] = stdout.split("\n")
    expect(JSON.parse(refused)).toMatchObject({ status: 401 })
    const headers = JSON.parse(given)
    expect(headers).toEqual({ authorization: expect.stringMatching(/^DPoP eyJ/), dpop: expect.any(String) })
  })

  test("with --socket: everything on a Unix socket that is the owner's alone", async () => {
    const socket = join(folder, "agent.sock")
    const script = `curl -sS --unix-socket ${socket} "$TASKMINT_API_TICKETS/tickets/SUP-1042"; echo; ls -l ${socket}`
    const { code, stdout } = await sh(script, "--socket", socket)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\{"id":"SUP-1042"\}\nsrw-------/)])
  })

  test("with --token-file: tokens in a file that is the owner's alone, while the command runs", async () => {
    const file = join(folder, "tokens.json")
    const send = `curl -sS --noproxy "*" -H "Authorization: Bearer $(sed 's/.*access_token":"\\([^"]*\\)".*/\\1/' "$TASKMINT_TOKEN_FILE")"`
    const script = `${send} ${town.tickets}/tickets/SUP-1042; echo; ls -l ${file}`
    const { code, stdout } = await sh(script, "--token-file", file)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\{"id":"SUP-1042"\}\n-rw-------/)])
    expect(() => statSync(file)).toThrow("ENOENT")
  })
})

describe.concurrent("the end of the command is the end of the task", () => {
  test.each([
    ["exit 3", 3, "failed"],
    ["kill -9 $$", 137, "failed"],
  ])("%s: exit code %i, %s", async (script, code, state) => {
    const ended = await sh(script)
    expect(ended.code).toBe(code)
    expect(await shown(taskOf(ended))).toMatchObject({ state })
  })

  test("a command that is not there: 127, and the task does not stay", async () => {
    const ended = await run([], "no-such-command")
    expect([ended.code, ended.stderr]).toEqual([127, expect.stringContaining("no such command")])
    expect(await shown(taskOf(ended))).toMatchObject({ state: "failed" })
  })

  test.each(["SIGTERM", "SIGINT"] as const)("%s reaches it, and its own answer counts", async (signal) => {
    const name = signal.replace("SIG", "")
    const running = start([], "/bin/sh", "-c", `trap 'exit 7' ${name}; echo up; while :; do sleep 0.05; done`)
    await running.said(/up/)
    running.child.kill(signal)
    const ended = await running.ended
    expect(ended.code).toBe(7)
    expect(await shown(taskOf(ended))).toMatchObject({ state: "failed" })
  })

  test("a start that is refused runs nothing", async () => {
    const flags = ["session", ...START, "--input", "ticket=nonsense", "--", "/bin/sh", "-c", "echo ran"]
    const ended = await startCli(flags, { env: env() }).ended
    expect([ended.code, ended.stdout]).toEqual([1, ""])
    expect(ended.stderr).toContain("inputs_invalid")
  })
})

describe.concurrent("a task that somebody else started", () => {
  test("is used with its handover and its key, and goes on", async () => {
    const jwk = generatePrivateJwk("ES256")
    const task = await town.orchestrator().start({
      type: "triage-ticket",
      agent: { id: "triage-bot", instance: "pod-2" },
      purpose: "a test",
      inputs: { ticket: "SUP-1042" },
      dpopJkt: importSigningKey(jwk).thumbprint,
    })
    const [handover, key] = [join(folder, "handover.json"), join(folder, "agent.private.json")]
    writeFileSync(handover, JSON.stringify(task.handover()), { mode: 0o600 })
    writeFileSync(key, JSON.stringify(jwk), { mode: 0o600 })
    const args = ["session", "--handover", handover, "--key-file", key, "--", "/bin/sh", "-c"]
    const ended = await startCli([...args, 'curl -sS "$TASKMINT_API_TICKETS/tickets/SUP-1042"; exit 4']).ended
    expect([ended.code, ended.stdout]).toEqual([4, '{"id":"SUP-1042"}'])
    expect(await shown(task.id)).toMatchObject({ state: "active" })
  })
})

describe.concurrent("docs/session.md", () => {
  const text = readFileSync(join(ROOT, "docs/session.md"), "utf8")
  const block = (name: string) =>
    new RegExp(`^\`\`\`\\w+ ${name}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text)?.[1] ?? ""

  test("its command runs as it stands", async () => {
    if (!hasPython()) return notTestedHere("the command of docs/session.md")
    const taskmint = `taskmint() { exec "${process.execPath}" src/cli/main.ts "$@"; }`
    const ended = await startShell(`${taskmint}\n${block("session")}`, { cwd: ROOT, env: env() }).ended
    expect([ended.code, ended.stdout]).toEqual([0, '{"id": "SUP-1042"}\n'])
  })

  test("its program is the example, and runs as it stands", async () => {
    const example = readFileSync(join(ROOT, "examples/agent.ts"), "utf8")
    expect(block("examples/agent.ts")).toBe(example)
    if (!existsSync(join(ROOT, "dist/client/client.js"))) throw new Error("run `npm run build` first")
    mkdirSync(programs, { recursive: true })
    const placed = example
      .replace("http://127.0.0.1:8787", town.issuerUrl)
      .replace("http://127.0.0.1:9001", town.tickets)
      .replace("acme/credentials/support-orchestrator.private.json", keyFile)
    writeFileSync(join(programs, "agent.ts"), placed)
    const ended = await startShell(`exec "${process.execPath}" ${join(programs, "agent.ts")}`).ended
    expect(ended).toMatchObject({ code: 0, stdout: '{"id":"SUP-1042"}\n', stderr: "" })
    const listed = await town.ask("support-orchestrator", "GET", "/tasks?state=completed")
    expect(JSON.stringify(listed)).toContain("pod-7f3c")
  })
})
