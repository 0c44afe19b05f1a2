// Catalogue L, who reports: a verifier is who it authenticated as, whatever its batches say, and what an attacker sends to
// a guarded API makes no record that the issuer would not take.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest"
import { batchDigest, type UseBatch, type UseRecord } from "../../src/token/batch.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { signBatch, useBatch, useRecord } from "../support/batch.ts"
import { startVerifier } from "../support/guarded-api.ts"
import { type Call, type CallerName, type House, ISSUER, openHouse } from "../support/issuer-house.ts"
import { API, OPERATIONS } from "../support/issuer-stub.ts"

vi.setConfig({ testTimeout: 60_000 })

const DEPLOYMENTS = "https://deployments.internal.example"

describe("L16 a reporter", () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse()
  })
  afterAll(() => house.remove())

  const seconds = () => Math.floor(house.clock.now() / 1000)
  const useOf = (changes: Partial<UseRecord> = {}): UseRecord => useRecord(house.clock.now(), changes)
  const batchOf = (changes: Partial<UseBatch> = {}): UseBatch =>
    useBatch(house.clock.now(), { uses: [useOf()], ...changes })
  const report = async (body: string, call: Call) => {
    const headers = { "content-type": "application/jwt", ...call.headers }
    const { status, body: answer } = await house.ask("POST", "/uses", { ...call, headers, body })
    return `${status} ${answer.code ?? "taken"}`
  }
  /** A report that carries this service token and a proof by this key, at whatever time it is. */
  const proven = (token: string, key: SigningKey): Call => {
    const dpop = signProof({ method: "POST", url: `${ISSUER}/uses`, accessToken: token, now: seconds() }, key)
    return { headers: { authorization: `DPoP ${token}`, dpop } }
  }
  const reported = async (api: string) =>
    (
      (await house.ask("GET", `/ledger/entries?kind=use.allowed&api=${api}`, { as: "audit-team" })).body
        .entries as { api: string }[]
    ).length
  const nothingAdded = async (what: () => Promise<string>, expected: string) => {
    const before = [await reported("tickets"), await reported("deployments")]
    expect(await what()).toBe(expected)
    expect([await reported("tickets"), await reported("deployments")]).toEqual(before)
  }

  test("L16 whose token has run out, or is not bound to a key, is 401; in another role 403", async () => {
    const key = importSigningKey(generatePrivateJwk("ES256"))
    const token = await house.serviceToken("tickets", key)
    await expect(house.serviceToken("tickets")).rejects.toThrow(/proof_invalid/)
    await nothingAdded(() => report(signBatch(batchOf(), key), { token }), "401 service_token_invalid")
    await nothingAdded(() => report(signBatch(batchOf(), key), {}), "401 service_token_missing")
    for (const as of ["support-orchestrator", "operations-team", "audit-team"] as const)
      await nothingAdded(() => report(signBatch(batchOf(), key), { as }), "403 role_missing")
    house.clock.advance(306_000)
    await nothingAdded(
      () => report(signBatch(batchOf(), key), proven(token, key)),
      "401 service_token_invalid",
    )
  })

  test("L16 is who its token says: a batch, a use or an instance of another API is refused", async () => {
    const own = house.proofKeyOf("deployments")
    const as: CallerName = "deployments"
    await nothingAdded(() => report(signBatch(batchOf(), own), { as }), "400 batch_invalid")
    const forged = batchOf({ iss: "deployments", uses: [useOf({ api: DEPLOYMENTS }), useOf()] })
    await nothingAdded(() => report(signBatch(forged, own), { as }), "400 batch_invalid")

    const honest = signBatch(batchOf(), house.proofKeyOf("tickets"))
    expect(await report(honest, { as: "tickets" })).toBe("200 taken")
    const { instance } = JSON.parse(Buffer.from(honest.split(".")[1] ?? "", "base64url").toString())
    const previous = batchDigest(honest)
    const taken = { instance, sequence: 2, previous, iss: "deployments", uses: [useOf({ api: DEPLOYMENTS })] }
    await nothingAdded(() => report(signBatch(batchOf(taken), own), { as }), "409 batch_conflict")
    expect(await reported("deployments")).toBe(0)
  })

  test("L16 signs with the key that its token is bound to: another's batch is not brought in its name, nor its own under another key", async () => {
    const stranger = importSigningKey(generatePrivateJwk("ES256"))
    await nothingAdded(() => report(signBatch(batchOf(), stranger), { as: "tickets" }), "400 batch_invalid")

    const honest = signBatch(batchOf(), house.proofKeyOf("tickets"))
    expect(await report(honest, { as: "tickets" })).toBe("200 taken")
    const { instance } = JSON.parse(Buffer.from(honest.split(".")[1] ?? "", "base64url").toString())
    const next = batchOf({ instance, sequence: 2, previous: batchDigest(honest) })
    const token = await house.serviceToken("tickets", stranger)
    await nothingAdded(() => report(signBatch(next, stranger), proven(token, stranger)), "409 batch_conflict")
  })
})

test("L16 whose credential was taken out of the policy gets no further token, and the last one ends within five minutes", async () => {
  const house = await openHouse()
  onTestFinished(() => house.remove())
  const catalogue = async () => (await house.ask("GET", "/catalogue", { as: "tickets" })).status
  expect(await catalogue()).toBe(200)
  const { publicJwk } = importSigningKey(generatePrivateJwk("ES256"))
  const file = join(house.policyFolder, "keys", "tickets.jwks.json")
  writeFileSync(file, JSON.stringify({ keys: [publicJwk] }))
  expect((await house.ask("POST", "/policy/reload", { as: "operations-team" })).status).toBe(200)
  await expect(house.serviceToken("tickets", house.proofKeyOf("tickets"))).rejects.toThrow(/invalid_client/)
  house.clock.advance(306_000)
  await expect(catalogue()).rejects.toThrow(/invalid_client/)
})

describe("L13 what is recorded of hostile requests", () => {
  test("L13 can always be taken in: no request makes a record that holds up those behind it", async () => {
    const api = await startVerifier()
    onTestFinished(() => api.close())
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 600 }),
      fc.constantFrom("", "..", "\ud800", "\u202e", "a\u0000b", "x".repeat(5000), "%2e%2e", "__proto__"),
    )
    const request = fc.record({
      method: fc.oneof(fc.constantFrom("GET", "", "M-SEARCH", "X".repeat(40)), text),
      target: text,
      route: fc.option(text, { nil: undefined }),
      operation: fc.constantFrom("tickets:read", "tickets:close", "tickets:unknown"),
      resource: fc.option(fc.array(text, { maxLength: 40 }), { nil: undefined }),
      life: fc.constantFrom(-10, 600),
      status: fc.constantFrom(200, 0, -1, 1000, Number.NaN, 3.5, 599),
    })
    let records = 0
    await fc.assert(
      fc.asyncProperty(request, async ({ method, target, route, operation, resource, life, status }) => {
        const now = Math.floor(api.clock.now() / 1000)
        const token = api.stub.mint({ iat: now + life - 600, exp: now + life })
        const rawHeaders = ["Authorization", `Bearer ${token}`]
        const view = { method, target, rawHeaders, ...(route !== undefined && { route }) }
        const decision = await api.verifier.check(view, operation, resource)
        if (decision.outcome === "allowed") decision.finished(status)
        if (!("code" in decision) || decision.code !== "credential_ambiguous") records++
      }),
      { numRuns: 400 },
    )
    const stored = () => api.stub.uses().reduce((sum, use) => sum + (use.count ?? 1), 0)
    await expect.poll(() => [stored(), ...api.stub.refused], { timeout: 20_000 }).toEqual([records])
  })

  test("L13 comes in as it was asked where a wildcard grants it, whatever its segments hold", async () => {
    const api = await startVerifier()
    onTestFinished(() => api.close())
    const grants = [{ api: API, operations: OPERATIONS, resources: [["**"]], rule: "support.yaml#/0" }]
    const token = api.stub.mint({ grants })
    const full = ["x", '"', "\u00e9", "\u8a9e", "\u{1f600}"].map((one) => one.repeat(256))
    const text = fc.oneof(
      fc.constantFrom(...full, 'a"b', 'a","b', 'a"],"code":"none', '\u{1f600}"', "__proto__"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
    )
    const asked = fc.oneof(
      fc.array(text, { minLength: 1, maxLength: 32 }),
      fc.constantFrom(...full.map((one) => Array<string>(32).fill(one))),
    )
    const allowed: (readonly string[])[] = []
    await fc.assert(
      fc.asyncProperty(asked, async (resource) => {
        const rawHeaders = ["Authorization", `Bearer ${token}`]
        const view = { method: "GET", target: "/", rawHeaders }
        const decision = await api.verifier.check(view, "tickets:read", resource)
        if (decision.outcome !== "allowed") return
        decision.finished(200)
        allowed.push(resource)
      }),
      { numRuns: 300 },
    )
    await api.verifier.flush()
    const taken = api.stub.uses().filter(({ decision }) => decision === "allowed")
    expect(new Set(allowed.flat()).size).toBeGreaterThan(10)
    expect(taken.map(({ resource }) => resource)).toEqual(allowed)
    expect(api.stub.refused).toEqual([])
  })
})
