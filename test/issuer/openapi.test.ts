// The document against the answers: every endpoint is called, and what it answers fits the schema that the document gives
// for that status.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { newId, newUuid } from "../../src/token/id.ts"
import { signBatch, useBatch } from "../support/batch.ts"
import { type Call, type House, openHouse, START } from "../support/issuer-house.ts"

type Json = Record<string, unknown>
let house: House
let document: Json
const called = new Set<string>()
/** The first heartbeat of a verifier instance. */
const FIRST = useBatch(1_772_355_600_000, { uses: [] })

beforeAll(async () => {
  house = await openHouse()
  document = (await house.ask("GET", "/openapi.json")).body
})
afterAll(() => house.remove())

const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((inner, step) => (inner as Json | undefined)?.[step], value)

/** The schema with what it refers to in place of the references. */
function whole(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(whole)
  if (typeof schema !== "object" || schema === null) return schema
  const { $ref } = schema as { $ref?: string }
  if ($ref !== undefined) return whole(at(document, ...$ref.slice(2).split("/")))
  return Object.fromEntries(Object.entries(schema).map(([name, inner]) => [name, whole(inner)]))
}

/** The path as the document has it: ids are whatever stands where the document has a parameter. */
function documented(path: string): string {
  const steps = (path.split("?")[0] ?? "").split("/")
  const fits = (template: string) => {
    const wanted = template.split("/")
    return (
      wanted.length === steps.length &&
      wanted.every((one, index) => one.startsWith("{") || one === steps[index])
    )
  }
  return Object.keys(document.paths as Json).find(fits) ?? path
}

async function answers(method: string, path: string, call: Call = {}): Promise<Json> {
  const template = documented(path)
  called.add(`${method.toLowerCase()} ${template}`)
  const response = await house.call(method, path, call)
  const text = await response.text()
  const responses = at(document, "paths", template, method.toLowerCase(), "responses")
  const told = at(responses, String(response.status)) ?? at(responses, "default")
  expect(told, `${method} ${template} ${response.status}`).toBeDefined()
  const type = (response.headers.get("content-type") ?? "").split(";")[0] ?? ""
  const schema = at(told, "content", type, "schema")
  if (/^text\/(plain|csv)$|x-ndjson/.test(type)) return { text }
  if (schema === undefined) {
    expect(at(told, "content"), `${template}: nothing is documented for ${type}`).toBeUndefined()
  } else {
    const read = z.fromJSONSchema(whole(schema) as Json).safeParse(JSON.parse(text))
    expect(read.error?.issues ?? [], `${method} ${template} ${response.status}`).toEqual([])
  }
  return text === "" ? {} : JSON.parse(text)
}

describe("the document", () => {
  test("is OpenAPI 3.1, and anyone may read it", () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(at(document, "paths", "/tasks", "post", "security")).toEqual([{ service_token: ["orchestrator"] }])
  })

  test("says what public endpoints answer", async () => {
    for (const path of [
      "/.well-known/oauth-authorization-server",
      "/.well-known/openid-configuration",
      "/.well-known/jwks.json",
      "/livez",
      "/readyz",
      "/openapi.json",
      "/status-lists",
      "/status-lists/none",
    ])
      await answers("GET", path)
    await answers("POST", "/token", { body: "x", headers: { "content-type": "text/plain" } })
    await answers("POST", "/token", {
      body: "grant_type=client_credentials",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    })
  })

  test("says what the life of a task answers", async () => {
    const as = "support-orchestrator"
    const started = await answers("POST", "/tasks", { as, json: { ...START, reference: "run-1" } })
    await answers("POST", "/tasks", { as, json: { ...START, reference: "run-1" } })
    await answers("POST", "/tasks", { as, json: { ...START, inputs: { ticket: "no" } } })
    await answers("POST", "/tasks", { as, json: {} })
    const path = `/tasks/${started.task_id}`
    await answers("GET", "/tasks?limit=1&state=active", { as })
    await answers("GET", path, { as })
    await answers("GET", path, { as: "release-orchestrator" })
    await answers("POST", `${path}/tokens`, { as, json: { operations: ["tickets:read"] } })
    for (const change of ["pause", "resume", "complete"]) await answers("POST", `${path}/${change}`, { as })
    for (const change of ["fail", "cancel"])
      await answers("POST", `${path}/${change}`, { as, json: { reason: "no" } })
    await answers("GET", path, { as: "audit-team" })
    await answers("GET", `${path}/statement`, { as })
    await answers("GET", `${path}/statement`, { as: "release-orchestrator" })
  })

  test("says what approvals answer", async () => {
    const as = "support-orchestrator"
    const { task_id } = await answers("POST", "/tasks", { as, json: START })
    const json = { task_id, operation: "tickets:close", resource: "tickets/SUP-1042", reason: "It is solved" }
    const { id } = await answers("POST", "/approvals", {
      as,
      json: { ...json, parameters: { a: [1, null] } },
    })
    await answers("POST", "/approvals", { as, json: { ...json, parameters: { a: [1, null] } } })
    await answers("POST", "/approvals", { as, json })
    await answers("POST", "/approvals", { as, json: { ...json, resource: "tickets/*" } })
    await answers("GET", "/approvals?state=requested&limit=1", { as })
    await answers("GET", `/approvals/${id}`, { as: "audit-team" })
    await answers("GET", `/approvals/${id}`, { as: "release-orchestrator" })
    await answers("GET", `/tasks/${task_id}`, { as })
    await answers("POST", `/approvals/${id}`, { as, json: { decision: "grant" } })
    await answers("POST", `/tasks/${task_id}/tokens`, { as, json: { approval: id } })
  })

  test("says what verifiers get", async () => {
    const as = "tickets"
    await answers("GET", "/catalogue", { as })
    await answers("GET", "/revocations?after=0", { as })
    const claim = { jti: newId("tok"), use: newId("use") }
    expect(await answers("POST", "/uses/claims", { as, json: claim })).toEqual({
      claimed: false,
      code: "token_used",
    })
    const headers = { "content-type": "application/jwt" }
    await answers("POST", "/uses", { as, headers, body: "x.y.z" })
    expect(
      await answers("POST", "/uses", { as, headers, body: signBatch(FIRST, house.proofKeyOf(as)) }),
    ).toMatchObject({
      acknowledged: 1,
    })
    const operations = [{ operation: "tickets:read", resources: ["tickets/{id}"] }]
    await answers("POST", "/catalogue", { as, json: { instance: FIRST.instance, operations } })
    await answers("POST", "/catalogue", { as, json: { instance: newUuid(), operations } })
    await answers("POST", "/catalogue", { as, json: {} })
  })

  test("says what those get who ask about a token or end it", async () => {
    const as = "support-orchestrator"
    const { tokens } = await answers("POST", "/tasks", { as, json: START })
    const token = (tokens as { access_token: string }[])[0]?.access_token ?? ""
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    for (const path of ["/introspect", "/revoke", "/introspect"]) {
      await answers("POST", path, { as, headers, body: `token=${token}` })
      await answers("POST", path, { as, headers, body: "" })
      await answers("POST", path, { headers, body: `token=${token}` })
    }
  })

  test("says what auditors of the log get", async () => {
    const auditor = { as: "audit-team" } as const
    expect((await answers("GET", "/ledger/checkpoint", auditor)).text).toMatch(/^taskmint\.internal\n/)
    expect((await answers("GET", "/ledger/key", auditor)).text).toMatch(/^taskmint\.internal\+/)
    await answers("GET", "/ledger/tile/none", auditor)
    const { tasks } = await answers("GET", "/tasks?limit=1", auditor)
    const task = (tasks as Json[])[0]?.task_id
    for (const question of ["did", "could", "behalf", "rule", "approved"])
      expect(await answers("GET", `/reports/${question}?task=${task}`, auditor)).toHaveProperty("rows")
    await answers("GET", "/reports/who?operation=tickets:read", auditor)
    await answers("GET", "/reports/who", auditor)
    expect((await answers("GET", "/reports/posture", auditor)).findings).not.toEqual([])
    expect((await answers("GET", "/reports/anomalies", auditor)).anomalies).toBeDefined()
    await answers("GET", "/reports/anomalies?rule=none", auditor)
    await answers("GET", "/reports/anomalies", { as: "operations-team" })
    await house.issuer.sweep()
    expect((await answers("GET", "/reports/least-privilege", auditor)).items).not.toEqual([])
    await answers("POST", "/reports/least-privilege/rebuild", { as: "operations-team" })
    for (const format of ["ndjson", "csv"]) await answers("GET", `/ledger/export?format=${format}`, auditor)
  })

  test("says what staff get", async () => {
    const as = "operations-team"
    expect((await answers("GET", "/verifiers", { as })).verifiers).toHaveLength(1)
    const forget = `/verifiers/${FIRST.instance}/forget`
    await answers("POST", forget, { as, json: { reason: "gone" } })
    house.clock.advance(60_000)
    expect(await answers("POST", forget, { as, json: { reason: "gone" } })).toMatchObject({ closed: true })
    const { verifiers } = await answers("GET", "/reports/completeness", { as: "audit-team" })
    expect(verifiers).toMatchObject([{ state: "written_off", complete: false }])
    await answers("GET", "/reports/completeness?complete=true", { as: "audit-team" })
    await answers("GET", "/reports/completeness", { as })
    await answers("POST", "/verifiers/x/forget", { as, json: { reason: "gone" } })
    const json = { kind: "agent", value: "summarizer", reason: "drill", until: "2026-03-01T12:00:00Z" }
    const set = await answers("POST", "/revocations", { as, json })
    house.clock.advance(1000)
    await answers("GET", `/revocations/${set.id}`, { as })
    expect((await answers("GET", "/locks", { as })).locks).toHaveLength(1)
    await answers("DELETE", `/revocations/${set.id}`, { as })
    await answers("GET", "/revocations/rev_unknown", { as })
    const canary = { type: START.type, agent: START.agent, inputs: START.inputs, reason: "drill" }
    const { jti } = await answers("POST", "/canaries", { as, json: canary })
    await answers("POST", "/canaries", { as, json: { ...canary, api: "none" } })
    const found = (id: unknown) => ({ jti: id, places: [{ file: "x", line: 1 }], found: 1, standing: "cut" })
    for (const exposures of [[found(jti), found(newId("tok"))], []])
      await answers("POST", "/exposures", { as, json: { exposures } })
    await answers("POST", "/policy/reload", { as })
    await answers("POST", "/policy/use", { as, json: { digest: house.issuer.policyDigest() } })
    const wrong = { current_key: "A".repeat(43), new_key: "A".repeat(43) }
    await answers("POST", "/keys/rewrap", { as, json: wrong })
    await answers("POST", "/keys/rotate", { as, json: { emergency: true } })
    await answers("POST", "/keys/rotate", { as })
    await answers("POST", "/keys/rotate", { as, json: { emergency: true, reason: "drill" } })
    for (const what of [{ sub: "people/ana" }, { task: "none" }])
      await answers("POST", "/ledger/erase", { as, json: { ...what, reason: "drill" } })
    for (const before of ["2026-01-01T00:00:00Z", "soon"])
      await answers("POST", "/ledger/archive", { as, json: { before } })
    await answers("GET", "/keys", { as: "audit-team" })
    await answers("GET", "/ledger/entries", { as: "audit-team" })
    await answers("GET", "/ledger/entries?colour=red", { as: "audit-team" })
    await answers("GET", "/ledger/entries", { as })
    await answers("GET", "/reports/silence", { as: "audit-team" })
    await answers("GET", "/reports/silence?alarm=none", { as: "audit-team" })
    await answers("GET", "/reports/silence", { as })
  })

  test("names no endpoint that was not tried here", () => {
    const named = Object.entries(document.paths as Json).flatMap(([path, methods]) =>
      Object.keys(methods as Json).map((method) => `${method} ${path}`),
    )
    expect(named.filter((one) => !called.has(one))).toEqual([])
  })
})
