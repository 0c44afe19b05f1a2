// `approval` against a running issuer: what a person sees before deciding, and the decision.
import { randomBytes } from "node:crypto"
import { cpSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { createIssuer, type Issuer } from "../../src/issuer/issuer.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import { systemClock } from "../../src/time.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { approvalTexts } from "../support/approvals.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"
import { replaceKeys } from "../support/policy-keys.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const newFolder = createFolders()
const folder = newFolder()
let issuer: Issuer
let server: Server
let origin: string
let keys: ReadonlyMap<string, PrivateJwk>

beforeAll(async () => {
  const policies = join(folder, "policies")
  cpSync(POLICIES, policies, { recursive: true })
  for (const [name, text] of Object.entries(approvalTexts(POLICIES)))
    writeFileSync(join(policies, name), text)
  keys = replaceKeys(policies)
  server = createServer(getRequestListener((request) => issuer.fetch(request)))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const database = join(folder, "issuer.db")
  issuer = await createIssuer({
    issuer: origin,
    database,
    policies,
    keyEncryptionKey: randomBytes(32),
    dev: true,
  })
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await issuer.close()
})

const privateJwkOf = (name: string): PrivateJwk => {
  const key = keys.get(name)
  if (!key) throw new Error(`no key for ${name}`)
  return key
}

async function post(path: string, json: object): Promise<Record<string, unknown>> {
  const credential = { clientId: "support-orchestrator", privateJwk: privateJwkOf("support-orchestrator") }
  const tokens = createServiceTokens({ issuer: origin, credential, clock: systemClock })
  const headers = { authorization: `Bearer ${await tokens.get()}`, "content-type": "application/json" }
  const answer = await fetch(`${origin}${path}`, { method: "POST", headers, body: JSON.stringify(json) })
  return (await answer.json()) as Record<string, unknown>
}

async function ask(parameters: unknown): Promise<string> {
  const { task_id } = await post("/tasks", START)
  const question = {
    task_id,
    operation: "tickets:close",
    resource: "tickets/SUP-1042",
    reason: "It is solved",
  }
  return String((await post("/approvals", { ...question, parameters })).id)
}

const approval = (as: string, ...args: string[]) => {
  const keyFile = join(folder, `${as}.private.json`)
  writeFileSync(keyFile, JSON.stringify(privateJwkOf(as)), { mode: 0o600 })
  const env = { TASKMINT_ISSUER: origin, TASKMINT_CLIENT_ID: as, TASKMINT_CLIENT_KEY_FILE: keyFile }
  return runCli(["approval", ...args], { env })
}

test("a person sees the parameters, grants, and is told until when", async () => {
  const id = await ask({ resolution: "fixed\u001b[2J" })
  const listed = await approval("operations-team", "list")
  expect(listed.code).toBe(0)
  expect(listed.stdout).toContain(id)
  expect(listed.stdout).toContain("resolution")
  expect(listed.stdout).not.toContain("\u001b[2J")
  const granted = await approval("operations-team", "grant", id)
  expect([granted.code, granted.stderr]).toEqual([0, ""])
  expect(granted.stdout).toMatch(/^apr_\S+ {2}granted {2}tickets:close on tickets\/SUP-1042, until \d{4}-/)
  expect((await approval("operations-team", "list", "--state", "granted")).stdout).toContain(id)
})

test("denying is told, and cannot be turned into a grant", async () => {
  const id = await ask(null)
  const denied = await approval("operations-team", "deny", id, "--reason", "Not yet", "--json")
  expect(JSON.parse(denied.stdout)).toMatchObject({ id, state: "denied", decided_by: "operations-team" })
  const granted = await approval("operations-team", "grant", id)
  expect([granted.code, granted.stderr]).toEqual([1, expect.stringContaining("(approval_decided, 409)")])
})

test("who may not decide it is shown none", async () => {
  const id = await ask(3)
  expect((await approval("audit-team", "grant", id)).code).toBe(1)
})
