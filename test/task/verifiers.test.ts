// Verifier instances as the issuer knows them, and writing one off whose spool is gone.
import { afterEach, beforeEach, expect, test } from "vitest"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, readPublicJwk } from "../../src/token/signature.ts"
import { signBatch } from "../support/batch.ts"
import { createWorld, ISSUER, type World } from "../support/world.ts"

let world: World
const key = importSigningKey(generatePrivateJwk("ES256"))
const instance = newUuid()

beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.close()
  await world.remove()
})

const report = async (sequence: number, final = false) => {
  const publicKey = readPublicJwk(key.publicJwk)
  if (!("thumbprint" in publicKey)) throw new Error("not a key")
  const now = world.clock.now()
  const frame = { iss: "tickets", aud: ISSUER, iat: toEpochSeconds(now), instance, sequence, previous: null }
  const rest = { cursor: 3, applied_at: toInstant(now), checkpoint: null, final, uses: [] }
  return world.uses.take({ api: "tickets", key: publicKey }, signBatch({ ...frame, ...rest }, key))
}
const forget = () => world.verifiers.forget("operations-team", instance, "the node is gone")
const gaps = async () => (await world.ledger.read({ kind: "verifier.gap", limit: 10 })).entries

test("are listed with how far each has come", async () => {
  expect(await world.verifiers.list()).toEqual([])
  await report(1)
  const lastSeen = world.clock.now()
  expect(await world.verifiers.list()).toEqual([
    { instance, api: "tickets", sequence: 1, cursor: 3, lastSeen, closed: false, silent: false },
  ])
  await report(3, true) // a number left out, for the second must name the digest of the first
  expect(await world.verifiers.list()).toMatchObject([{ sequence: 3, closed: true }])
})

test("one that reports is not written off; a minute after its last word it is, once, as a gap by whoever said so", async () => {
  await report(1)
  expect(await forget()).toMatchObject({ code: "verifier_active", retryAfterSeconds: 60 })
  world.clock.advance(59_999)
  expect(await forget()).toMatchObject({ code: "verifier_active", retryAfterSeconds: 1 })
  expect(await gaps()).toEqual([])
  world.clock.advance(1)
  expect(await forget()).toMatchObject({ instance, closed: true })
  expect(await forget()).toMatchObject({ instance, closed: true })
  const body = {
    verifier: instance,
    from: 2,
    written_off: true,
    by: "operations-team",
    reason: "the node is gone",
  }
  expect(await gaps()).toMatchObject([{ api: "tickets", body }])
})

test("one that comes back is followed again", async () => {
  await report(1)
  world.clock.advance(60_000)
  await forget()
  expect(await report(2)).toMatchObject({ code: "batch_conflict" }) // its chain goes on: the digest is wrong here
  expect(await report(3)).toEqual({ acknowledged: 3 })
  expect(await world.verifiers.list()).toMatchObject([{ sequence: 3, closed: false }])
})

test("one that never reported is not there to be written off", async () => {
  expect(await world.verifiers.forget("operations-team", newUuid(), "x")).toMatchObject({ code: "not_found" })
})
