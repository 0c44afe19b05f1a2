// `token get` and `canary` against a server that answers as the issuer does: a token is printed where one was asked for, and nowhere else.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { addCanary } from "../../src/cli/canary.ts"
import { addToken } from "../../src/cli/token.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { runHere } from "../support/in-process.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-token-"))
const keyFile = join(folder, "key.jwk")
const heldAt = (name: string) => ({
  resource: `https://${name}.example`,
  access_token: `secret-of-${name}`,
  token_type: "Bearer",
  expires_in: 600,
  renew_in: 480,
  scope: `${name}:read`,
  authorization_details: [],
})
const CANARY = {
  task_id: "task_1",
  jti: "tok_1",
  resource: "https://tickets.example",
  access_token: "secret-of-canary",
  expires_at: "2026-03-01T09:00:00Z",
  kid: "k1",
}
let tokens: readonly object[] = []
let server: Server
let env: Record<string, string> = {}
beforeAll(async () => {
  writeFileSync(keyFile, JSON.stringify(generatePrivateJwk("ES256")), { mode: 0o600 })
  server = createServer((request, response) => {
    const service = { access_token: "secret-of-service", token_type: "Bearer", expires_in: 300 }
    response.setHeader("content-type", "application/json")
    const answers: Readonly<Record<string, object>> = { "/token": service, "/canaries": CANARY }
    response.end(JSON.stringify(answers[request.url ?? ""] ?? { tokens }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`
  env = { TASKMINT_ISSUER: issuer, TASKMINT_CLIENT_ID: "desk", TASKMINT_CLIENT_KEY_FILE: keyFile }
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const get = (...args: string[]) => runHere(addToken, ["token", "get", ...args], env)

test("a task's one token is all that is printed", async () => {
  tokens = [heldAt("tickets")]
  expect(await get("task_1")).toEqual({ code: 0, stdout: "secret-of-tickets\n", stderr: "" })
  const { code, stdout } = await get("task_1", "--json")
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    {
      resource: "https://tickets.example",
      access_token: "secret-of-tickets",
      token_type: "Bearer",
      expires_at: expect.stringMatching(/^20.*Z$/),
    },
  ])
})

test("of several none is: which one is meant has to be said, and which there are is", async () => {
  tokens = [heldAt("tickets"), heldAt("deployments")]
  const { code, stdout, stderr } = await get("task_1")
  expect([code, stdout]).toEqual([2, ""])
  expect(stderr).toMatch(/--resource https:\/\/tickets\.example\n--resource https:\/\/deployments\.example/)
  expect(stderr).not.toContain("secret")
})

test("a task without one is a no", async () => {
  tokens = []
  expect(await get("task_1")).toMatchObject({ code: 1, stdout: "" })
})

test("without a task it is the caller's service token", async () => {
  expect(await get()).toEqual({ code: 0, stdout: "secret-of-service\n", stderr: "" })
  expect(JSON.parse((await get("--json")).stdout)).toEqual({ access_token: "secret-of-service" })
})

test("a canary is printed, or written into a new file of its owner and printed nowhere", async () => {
  const plant = (...args: string[]) =>
    runHere(addCanary, ["canary", "triage", "--agent", "bot/pod-1", "--reason", "x", ...args], env)
  const { access_token, ...told } = CANARY
  const printed = await plant()
  expect([printed.code, printed.stdout]).toEqual([0, `${access_token}\n`])
  expect(printed.stderr).not.toContain(access_token)
  expect(JSON.parse((await plant("--json")).stdout)).toEqual({ ...told, access_token })
  for (const [name, ...args] of [["plain"], ["json", "--json"]]) {
    const path = join(folder, `canary-${name}`)
    const written = await plant("--out", path, ...args)
    expect(written.code).toBe(0)
    expect(written.stdout + written.stderr).not.toContain(access_token)
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual([`${access_token}\n`, 0o600])
    expect((await plant("--out", path, ...args)).code).toBe(2)
  }
})
