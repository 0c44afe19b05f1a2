// `taskmint guard` as a process: what it refuses to start with, and in which words; what it says when it runs; how it ends.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { systemClock } from "../../src/time.ts"
import type { UseBatch } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { type Running, runCli, startCli } from "../support/command-line.ts"
import { closeServer } from "../support/guarded-api.ts"
import { listen } from "../support/hosts.ts"
import { API, API_PRIVATE_JWK, type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-guard-"))
const keyFile = join(folder, "tickets.private.json")
let stub: IssuerStub
const running: Running[] = []
beforeAll(async () => {
  writeFileSync(keyFile, JSON.stringify(API_PRIVATE_JWK), { mode: 0o600 })
  stub = await startIssuerStub(systemClock)
})
afterEach(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await Promise.all(running.splice(0).map((one) => one.ended))
})
afterAll(async () => {
  await stub.close()
  rmSync(folder, { recursive: true, force: true })
})

const GOOD = '- { method: GET, path: "/tickets/{id}", operation: tickets:read, resource: "tickets/{id}" }\n'
const routes = (text: string) => {
  writeFileSync(join(folder, "routes.yaml"), text)
  return ["--routes", "routes.yaml"]
}
const surroundings = (more: Record<string, string> = {}) => ({
  cwd: folder,
  env: {
    TASKMINT_ISSUER: stub.issuer,
    TASKMINT_RESOURCE: API,
    TASKMINT_CLIENT_ID: "tickets",
    TASKMINT_CLIENT_KEY_FILE: keyFile,
    TASKMINT_GUARD_PORT: "0",
    ...more,
  },
})
const UPSTREAM = ["--upstream", "http://127.0.0.1:9"]

/** Of that task's uses, in what came in from every process so far. */
const statusesOf = (task: string) =>
  stub.received
    .map((batch): UseBatch => JSON.parse(Buffer.from(batch.split(".")[1] ?? "", "base64url").toString()))
    .flatMap(({ uses }) => uses.filter((use) => use.task === task).map(({ status }) => status))

const LISTENING = /"address":"([^"]+)","management_port":(\d+).*"msg":"listening"/

const LOGGED = {
  error: /"level":"error".*"reason":"[^"]*invalid_client[^"]*","msg":"not ready"/,
  warn: /"level":"warn".*"reason":"the policy has this API as https:\/\/other\.example, [^"]*","msg":"not all is well"/,
}

describe("it refuses to start, and says what to do", () => {
  type Case = [what: string, args: () => string[], says: RegExp]
  const CASES: Case[] = [
    ["no routes", () => UPSTREAM, /TASKMINT_ROUTES is not set[\s\S]*--routes/],
    [
      "a routes file that is not there",
      () => [...UPSTREAM, "--routes", "no.yaml"],
      /no\.yaml can't be read \(ENOENT\)/,
    ],
    ["neither duty", () => routes(GOOD), /one of --upstream and --forward-auth/],
    ["both duties", () => [...routes(GOOD), ...UPSTREAM, "--forward-auth", "nginx"], /one of --upstream and/],
    ["an unknown proxy", () => [...routes(GOOD), "--forward-auth", "apache"], /nginx, traefik, envoy/],
    [
      "an upstream with a path",
      () => [...routes(GOOD), "--upstream", "http://127.0.0.1:9/x"],
      /origin without a path/,
    ],
    ["no route", () => [...routes("[]"), ...UPSTREAM], /routes\.yaml:1:1: expected a list of routes/],
    [
      "broken YAML",
      () => [...routes(`${GOOD}- {`), ...UPSTREAM],
      /routes\.yaml:\d+:\d+: expected valid YAML/,
    ],
    ["an anchor", () => [...routes(`- &x ${GOOD.slice(2)}`), ...UPSTREAM], /routes\.yaml:1:\d+: .*anchor/],
    [
      "a text for a route",
      () => [...routes("- GET /x\n"), ...UPSTREAM],
      /routes\.yaml:1:3: expected a route/,
    ],
    [
      "a misspelled member",
      () => [...routes(GOOD.replace("path", "paht")), ...UPSTREAM],
      /routes\.yaml:1:18: expected no member "paht" \(did you mean "path"\?\)[\s\S]*expected path as text/,
    ],
    [
      "a faulty path",
      () => [...routes(`${GOOD}${GOOD.replace("/tickets/{id}", "tickets/{id}")}`), ...UPSTREAM],
      /routes\.yaml:2:24: path: expected a path that begins with \//,
    ],
    [
      "a route twice",
      () => [...routes(GOOD + GOOD), ...UPSTREAM],
      /routes\.yaml:2:24: .*again \(first on line 1\)/,
    ],
    [
      "an option that is not there",
      () => [...routes(GOOD), ...UPSTREAM, "--recording", "never"],
      /write-ahead, direct, batched/,
    ],
    [
      "a limit that is no size",
      () => [...routes(GOOD), ...UPSTREAM, "--spool-limit", "1GB"],
      /--spool-limit 1GB is no size[\s\S]*whole MiB/,
    ],
    [
      "an end of observing that is no time",
      () => [...routes(GOOD), ...UPSTREAM, "--observe-until", "soon"],
      /is no time/,
    ],
    [
      "one that is too far",
      () => [...routes(GOOD), ...UPSTREAM, "--observe-until", "2099-01-01T00:00:00Z"],
      /more than 30 days ahead/,
    ],
  ]
  test.each(CASES)("with %s", async (_, args, says) => {
    const { code, stderr, stdout } = await runCli(["guard", ...args()], surroundings())
    expect([code, stderr, stdout]).toEqual([2, expect.stringMatching(says), ""])
  })

  test("with a key that others can read", async () => {
    const open = join(folder, "open.json")
    writeFileSync(open, JSON.stringify(API_PRIVATE_JWK), { mode: 0o644 })
    const { code, stderr } = await runCli(
      ["guard", ...routes(GOOD), ...UPSTREAM],
      surroundings({ TASKMINT_CLIENT_KEY_FILE: open }),
    )
    expect([code, stderr]).toEqual([2, expect.stringMatching(/chmod 600/)])
  })
})

test("it refuses to start where something listens already, and names the setting", async () => {
  const { port } = new URL(stub.issuer)
  for (const [flag, says] of [
    ["--port", /Can't listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)\s+Is.*--port or TASKMINT_GUARD_PORT/],
    ["--management-port", /EADDRINUSE\)\s+Is.*--management-port or TASKMINT_MANAGEMENT_PORT/],
  ] as const) {
    const { code, stderr } = await runCli(["guard", ...routes(GOOD), ...UPSTREAM, flag, port], surroundings())
    expect([code, stderr]).toEqual([2, expect.stringMatching(says)])
  }
})

test("beside another on its spool it does not start, and says which setting to change", async () => {
  const first = startCli(["guard", ...routes(GOOD), ...UPSTREAM], surroundings())
  running.push(first)
  await first.said(/"msg":"listening"/)
  const { code, stderr } = await runCli(["guard", ...routes(GOOD), ...UPSTREAM], surroundings())
  expect([code, stderr]).toEqual([3, expect.stringMatching(/in use by another process[\s\S]*--spool/)])
})

test("L21 what the routes file says later counts at the next start, and not before", async () => {
  const serve = async () => {
    const one = startCli(
      ["guard", "--routes", "routes.yaml", ...UPSTREAM, "--spool", "routes.db"],
      surroundings(),
    )
    running.push(one)
    return (await one.said(/"address":"([^"]+)".*"msg":"listening"/))[1]
  }
  const statusOf = async (address: string | undefined, path: string) => {
    const headers = { authorization: `Bearer ${stub.mint()}` }
    return (await fetch(`${address}${path}`, { headers })).status
  }
  routes(GOOD)
  const first = await serve()
  routes(GOOD.replace("/tickets/{id}", "/{id}"))
  const asked = async () => [await statusOf(first, "/tickets/SUP-1042"), await statusOf(first, "/SUP-1042")]
  await vi.waitFor(async () => expect(await asked()).toEqual([502, 403]), 20_000)
  running[0]?.child.kill("SIGTERM")
  await running[0]?.ended
  const second = await serve()
  await vi.waitFor(async () => expect(await statusOf(second, "/SUP-1042")).toBe(502), 20_000)
  expect(await statusOf(second, "/tickets/SUP-1042")).toBe(403)
})

test("to observe, it says so at its start, in its log, in every answer and to its watchers", async () => {
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const args = [
    ...routes(GOOD),
    ...UPSTREAM,
    "--spool",
    "observed.db",
    "--spool-limit",
    "2",
    "--observe-until",
    until,
  ]
  const one = startCli(["guard", ...args, "--management-port", "0"], surroundings())
  running.push(one)
  const [, address, management] = await one.said(LISTENING)
  await one.said(new RegExp(`"level":"warn".*"observe_until":"${until}".*"msg":"observing"`))
  expect(one.stderr()).toContain(`observe mode: nothing is refused until ${until}`)
  expect(one.stderr()).not.toContain("Everything else is refused")
  const answer = await fetch(`${address}/tickets/SUP-1042`)
  expect([answer.status, answer.headers.get("taskmint-observed")]).toEqual([
    502, // it was let through
    `token_missing; until="${until}"`,
  ])
  expect((await fetch(`${address}/nowhere`)).status).toBe(403)
  const { reasons } = (await (await fetch(`http://127.0.0.1:${management}/readyz`)).json()) as {
    reasons: string[]
  }
  expect(reasons).toContain(`observe mode: nothing is refused until ${until}`)
})

test.each([
  ["a key that the issuer does not take", "/token", 401, { error: "invalid_client" }, "error"],
  [
    "another resource than the policy's",
    "/catalogue",
    200,
    { resource: "https://other.example", operations: [], staleness_seconds: {} },
    "warn",
  ],
] as const)("with %s its log says so, and when it is over", async (_what, path, status, body, level) => {
  stub.overrides.set(path, () => ({ status, body: JSON.stringify(body) }))
  const one = startCli(["guard", ...routes(GOOD), ...UPSTREAM, "--recording", "direct"], surroundings())
  running.push(one)
  await one.said(LOGGED[level])
  stub.overrides.delete(path)
  if (level === "error") await one.said(/"level":"info".*"reason":"[^"]+","msg":"over"/)
})

test("told to end, it finishes what is under way, and records how it went", async () => {
  const [entered, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const upstream = await listen(
    createServer(async (_, res) => {
      entered.resolve()
      await held.promise
      res.writeHead(201).end("done")
    }),
  )
  const { port } = upstream.address() as AddressInfo
  const args = [...routes(GOOD), "--upstream", `http://127.0.0.1:${port}`, "--spool", "drained.db"]
  const one = startCli(["guard", ...args, "--management-port", "0"], surroundings())
  running.push(one)
  const [, address, management] = await one.said(LISTENING)
  await vi.waitFor(
    async () => expect((await fetch(`http://127.0.0.1:${management}/readyz`)).status).toBe(200),
    { timeout: 20_000 },
  )
  const task = newId("task")
  const headers = { authorization: `Bearer ${stub.mint({ txn: task })}` }
  const answer = fetch(`${address}/tickets/SUP-1042`, { headers })
  await entered.promise
  one.child.kill("SIGTERM")
  await one.said(/"msg":"draining"/)
  held.resolve()
  expect([(await answer).status, await (await answer).text()]).toEqual([201, "done"])
  expect((await one.ended).code).toBe(0)
  expect(statusesOf(task)).toEqual([201])
  await closeServer(upstream)
})

test("it says where it listens and what it lets through, tells its watchers, and ends with its last word said", async () => {
  const args = [...routes(GOOD), ...UPSTREAM, "--management-port", "0"]
  const one = startCli(["guard", ...args], surroundings())
  running.push(one)
  const [, address, management] = await one.said(LISTENING)
  expect(one.stderr()).toMatch(/taskmint guard http:\/\/127\.0\.0\.1:\d+ +before http:\/\/127\.0\.0\.1:9\n/)
  expect(one.stderr()).toMatch(/GET \/tickets\/\{id\} +tickets:read on tickets\/\{id\}/)
  const watched = (path: string) => fetch(`http://127.0.0.1:${management}${path}`)
  expect((await watched("/livez")).status).toBe(200)
  await vi.waitFor(
    async () => expect(await (await watched("/readyz")).json()).toEqual({ ready: true, reasons: [] }),
    {
      timeout: 20_000,
    },
  )
  expect((await watched("/tickets/1")).status).toBe(404)
  expect((await fetch(`${address}/livez`)).status).toBe(403) // a path of the API's like any other
  const task = newId("task")
  const token = stub.mint({ txn: task })
  const answer = await fetch(`${address}/tickets/SUP-1042`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(502)
  one.child.kill("SIGTERM")
  const { code, stdout } = await one.ended
  expect([code, stdout]).toEqual([0, expect.stringContaining('"msg":"stopped"')])
  expect(statusesOf(task)).toEqual([502])
  expect(stdout + one.stderr()).not.toContain(token)
})
