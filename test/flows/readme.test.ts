// The README, run as written: its commands in a shell, its programs by Node, in its order. Only ports and the folder's
// place are replaced, so that two runs don't meet.
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { type Running, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

const readme = readFileSync(join(ROOT, "README.md"), "utf8")
const blocks = new Map(
  [...readme.matchAll(/^```(sh|ts) (\S+)\n([\s\S]*?)^```$/gm)].map(([, , name = "", text = ""]) => [
    name,
    text,
  ]),
)
const folder = mkdtempSync(join(tmpdir(), "taskmint-readme-"))
/** Inside the package, so that `taskmint/...` means this package. */
const programs = join(ROOT, "dist", `readme-${process.pid}`)
const running: Running[] = []
/** The same API on each framework; the first stands in the README. */
const APIS = ["tickets-api.ts", "tickets-api-express.ts", "tickets-api-fastify.ts", "tickets-api-node.ts"]
let tries = 0
const ports = { issuer: 0, api: 0 }

const place = (text: string) =>
  text
    .replaceAll("127.0.0.1:8787", `127.0.0.1:${ports.issuer}`)
    .replaceAll("127.0.0.1:9001", `127.0.0.1:${ports.api}`)
    .replaceAll("port: 9001", `port: ${ports.api}`)
    .replaceAll("listen(9001,", `listen(${ports.api},`)
    .replaceAll("acme/", `${folder}/acme/`)
    .replace(/init acme$/m, `init ${folder}/acme --port ${ports.issuer}`)

const block = (name: string): string => {
  const text = blocks.get(name)
  if (text === undefined) throw new Error(`the README has no block ${name}`)
  return place(text)
}

const SETTINGS = `. ${folder}/acme/settings.sh`

/** A shell that has read the settings, in the project's folder. */
const shell = (lines: string) => startShell(`${SETTINGS}\n${lines}`, { cwd: ROOT })

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })
}

beforeAll(async () => {
  if (!existsSync(join(ROOT, "dist/client/client.js"))) throw new Error("run `npm run build` first")
  ports.issuer = await freePort()
  ports.api = await freePort()
  mkdirSync(programs, { recursive: true })
})

afterAll(() => {
  for (const one of running) one.child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
  rmSync(programs, { recursive: true, force: true })
})

test.each(["examples/orchestrator.ts", "examples/tickets-api.ts"])(
  "%s stands in the README as it is",
  (name) => {
    expect(blocks.get(name)).toBe(readFileSync(join(ROOT, name), "utf8"))
  },
)

describe("the README's steps, in their order", () => {
  test("setup: a folder, a valid policy, a running issuer", async () => {
    const lines = block("setup").trim().split("\n")
    expect(lines.at(-1)).toBe("taskmint serve")
    const made = await startShell(lines.slice(0, -1).join("\n"), { cwd: ROOT }).ended
    expect([made.code, made.stdout]).toEqual([0, expect.stringContaining("valid")])
    const policy = join(folder, "acme/policies/support.yaml")
    const text = readFileSync(policy, "utf8")
    writeFileSync(policy, text.replace("https://tickets.internal.example", `http://127.0.0.1:${ports.api}`))
    const issuer = shell("exec taskmint serve")
    running.push(issuer)
    await issuer.said(/listening/)
  }, 60_000)

  test.each(APIS)(
    "for API owners and orchestrators: %s serves what the task may do",
    async (name) => {
      writeFileSync(join(programs, name), place(readFileSync(join(ROOT, "examples", name), "utf8")))
      const api = startShell(`exec ${process.execPath} ${programs}/${name}`)
      running.push(api)
      // Until the API knows the issuer's keys it answers 503; run again, the program starts another task.
      await vi.waitFor(async () => {
        const program = join(programs, `orchestrator-${tries++}.ts`)
        writeFileSync(program, block("examples/orchestrator.ts"))
        const { stdout, stderr } = await startShell(`exec ${process.execPath} ${program}`).ended
        expect(`${stdout}${stderr}`).toMatch(/task_\S+ may act until 20/)
        expect(stdout).toContain('200 {"ticket":"SUP-1042","readBy":"triage-bot"')
      }, 30_000)
      // The next one takes its place, and its spool.
      api.child.kill("SIGTERM")
      expect(await api.ended).toMatchObject({ code: 0, stderr: "" })
    },
    60_000,
  )

  test("with curl: a task id comes back", async () => {
    execFileSync("curl", ["--version"])
    const { stdout } = await shell(block("curl")).ended
    expect(JSON.parse(stdout)).toMatchObject({ state: "active", task_id: expect.stringMatching(/^task_/) })
  }, 60_000)

  test.each(["auditor", "operator"])(
    "for an %s: every command does what it says",
    async (name) => {
      const { code, stdout, stderr } = await shell(`set -e\n${block(name)}`).ended
      expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error|no:/)])
      expect(stdout).toContain("triage-bot")
    },
    60_000,
  )
})
