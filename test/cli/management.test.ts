// The port for those who watch: what Prometheus reads of a running issuer and a running guard, and that nothing else is
// there.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { systemClock } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { type Running, runCli, startCli } from "../support/command-line.ts"
import { testPlace } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import { API, API_PRIVATE_JWK, startIssuerStub } from "../support/issuer-stub.ts"
import { MEASURED_BY_GUARD, MEASURED_BY_ISSUER, metricNames } from "../support/measured.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-management-"))
const newFolder = createFolders()
const running: Running[] = []
afterEach(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await Promise.all(running.splice(0).map((one) => one.ended))
})
const [at, elsewhere] = [await testPlace(newFolder()), await testPlace(newFolder())]
afterAll(async () => {
  await at.remove()
  await elsewhere.remove()
  rmSync(folder, { recursive: true, force: true })
})

const LISTENING = /"address":"([^"]+)","management_port":(\d+).*"msg":"listening"/

async function startWatched(args: readonly string[], env: Readonly<Record<string, string>>) {
  const one = startCli([...args, "--port", "0", "--management-port", "0"], { env, cwd: folder })
  running.push(one)
  const [, address = "", port = ""] = await one.said(LISTENING)
  return { one, address, management: `http://127.0.0.1:${port}` }
}

const statusOf = async (url: string) => (await fetch(url)).status

describe("serve", () => {
  const house = writeExampleFolder(join(folder, "house"))
  const env = {
    TASKMINT_ISSUER: "https://taskmint.example",
    TASKMINT_POLICIES: house.policies,
    ...at.settings,
    TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
  }

  test("what it measures is at /metrics of a port of its own, health beside it, and nothing else", async () => {
    const { one, address, management } = await startWatched(["serve"], env)
    expect(await statusOf(`${address}/tasks`)).toBe(401)
    const answer = await fetch(`${management}/metrics`)
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/)
    const text = await answer.text()
    expect(metricNames(text)).toEqual([...MEASURED_BY_ISSUER].sort())
    expect(text).toMatch(
      /^http_server_request_duration_count{.*http_route="\/tasks".*error_type="service_token_missing".*} 1$/m,
    )
    expect(text).toMatch(/^taskmint_ready 1$/m)
    expect(text).toMatch(/^taskmint_ledger_entries_total [1-9]/m)
    expect(await statusOf(`${management}/livez`)).toBe(200)
    expect(await statusOf(`${management}/readyz`)).toBe(200)
    for (const path of ["/tasks", "/token", "/", "/metrics/x", "/openapi.json"])
      expect([path, await statusOf(`${management}${path}`)]).toEqual([path, 404])
    expect(await statusOf(`${address}/metrics`)).toBe(404)
    one.child.kill("SIGTERM")
    expect((await one.ended).code).toBe(0)
  })

  test("a management port that is taken is wrong use, and the database is let go", async () => {
    const { address } = await startWatched(["serve"], {
      ...env,
      ...elsewhere.settings,
    })
    const port = new URL(address).port
    const args = ["serve", "--port", "0", "--management-port", port]
    const ended = await runCli(args, { env })
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("--management-port")])
  })

  test("without a management port nothing is measured", async () => {
    const one = startCli(["serve", "--port", "0"], { env, cwd: folder })
    running.push(one)
    expect((await one.said(/.*"msg":"listening"/))[0]).not.toContain("management_port")
  })
})

test("guard: what the verifier decides is at /metrics of its management port", async () => {
  const stub = await startIssuerStub(systemClock)
  const keyFile = join(folder, "tickets.private.json")
  writeFileSync(keyFile, JSON.stringify(API_PRIVATE_JWK), { mode: 0o600 })
  const routes = join(folder, "routes.yaml")
  writeFileSync(
    routes,
    '- { method: GET, path: "/tickets/{id}", operation: tickets:read, resource: "tickets/{id}" }\n',
  )
  const { address, management } = await startWatched(
    ["guard", "--routes", routes, "--upstream", "http://127.0.0.1:9", "--recording", "direct"],
    {
      TASKMINT_ISSUER: stub.issuer,
      TASKMINT_RESOURCE: API,
      TASKMINT_CLIENT_ID: "tickets",
      TASKMINT_CLIENT_KEY_FILE: keyFile,
    },
  )
  await vi.waitFor(async () => expect(await statusOf(`${management}/readyz`)).toBe(200), 10_000)
  const token = stub.mint({ txn: newId("task") })
  expect(await statusOf(`${address}/tickets/SUP-1042`)).toBe(401)
  await fetch(`${address}/tickets/SUP-1042`, { headers: { authorization: `Bearer ${token}` } })
  const text = await (await fetch(`${management}/metrics`)).text()
  // The stub's feed tells no time, so that there is no skew to tell of.
  expect([...metricNames(text), "taskmint_clock_skew"].sort()).toEqual([...MEASURED_BY_GUARD].sort())
  expect(text).toMatch(/^taskmint_check_duration_count{.*error_type="token_missing".*} 1$/m)
  expect(text).not.toContain(token)
  await stub.close()
})
