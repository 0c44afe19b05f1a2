// docs/mcp.md, run as written: its server and its agent as processes of their own, with an issuer between them.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type Running, startCli, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

const page = readFileSync(join(ROOT, "docs/mcp.md"), "utf8")
const blocks = new Map(
  [...page.matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)].map(([, name = "", text = ""]) => [name, text]),
)
const folder = mkdtempSync(join(tmpdir(), "taskmint-mcp-"))
/** Inside the package, so that `taskmint/...` means this package. */
const programs = join(ROOT, "dist", `mcp-${process.pid}`)
const running: Running[] = []
const ports = { issuer: 0, api: 0 }

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })
}

function write(name: string): string {
  const text = (blocks.get(name) ?? "")
    .replaceAll("127.0.0.1:8787", `127.0.0.1:${ports.issuer}`)
    .replaceAll("127.0.0.1:9001", `127.0.0.1:${ports.api}`)
    .replaceAll("listen(9001,", `listen(${ports.api},`)
    .replaceAll("acme/", `${folder}/acme/`)
  const path = join(programs, name.replace("examples/", ""))
  writeFileSync(path, text)
  return path
}

beforeAll(async () => {
  if (!existsSync(join(ROOT, "dist/guard/mcp.js"))) throw new Error("run `npm run build` first")
  ports.issuer = await freePort()
  ports.api = await freePort()
  mkdirSync(programs, { recursive: true })
  const init = startCli(["init", `${folder}/acme`, "--port", String(ports.issuer)], { cwd: folder })
  expect(await init.ended).toMatchObject({ code: 0 })
  const policy = join(folder, "acme/policies/support.yaml")
  const text = readFileSync(policy, "utf8")
  writeFileSync(policy, text.replace("https://tickets.internal.example", `http://127.0.0.1:${ports.api}`))
  const issuer = startShell(`. ${folder}/acme/settings.sh\nexec taskmint serve`, { cwd: ROOT })
  running.push(issuer)
  await issuer.said(/listening/)
}, 60_000)

afterAll(() => {
  for (const one of running) one.child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
  rmSync(programs, { recursive: true, force: true })
})

test("the example stands in the page as it is", () => {
  expect(blocks.get("examples/tickets-mcp.ts")).toBe(
    readFileSync(join(ROOT, "examples/tickets-mcp.ts"), "utf8"),
  )
})

test("C31 an agent sees and calls what its task may do, is refused the rest, and the ledger holds both", async () => {
  const api = startShell(`exec ${process.execPath} ${write("examples/tickets-mcp.ts")}`)
  running.push(api)
  const agent = write("agent.ts")
  // Until the API knows the issuer's keys it answers 503.
  await vi.waitFor(async () => {
    const { stdout, stderr } = await startShell(`exec ${process.execPath} ${agent}`).ended
    expect(`${stdout}${stderr}`).toContain("[ 'read_ticket' ]")
    expect(stdout).toMatch(/"ticket":"SUP-1042","readBy":"triage-bot","task":"task_/)
    expect(stdout).toContain('Insufficient scope: required "tickets:read"')
  }, 30_000)
  api.child.kill("SIGTERM")
  expect(await api.ended).toMatchObject({ code: 0, stderr: "" })
  const ledger = `. ${folder}/acme/settings.sh\nas-caller audit-team taskmint ledger query --agent triage-bot --json`
  const { stdout } = await startShell(ledger, { cwd: ROOT }).ended
  for (const said of ["use.allowed", "use.refused", "resource_not_granted", "tools/call read_ticket"])
    expect(stdout).toContain(said)
}, 60_000)
