// Whether reports are whole, over HTTP: what auditors read, what operators write off, and whose clock is off by the proof
// that came along.
import { afterAll, beforeAll, expect, test } from "vitest"
import { batchDigest, type UseBatch } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { signBatch } from "../support/batch.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"

let house: House
const instance = newUuid()
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const seconds = () => Math.floor(house.clock.now() / 1000)
/** Brings a heartbeat by a clock that is that many seconds ahead; answers its digest. */
async function beat(change: Partial<UseBatch>, ahead = 0): Promise<string> {
  const key = house.proofKeyOf("tickets")
  const frame = { iss: "tickets", aud: ISSUER, iat: seconds() + ahead, instance, sequence: 1, previous: null }
  const rest = { cursor: 0, applied_at: null, checkpoint: null, final: false, uses: [] }
  const body = signBatch({ ...frame, ...rest, ...change }, key)
  const token = await house.serviceToken("tickets", key)
  const proof = { method: "POST", url: `${ISSUER}/uses`, accessToken: token, now: seconds() + ahead }
  const headers = { authorization: `DPoP ${token}`, dpop: signProof(proof, key) }
  const { status } = await house.ask("POST", "/uses", {
    headers: { ...headers, "content-type": "application/jwt" },
    body,
  })
  expect(status).toBe(200)
  return batchDigest(body)
}
const report = async (query = "") =>
  (await house.ask("GET", `/reports/completeness${query}`, { as: "audit-team" })).body

test("tells of each instance how far it has come and what is missing, until that is written off", async () => {
  await beat({})
  await beat({ sequence: 4, previous: `sha-256:${"A".repeat(43)}` })
  const missing = { from: 2, to: 3, why: "missing", told_at: expect.any(String) }
  const seen = { instance, api: "tickets", sequence: 4, last_seen: expect.any(String), drift_ms: 0 }
  const incomplete = { ...seen, state: "gap", complete: false, missing: [missing] }
  expect(await report()).toMatchObject({ next: null, verifiers: [incomplete] })
  expect(await report("?complete=false&api=tickets")).toMatchObject({ verifiers: [incomplete] })
  expect(await report("?api=deployments")).toEqual({ next: null, verifiers: [] })
  const json = { reason: "the disk is gone" }
  const forgotten = await house.ask("POST", `/verifiers/${instance}/forget`, { as: "operations-team", json })
  expect(forgotten).toMatchObject({ status: 200, body: { ...seen, state: "reporting", complete: false } })
  const written = { ...missing, written_off_at: expect.any(String) }
  expect(await report()).toMatchObject({ verifiers: [{ state: "reporting", missing: [written] }] })
})

test("each query is an entry", async () => {
  await report("?complete=false")
  const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
  const told = { body: { by: "audit-team", report: "completeness", parameters: { complete: "false" } } }
  expect((body.entries as unknown[]).at(-2)).toMatchObject(told)
})

test.each(["?complete=true", "?limit=0", "?after=x", "?state=gap"])("%s is refused", async (query) => {
  expect(await report(query)).toMatchObject({ status: 400 })
})

test("a verifier's clock is judged by the proof that it makes for each batch", async () => {
  const digest = await beat({ sequence: 5, previous: `sha-256:${"A".repeat(43)}` }, -30)
  const drifted = { drift_ms: expect.any(Number), drifted_since: expect.any(String) }
  expect(await report()).toMatchObject({ verifiers: [drifted] })
  await beat({ sequence: 6, previous: digest })
  const [{ drift_ms, drifted_since }] = (await report()).verifiers as [Record<string, unknown>]
  expect([drift_ms, drifted_since]).toEqual([0, undefined])
})
