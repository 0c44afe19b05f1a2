// Recognizing who asks where nothing is used: refused as a check refuses, for the same reasons and in the same words, and
// recorded nowhere. Asked over HTTP, by what an MCP client sends before it calls.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { bearer, grantsFor, METADATA } from "../support/hosted-api.ts"
import { API, OPERATIONS } from "../support/issuer-stub.ts"
import { type McpApi, openMcp } from "../support/mcp-host.ts"

let api: McpApi
beforeAll(async () => {
  api = await openMcp()
})
afterAll(() => api.close())
const key = importSigningKey(generatePrivateJwk("ES256"))
const task = newId("task")
const mint = (changes: Parameters<McpApi["mint"]>[0] = {}) => api.mint({ txn: task, ...changes })
const timed = (from: number, to: number) => mint({ iat: api.seconds() + from, exp: api.seconds() + to })
const bound = (proof?: (token: string) => string) => {
  const token = mint({ jkt: key.thumbprint })
  return [`Authorization: DPoP ${token}`, ...(proof ? [`DPoP: ${proof(token)}`] : [])]
}
const prove = (accessToken: string, path = "/mcp", method = "POST") =>
  signProof({ method, url: `${API}${path}`, accessToken, now: api.seconds() }, key)
const other = "https://other.example"

describe.each([
  { jsonrpc: "2.0", id: 1, method: "tools/list" },
  { jsonrpc: "2.0", id: 1, method: "ping" },
  { jsonrpc: "2.0", method: "notifications/initialized" },
  { jsonrpc: "2.0", id: 1, method: "resources/list" },
])("$method", (message) => {
  const INVALID = `Bearer error="invalid_token", ${METADATA}`
  const PROOF = `DPoP error="invalid_dpop_proof", algs="ES256 EdDSA", ${METADATA}`
  const BOUND = `DPoP error="invalid_token", algs="ES256 EdDSA", ${METADATA}`
  const AMBIGUOUS = `Bearer error="invalid_request", ${METADATA}`
  test.each([
    ["no token", () => [], 401, "token_missing", `Bearer ${METADATA}`],
    ["junk", () => [bearer("junk")], 401, "token_invalid", INVALID],
    ["a forged token", () => [bearer(api.mint({}, key))], 401, "token_invalid", INVALID],
    [
      "another API's token",
      () => [bearer(mint({ aud: other, grants: grantsFor(other, OPERATIONS) }))],
      401,
      "token_invalid",
      INVALID,
    ],
    ["another issuer's token", () => [bearer(mint({ iss: other }))], 401, "token_invalid", INVALID],
    ["an expired token", () => [bearer(timed(-600, -6))], 401, "token_expired", INVALID],
    ["a token of the future", () => [bearer(timed(6, 600))], 401, "token_invalid", INVALID],
    ["a bound token as Bearer", () => [bearer(mint({ jkt: key.thumbprint }))], 401, "token_invalid", BOUND],
    ["no proof", () => bound(), 401, "proof_invalid", PROOF],
    ["a proof for elsewhere", () => bound((token) => prove(token, "/")), 401, "proof_invalid", PROOF],
    ["a proof for GET", () => bound((token) => prove(token, "/mcp", "GET")), 401, "proof_invalid", PROOF],
    ["two headers", () => [bearer(mint()), bearer(mint())], 400, "credential_ambiguous", AMBIGUOUS],
  ])("with %s is refused as a call would be", async (_, headers, status, code, challenge) => {
    const answer = await api.post(message, headers())
    expect([answer.status, answer.json()]).toMatchObject([status, { code }])
    expect(answer.header("www-authenticate")).toBe(challenge)
  })

  test("takes a proof once", async () => {
    const headers = bound((token) => prove(token))
    expect([200, 202, 403]).toContain((await api.post(message, headers)).status)
    const again = await api.post(message, headers)
    expect([again.status, again.json()]).toMatchObject([401, { code: "proof_invalid" }])
  })
})

test.each(["token_revoked", "task_paused", "task_ended"] as const)(
  "a token that ended so (%s) lists nothing",
  async (code) => {
    const txn = newId("task")
    api.stub.revoke({ kind: "task", value: txn, code })
    await vi.waitFor(async () => {
      const answer = await api.post({ jsonrpc: "2.0", id: 1, method: "tools/list" }, [
        bearer(api.mint({ txn })),
      ])
      expect([answer.status, answer.json()]).toMatchObject([401, { code }])
    }, 10_000)
  },
)

test("nothing of this is a use", async () => {
  expect(await api.usesOf(task)).toEqual([])
})

test("knowledge of revocations may be as old as the most patient operation lets it, and no older", async () => {
  const old = await openMcp()
  const view = { method: "POST", target: "/mcp", rawHeaders: ["authorization", `Bearer ${old.mint()}`] }
  const known = async (...operations: string[]) => (await old.verifier.recognize(view, operations)).outcome
  expect(await old.verifier.recognize(view, ["tickets:close"])).toMatchObject({ operations: OPERATIONS })
  expect(await known()).toBe("recognized")
  old.stub.setDown(true)
  old.clock.advance(31_000)
  expect([await known("tickets:close"), await known("tickets:nobody-named-it")]).toEqual([
    "refused",
    "refused",
  ])
  expect(await known("tickets:close", "tickets:comment")).toBe("recognized")
  old.clock.advance(270_000)
  expect(await known("tickets:close", "tickets:comment")).toBe("refused")
  expect(await known("tickets:close", "tickets:read")).toBe("recognized")
  await old.close()
})
