// Nonces in proofs of possession (RFC 9449 section 9), at a real server: what they bound, and that a sender needs no clock
// of its own.
import { afterAll, beforeAll, expect, test } from "vitest"
import { type ProofInput, signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createNonces } from "../../src/verifier/nonce.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { type GuardedApi, startGuardedApi } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"

let api: GuardedApi
const key = importSigningKey(generatePrivateJwk("ES256"))
beforeAll(async () => {
  api = await startGuardedApi({ dpopNonces: true })
})
afterAll(() => api.close())

const seconds = () => Math.floor(api.clock.now() / 1000)
const send = async (token: string, changes: Partial<ProofInput>) => {
  const url = `${API}/tickets/SUP-1042`
  const dpop = signProof({ method: "GET", url, accessToken: token, now: seconds(), ...changes }, key)
  const headers = { authorization: `DPoP ${token}`, dpop }
  const repeat = async () => {
    const answer = await fetch(`${api.address}/tickets/SUP-1042`, { headers })
    const error = /error="([a-z_]+)"/.exec(answer.headers.get("www-authenticate") ?? "")?.[1]
    return { outcome: error ?? String(answer.status), nonce: answer.headers.get("dpop-nonce") ?? "" }
  }
  return { ...(await repeat()), repeat }
}
const mint = () => api.stub.mint({ jkt: key.thumbprint })

test("F10 a proof without a nonce, with another's or a damaged one is asked for again, every time with the one that passes", async () => {
  const token = mint()
  const { nonce } = await send(token, {})
  const others = createNonces(api.clock).current()
  for (const wrong of [
    undefined,
    "",
    others,
    nonce.slice(1),
    `${nonce}A`,
    nonce.toLowerCase(),
    "x".repeat(256),
  ])
    expect(await send(token, { nonce: wrong })).toMatchObject({
      outcome: expect.stringMatching(/^(use_dpop_nonce|invalid_dpop_proof)$/),
      nonce,
    })
  expect(await send(token, { nonce: others })).toMatchObject({ outcome: "use_dpop_nonce", nonce })
  expect(await send(token, { nonce })).toMatchObject({ outcome: "200", nonce })
})

test("F09 with a nonce the sender's clock does not count; F11 and a proof made ahead ends with its nonce", async () => {
  const token = mint()
  const { nonce } = await send(token, {})
  for (const off of [-86_400, 86_400])
    expect((await send(token, { nonce, now: seconds() + off })).outcome).toBe("200")
  api.clock.advance(60_000)
  expect((await send(token, { nonce })).outcome).toBe("200")
  api.clock.advance(60_000)
  expect((await send(token, { nonce, now: seconds() })).outcome).toBe("use_dpop_nonce")
})

test("F07 a proof passes once, as long as its nonce lives, whatever its own time says", async () => {
  const token = mint()
  const { nonce } = await send(token, {})
  const sent = await send(token, { nonce, now: seconds() - 3600 })
  expect(sent.outcome).toBe("200")
  expect((await sent.repeat()).outcome).toBe("invalid_dpop_proof")
  api.clock.advance(59_000)
  expect((await sent.repeat()).outcome).toBe("invalid_dpop_proof")
})

test("F10 the nonces of one process are unknown to the next, and change every minute", () => {
  const clock = createFakeClock()
  const [before, after] = [createNonces(clock), createNonces(clock)]
  const nonce = before.current()
  expect([before.accepts(nonce), after.accepts(nonce)]).toEqual([true, false])
  clock.advance(60_000)
  expect(before.current()).not.toBe(nonce)
  expect(nonce).toMatch(/^[\w-]{43}$/) // F16: nothing that a header could be broken with
})
