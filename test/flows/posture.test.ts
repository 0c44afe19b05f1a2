// Verifiers that tell what they serve by themselves, on real sockets: guards in front of Hono, and the sidecar; and the command
// that asks where policy and APIs differ.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { createSidecar } from "../../src/sidecar/sidecar.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { runCli } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
/** Robust on a loaded machine. */
const WAIT = { timeout: 20_000, interval: 50 }

let town: Town
let keyFile: string
beforeAll(async () => {
  town = await buildTown()
  keyFile = join(town.folder, "audit.private.json")
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("audit-team")), { mode: 0o600 })
})
afterAll(() => town.close())

type Lines = readonly Readonly<Record<string, unknown>>[]
const report = () => town.ask("audit-team", "GET", "/reports/posture")
const apis = async () => (await report()).apis as Lines
const found = async (api: string) =>
  ((await report()).findings as Lines)
    .filter((one) => one.api === api)
    .map(({ rule, operation, resource }) => [rule, operation, resource].filter(Boolean).join(" "))
    .sort()
const check = (...args: string[]) =>
  runCli(["policy", "check", "--live", ...args], {
    env: {
      TASKMINT_ISSUER: town.issuerUrl,
      TASKMINT_CLIENT_ID: "audit-team",
      TASKMINT_CLIENT_KEY_FILE: keyFile,
    },
  })

test("guards declare themselves, and what is granted beside them is found", async () => {
  const line = { instances: 1, heard: 1, declaring: 1 }
  await expect.poll(apis, WAIT).toEqual(
    expect.arrayContaining([
      { api: "deployments", ...line, operations: 1 },
      { api: "tickets", ...line, operations: 2 },
    ]),
  )
  expect(await found("tickets")).toEqual([
    "operation-served-nowhere tickets:comment",
    "resource-served-nowhere tickets:read tickets/{ticket}/**",
    "resource-served-nowhere tickets:read tickets/{ticket}/comments",
  ])
  expect(town.doubts()).toEqual([])
})

test("a sidecar declares its routes file", async () => {
  const verifier = await createVerifier({
    issuer: town.issuerUrl,
    resource: town.deployments,
    credential: { clientId: "deployments", privateJwk: town.privateJwkOf("deployments") },
    spool: join(town.folder, "sidecar.db"),
  })
  const route = (operation: string, resource: string) => ({
    method: "GET",
    path: `/${resource}`,
    operation,
    resource,
  })
  createSidecar({
    verifier,
    resource: town.deployments,
    routes: [
      route("deployments:plan", "environments/{env}/services/{service}"),
      route("deployments:rollback", "changes/{change}"),
    ],
  })
  await expect
    .poll(apis, WAIT)
    .toContainEqual({ api: "deployments", instances: 2, heard: 2, declaring: 2, operations: 3 })
  await verifier.close()
  await expect.poll(() => found("deployments"), WAIT).toContain("operation-served-nowhere deployments:plan")
})

test("policy check --live says so, with the place in the policy, and ends by --fail-on", async () => {
  const { code, stdout, stderr } = await check()
  expect([code, stderr]).toEqual([0, ""])
  expect(stdout).toMatch(/tickets\s+1\s+1\s+1\s+2\n/)
  expect(stdout).toMatch(
    /warning support\.yaml:\d+:\d+: tickets:comment is granted 1 time\(s\), .* \[operation-served-nowhere\]\n {2}guard the route/,
  )
  const strict = await check("--fail-on", "warning", "--json")
  expect(strict.code).toBe(1)
  expect(JSON.parse(strict.stdout)).toEqual(await report())
  expect(strict.stderr).toMatch(/\d+ finding\(s\) of severity warning or above/)
})

const page = readFileSync(join(ROOT, "docs/policies.md"), "utf8")
const PRINTED = page.match(/^taskmint policy check --live.*$/gm) ?? []

test("the page's commands run", async () => {
  const ends = PRINTED.map(async (line) => (await check(...line.split(" ").slice(4))).code)
  expect(await Promise.all(ends)).toEqual([0, 1])
})

test.each([["a-folder"], ["--sarif"], ["--evidence", "x.json"]])(
  "--live and %s is wrong use",
  async (...args) => {
    expect((await check(...args)).code).toBe(2)
  },
)
