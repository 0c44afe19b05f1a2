// The sidecar in use: `taskmint guard` as a process before APIs that know nothing of tokens, in Python and in Go, and asked
// by a real nginx. Where one of these programs is missing, its test says NOT TESTED HERE.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest"
import { systemClock } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { startCli } from "../support/command-line.ts"
import { closeServer, sendRaw } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { API, API_PRIVATE_JWK, type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-sidecar-"))
const keyFile = join(folder, "tickets.private.json")
const ending: (() => Promise<unknown>)[] = []
let stub: IssuerStub
beforeEach(async () => {
  writeFileSync(keyFile, JSON.stringify(API_PRIVATE_JWK), { mode: 0o600 })
  const route = (method: string, path: string, operation: string) =>
    `- { method: ${method}, path: "${path}", operation: "tickets:${operation}", resource: "tickets/{id}" }\n`
  const text = route("GET", "/tickets/{id}", "read") + route("POST", "/tickets/{id}/close", "close")
  writeFileSync(join(folder, "routes.yaml"), text)
  stub = await startIssuerStub(systemClock)
})
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
  await stub.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Ends with its test, by its own process id. */
function keep(child: ChildProcess): ChildProcess {
  const ended = new Promise((resolve) => child.once("close", resolve))
  ending.push(() => {
    child.kill("SIGTERM")
    return ended
  })
  return child
}

/** The address that a process prints first. */
const addressOf = (child: ChildProcess) =>
  new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (data: Buffer) => resolve(data.toString().trim()))
    child.once("error", reject).once("close", () => reject(new Error("it ended")))
  })

let serial = 0
async function guard(...duty: string[]): Promise<string> {
  const spool = join(folder, `uses-${serial++}.db`)
  const more = [
    "--routes",
    join(folder, "routes.yaml"),
    "--spool",
    spool,
    "--port",
    "0",
    "--management-port",
    "0",
  ]
  const one = startCli(["guard", ...more, ...duty], {
    env: {
      TASKMINT_ISSUER: stub.issuer,
      TASKMINT_RESOURCE: API,
      TASKMINT_CLIENT_ID: "tickets",
      TASKMINT_CLIENT_KEY_FILE: keyFile,
    },
  })
  ending.push(async () => {
    one.child.kill("SIGTERM")
    expect((await one.ended).code).toBe(0)
  })
  const [, address = "", port] = await one.said(/"address":"([^"]+)","management_port":(\d+)/)
  await vi.waitFor(
    async () => expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200),
    20_000,
  )
  return address
}

const as = (token: string, ...[init]: [RequestInit?]) => ({
  ...init,
  headers: { authorization: `Bearer ${token}`, "taskmint-task": "task_mine" },
})

/** A day at that API: one who may, and who may not. */
async function expectGuarded(address: string): Promise<void> {
  const task = newId("task")
  const token = stub.mint({ txn: task })
  const said = { task, agent: "triage-bot/pod-7f3c" }
  const read = await fetch(`${address}/tickets/SUP-1042?full=1`, as(token))
  expect(read.status).toBe(200)
  const first = (await read.json()) as Record<string, unknown>
  expect(first).toMatchObject({ ...said, ticket: "SUP-1042", path: "/tickets/SUP-1042?full=1" })
  expect(first.credential ?? null).toBeNull()
  const closed = await fetch(`${address}/tickets/SUP-1042/close`, as(token, { method: "POST", body: "done" }))
  expect(await closed.json()).toMatchObject({ ...said, closed: "done" })
  expect((await fetch(`${address}/tickets/SUP-1`, as(token))).status).toBe(403)
  expect((await fetch(`${address}/tickets/SUP-1042`)).status).toBe(401)
  expect((await fetch(`${address}/admin`, as(token))).status).toBe(403)
  await vi.waitFor(() => {
    const uses = stub.uses().filter((use) => use.task === task)
    expect(uses.map(({ operation, decision }) => [operation, decision])).toEqual([
      ["tickets:read", "allowed"],
      ["tickets:close", "allowed"],
      ["tickets:read", "refused"],
    ])
  }, 20_000)
}

const has = (command: string, arg: string) => spawnSync(command, [arg]).status === 0
const notTestedHere = (what: string, needs: string) =>
  console.warn(`NOT TESTED HERE: ${what} (${needs} is missing). Run it where ${needs} is.`)

test("before an API in Python", async () => {
  if (!has("python3", "--version")) return notTestedHere("the sidecar before Python", "python3")
  const upstream = keep(spawn("python3", [join(ROOT, "examples/upstream.py"), "0"]))
  await expectGuarded(await guard("--upstream", await addressOf(upstream)))
})

test("before an API in Go", async () => {
  if (!has("go", "version")) return notTestedHere("the sidecar before Go", "go")
  const program = join(folder, "upstream")
  const built = spawnSync("go", ["build", "-o", program, join(ROOT, "examples/upstream.go")], {
    encoding: "utf8",
  })
  expect([built.status, built.stderr]).toEqual([0, ""])
  const upstream = keep(spawn(program, ["0"]))
  await expectGuarded(await guard("--upstream", await addressOf(upstream)))
})

const NGINX = "/usr/sbin/nginx"

/** The server that docs/sidecar.md shows, with the ports that are free here. */
function nginxConfig(port: number, check: string, upstream: string): string {
  const shown = /```nginx\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, "docs/sidecar.md"), "utf8"))?.[1] ?? ""
  const server = shown
    .replace("listen 127.0.0.1:8080", `listen 127.0.0.1:${port}`)
    .replace("http://127.0.0.1:8788/check", `${check}/check`)
    .replace("http://127.0.0.1:9000", upstream)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join("\n")
  return `daemon off; master_process off; pid ${join(folder, "nginx.pid")}; error_log ${join(folder, "nginx.log")};
events {}
http {
access_log off;
${temporary}
${server}
}`
}

/** The API in Python behind nginx, which asks a sidecar of that duty. */
async function startNginx(...duty: string[]) {
  const upstream = await addressOf(keep(spawn("python3", [join(ROOT, "examples/upstream.py"), "0"])))
  const free = await listen(createServer())
  const { port } = free.address() as AddressInfo
  await closeServer(free)
  const config = join(folder, "nginx.conf")
  writeFileSync(config, nginxConfig(port, await guard("--forward-auth", "nginx", ...duty), upstream))
  keep(spawn(NGINX, ["-c", config, "-e", join(folder, "nginx.log")]))
  const address = `http://127.0.0.1:${port}`
  await vi.waitFor(() => fetch(address), 20_000)
  return { port, address }
}

const hasNginx = () => existsSync(NGINX) && has("python3", "--version")

test("asked by nginx, which forwards by itself", async () => {
  if (!hasNginx()) return notTestedHere("the sidecar asked by nginx", "nginx")
  const { port, address } = await startNginx()
  await expectGuarded(address)
  expect((await fetch(`${address}/tickets/x`)).headers.get("www-authenticate")).toMatch(
    /^Bearer resource_metadata=/,
  )
  const token = bearer(stub.mint())
  // Any other refusal is 500 at nginx: it knows 401 and 403 only. It is a refusal all the same.
  for (const path of ["/tickets/SUP-1/../SUP-1042", "/tickets/SUP%2d1042", "//tickets/SUP-1042"]) {
    const head = [`GET ${path} HTTP/1.1`, "Host: x", "Connection: close", token, "", ""]
    expect((await sendRaw(String(port), head.join("\r\n"))).status).toBe(500)
  }
})

test("asked by nginx in observe mode, it lets people's requests pass as they came, and hides our tokens", async () => {
  if (!hasNginx()) return notTestedHere("observe mode behind nginx", "nginx")
  const { address } = await startNginx("--observe-until", new Date(Date.now() + 3_600_000).toISOString())
  const seen = async (authorization: string) => {
    const headers = { authorization, "taskmint-task": "task_mine" }
    const answer = await fetch(`${address}/tickets/SUP-1`, { headers })
    const { task, credential } = (await answer.json()) as Record<string, unknown>
    return [answer.status, task || null, credential || null]
  }
  const theirs = "Basic dGhlaXJz"
  expect(await seen(theirs)).toEqual([200, null, theirs])
  expect(await seen(`Bearer ${stub.mint()}`)).toEqual([200, null, null])
  expect((await fetch(`${address}/admin`)).status).toBe(403)
})
