// Verifier instances as the issuer knows them, and writing one off whose spool is gone.
import { afterEach, beforeEach, expect, test } from "vitest"
import { createDeclarations } from "../../src/task/declarations.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { batchDigest } from "../../src/token/batch.ts"
import { newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, publicHalf, readPublicJwk } from "../../src/token/signature.ts"
import { signBatch } from "../support/batch.ts"
import { createWorld, ISSUER, type World } from "../support/world.ts"

let world: World
const key = importSigningKey(generatePrivateJwk("ES256"))
const instance = newUuid()

beforeEach(async () => {
  previous = null
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

let previous: string | null = null
const report = async (sequence: number, final = false) => {
  const publicKey = readPublicJwk(key.publicJwk)
  if (!("thumbprint" in publicKey)) throw new Error("not a key")
  const now = world.clock.now()
  const frame = { iss: "tickets", aud: ISSUER, iat: toEpochSeconds(now), instance, sequence, previous }
  const rest = { cursor: 3, applied_at: toInstant(now), checkpoint: null, final, uses: [] }
  const text = signBatch({ ...frame, ...rest }, key)
  previous = batchDigest(text)
  return world.uses.take({ api: "tickets", key: publicKey }, text)
}
const forget = () => world.verifiers.forget("operations-team", instance, "the node is gone")
const gaps = async () => (await world.ledger.read({ kind: "verifier.gap", limit: 10 })).entries

test("are listed with how far each has come", async () => {
  expect(await world.verifiers.list()).toEqual([])
  await report(1)
  const lastSeen = world.clock.now()
  const seen = { instance, api: "tickets", sequence: 1, cursor: 3, joinedAt: lastSeen, lastSeen }
  expect(await world.verifiers.list()).toEqual([
    { ...seen, state: "reporting", complete: true, closed: false, silent: false, missing: [] },
  ])
  await report(2, true)
  expect(await world.verifiers.list()).toMatchObject([{ sequence: 2, state: "ended", closed: true }])
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

test("one that is silent is among those that are not complete", async () => {
  await report(1)
  expect((await world.verifiers.page({ incomplete: true })).verifiers).toEqual([])
  world.clock.advance(31_000)
  expect((await world.verifiers.page({ incomplete: true })).verifiers).toMatchObject([{ state: "silent" }])
})

test("one that comes back is followed again", async () => {
  await report(1)
  world.clock.advance(60_000)
  await forget()
  expect(await world.verifiers.list()).toMatchObject([{ state: "written_off", closed: true }])
  expect(await report(2)).toEqual({ acknowledged: 2 })
  expect(await world.verifiers.list()).toMatchObject([{ sequence: 2, state: "reporting", closed: false }])
  const { entries } = await world.ledger.read({ kind: "verifier.returned", limit: 10 })
  expect(entries).toMatchObject([{ api: "tickets", body: { written_off: true, silent_seconds: 60 } }])
})

test("what one says that it serves counts while it is heard of", async () => {
  const declarations = createDeclarations(world)
  const operations = [{ operation: "tickets:read", resources: ["tickets/{id}"] }]
  await report(1)
  expect(await declarations.take({ api: "tickets", key: publicHalf(key) }, instance, operations)).toBe(1)
  const said = [{ instances: 1, instance, operations }]
  expect(await declarations.list()).toEqual([{ api: "tickets", open: 1, heard: 1, declaring: 1, said }])
  world.clock.advance(31_000)
  expect(await declarations.list()).toEqual([{ api: "tickets", open: 1, heard: 0, declaring: 0, said: [] }])
  await report(2, true)
  expect(await declarations.list()).toEqual([])
})

test("one that never reported is not there to be written off", async () => {
  expect(await world.verifiers.forget("operations-team", newUuid(), "x")).toMatchObject({ code: "not_found" })
})
