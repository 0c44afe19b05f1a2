// What verifiers say they serve, taken and compared over HTTP: whose word is kept, what is refused, and what auditors read.
import { afterAll, beforeAll, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { newUuid } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type CallerName, type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"
import { createReporter, type TestReporter } from "../support/reporter.ts"

type Findings = readonly Readonly<Record<string, unknown>>[]
let house: House
let first: TestReporter
let second: TestReporter

beforeAll(async () => {
  house = await openHouse()
  first = createReporter(house)
  second = createReporter(house)
})
afterAll(() => house.remove())

const READ = { operation: "tickets:read", resources: ["tickets/{id}", "tickets/{id}/{part}"] }
const COMMENT = { operation: "tickets:comment", resources: ["tickets/{id}", "tickets/{id}/comments"] }
const CLOSE = { operation: "tickets:close", resources: ["tickets/{id}"] }
const declare = (instance: string, operations: unknown, as: CallerName = "tickets") =>
  house.ask("POST", "/catalogue", { as, json: { instance, operations } })
const report = async () => (await house.ask("GET", "/reports/posture", { as: "audit-team" })).body
const rules = async (of = "tickets") =>
  ((await report()).findings as Findings).filter(({ api }) => api === of).map(({ rule }) => rule)
const tickets = async () =>
  ((await report()).apis as Readonly<Record<string, unknown>>[]).find(({ api }) => api === "tickets")

test("from no verifier to one that serves what is granted, and back to silence", async () => {
  expect(await rules()).toEqual(["api-without-verifier"])
  await first.report()
  expect(await rules()).toEqual(["api-undeclared"])
  expect(await declare(first.instance, [READ, COMMENT])).toEqual({ status: 200, body: { operations: 2 } })
  expect(await rules()).toEqual(["operation-served-nowhere"])
  expect(await declare(first.instance, [CLOSE, READ, COMMENT, CLOSE])).toMatchObject({
    body: { operations: 3 },
  })
  expect(await rules()).toEqual([])
  expect(await tickets()).toEqual({ api: "tickets", instances: 1, heard: 1, declaring: 1, operations: 3 })
  house.clock.advance(30_001)
  expect(await rules()).toEqual(["api-silent"])
  await first.report()
  expect(await rules()).toEqual([])
})

test("another instance that says the same is no difference; one that says something else is, until its last word", async () => {
  await second.report()
  await declare(second.instance, [COMMENT, READ, CLOSE])
  expect(await rules()).toEqual([])
  await declare(second.instance, [READ, { operation: "tickets:purge", resources: ["tickets/**"] }])
  expect(await rules()).toEqual(["operation-unknown", "verifiers-differ"])
  expect(await tickets()).toMatchObject({ instances: 2, heard: 2, declaring: 2, operations: 4 })
  await second.report([], { final: true })
  expect(await rules()).toEqual([])
  expect(await tickets()).toMatchObject({ instances: 1 })
})

test("an instance speaks for itself alone: not for one that never reported, nor for another API's or another key's", async () => {
  expect(await declare(newUuid(), [READ])).toMatchObject({ status: 404, body: { code: "not_found" } })
  expect(await declare(first.instance, [READ], "deployments")).toMatchObject({ status: 404 })
  const callers = [
    ["tickets", importSigningKey(generatePrivateJwk("ES256"))],
    ["deployments", house.proofKeyOf("tickets")],
  ] as const
  for (const [as, key] of callers) {
    const accessToken = await house.serviceToken(as, key)
    const now = toEpochSeconds(house.clock.now())
    const proof = signProof({ method: "POST", url: `${ISSUER}/catalogue`, accessToken, now }, key)
    const headers = { authorization: `DPoP ${accessToken}`, dpop: proof }
    const json = { instance: first.instance, operations: [] }
    expect((await house.ask("POST", "/catalogue", { headers, json })).status, as).toBe(404)
  }
  expect(await tickets()).toMatchObject({ declaring: 1, operations: 3 })
})

const shape = (text: string) => [{ operation: "tickets:read", resources: [text] }]
test.each([
  ["no list", {}],
  ["an operation that is none", [{ operation: "read", resources: ["tickets"] }]],
  ["no resource", [{ operation: "tickets:read", resources: [] }]],
  ["a path out of its place", shape("tickets/../x")],
  ["an empty segment", shape("tickets//x")],
  ["half a parameter", shape("tickets/{id}.json")],
  ["a text that turns around", shape("tickets/\u202e")],
  ["a member that nobody knows", [{ ...READ, methods: ["GET"] }]],
  ["too many resources", [{ ...READ, resources: Array.from({ length: 51 }, (_, at) => `t/${at}`) }]],
  [
    "too many operations",
    Array.from({ length: 501 }, (_, at) => ({ operation: `tickets:o${at}`, resources: ["t"] })),
  ],
])("%s is refused, and what stood stands", async (_what, operations) => {
  expect(await declare(first.instance, operations)).toMatchObject({ status: 400 })
  expect(await tickets()).toMatchObject({ operations: 3 })
})

test("each reading is an entry, by whom", async () => {
  const { policy } = await report()
  expect(policy).toMatch(/^sha-256:/)
  const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
  expect((body.entries as unknown[]).slice(0, -1).at(-1)).toMatchObject({
    body: { by: "audit-team", report: "posture" },
  })
})

test("declaring is for APIs, reading for auditors", async () => {
  for (const as of ["operations-team", "audit-team", "support-orchestrator"] as const)
    expect(await declare(first.instance, [READ], as)).toMatchObject({ status: 403 })
  for (const as of ["operations-team", "tickets", "support-orchestrator"] as const)
    expect((await house.ask("GET", "/reports/posture", { as })).status).toBe(403)
})

test("what was said is still known after a restart", async () => {
  await house.restart()
  await first.report()
  expect(await rules()).toEqual([])
  expect(house.faults).toEqual([])
})

test("canaries that went with their key are a finding until as many were planted again; those of drills are none", async () => {
  const canary = { type: START.type, agent: START.agent, inputs: START.inputs, reason: "In the wiki" }
  const as = "operations-team"
  const plant = async (more: object = {}) =>
    String((await house.ask("POST", "/canaries", { as, json: { ...canary, ...more } })).body.kid)
  const found = async () =>
    ((await report()).findings as Findings).filter(({ rule }) => rule === "canary-dead")
  const kid = await plant()
  for (const more of [{}, { live: true }]) expect(await plant(more)).toBe(kid)
  expect(await found()).toEqual([])
  const order = { kind: "key", value: kid, reason: "It leaked" }
  expect((await house.ask("POST", "/revocations", { as, json: order })).status).toBe(201)
  house.clock.advance(300_000) // service tokens ended, too
  const message = (alive: string) =>
    expect.stringMatching(`^2 canaries are known .* ${kid} .*, and ${alive} now$`)
  expect(await found()).toMatchObject([{ severity: "warning", message: message("0 are") }])
  expect(await plant({ live: true })).not.toBe(kid)
  await plant()
  expect(await found()).toMatchObject([{ message: message("1 is") }])
  await plant()
  expect(await found()).toEqual([])
})
