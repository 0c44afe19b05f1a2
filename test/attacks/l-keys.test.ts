// Catalogue L and G, signing keys that must not be believed any more, or are believed for the first time: verifiers refuse a
// revoked key, and how soon they know a new one. Rotation is in test/keys and test/flows.
import { join } from "node:path"
import { decodeProtectedHeader } from "jose"
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import { createApp, newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { type IssuerStub, json, startIssuerStub } from "../support/issuer-stub.ts"
import { buildTown } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000 })

const JWKS = "/.well-known/jwks.json"
/** From an order's answer to the last use that is served: the catalogue's B. */
const BOUND_MILLISECONDS = 5000
const SECOND = 1000
const newKey = () => importSigningKey(generatePrivateJwk("ES256"))

describe("at one verifier", () => {
  let clock: FakeClock
  let stub: IssuerStub
  let folder: string
  let verifier: Verifier

  beforeEach(async () => {
    clock = createFakeClock()
    stub = await startIssuerStub(clock)
    folder = newFolder()
    verifier = await start()
  })
  afterEach(async () => {
    await verifier.close()
    await stub.close()
    removeFolder(folder)
  })

  const start = async () => {
    const started = await createVerifier(optionsOf(stub.issuer, join(folder, "uses.db"), { clock }))
    await vi.waitFor(() => expect(started.ready().ready).toBe(true), 5000)
    return started
  }
  const ask = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await createApp(verifier, []).request("/tickets/SUP-1042", { headers })
    const { code } = (await answer.json()) as { code?: string }
    return code === undefined ? String(answer.status) : `${answer.status} ${code}`
  }
  const keyRequests = () => stub.requests.filter((one) => one.endsWith(JWKS)).length

  /** Everything of a key, whatever it is dated: what an issuer says of one that was stolen. */
  const revokeKey = (kid: string) => {
    const until = Math.floor(clock.now() / 1000) + 1800
    stub.revoke({ kind: "key", value: kid, before: until, until })
  }

  test("L04 a revoked key is refused within the bound, though it is still published and known, and asked for by nobody", async () => {
    const [stolen, other] = [stub.signing[0] ?? newKey(), newKey()]
    stub.signing.push(other)
    clock.advance(31 * SECOND)
    const [token, theirs] = [stub.mint({}, stolen), stub.mint({}, other)]
    expect([await ask(token), await ask(theirs)]).toEqual(["200", "200"])
    const asked = keyRequests()
    revokeKey(stolen.kid)
    await vi.waitFor(async () => expect(await ask(token)).toBe("401 token_revoked"), BOUND_MILLISECONDS)
    // A thief dates tokens as they like.
    const now = Math.floor(clock.now() / 1000)
    expect(await ask(stub.mint({ iat: now + 4, exp: now + 604 }, stolen))).toBe("401 token_revoked")
    expect(await ask(theirs)).toBe("200")
    expect(keyRequests()).toBe(asked)
  })

  test.each<[string, () => void]>([
    ["out of reach", () => stub.overrides.set(JWKS, () => json(503, {}))],
    ["one that names the key for ever", () => undefined],
  ])(
    "L04 and stays refused with a key set that is %s, also after a restart with the issuer away",
    async (_, prepare) => {
      prepare()
      const token = stub.mint()
      expect(await ask(token)).toBe("200")
      revokeKey(String(decodeProtectedHeader(token).kid))
      await vi.waitFor(async () => expect(await ask(token)).toBe("401 token_revoked"), BOUND_MILLISECONDS)
      await verifier.close()
      stub.setDown(true)
      verifier = await start()
      expect(await ask(token)).toBe("401 token_revoked")
    },
  )

  test("L07 a fetch provoked just before a new key delays it by 30 seconds at most, and not beyond by further ones", async () => {
    clock.advance(31 * SECOND)
    expect(await ask(stub.mint({}, newKey()))).toBe("401 token_invalid")
    const asked = keyRequests()
    const fresh = newKey()
    stub.signing.push(fresh)
    for (let second = 1; second <= 30; second++) {
      clock.advance(SECOND - 1)
      expect(await ask(stub.mint({}, newKey()))).toBe("401 token_invalid")
    }
    expect(keyRequests()).toBe(asked)
    expect(await ask(stub.mint({}, fresh))).toBe("401 token_invalid")
    clock.advance(SECOND)
    expect(await ask(stub.mint({}, fresh))).toBe("200")
    expect(keyRequests()).toBe(asked + 1)
  })
})

test("G08 one order on the signing key ends everything at every API within the bound, and both tell that they applied it", async () => {
  const town = await buildTown()
  onTestFinished(() => town.close())
  const support = await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be ended",
    inputs: { ticket: "SUP-1042" },
  })
  const release = await town.orchestrator("release-orchestrator").start({
    type: "deploy-service",
    agent: { id: "deploy-bot", instance: "pod-1" },
    purpose: "Be ended",
    inputs: { environment: "staging", service: "web" },
  })
  const use = async (token: string, url: string) =>
    (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
  const calls = [
    [tokenOf(support), `${town.tickets}/tickets/SUP-1042`],
    [tokenOf(release), `${town.deployments}/environments/staging/services/web`],
  ] as const
  const statuses = () => Promise.all(calls.map(([token, url]) => use(token, url)))
  // The second is a token that stands, at a route that it does not grant.
  expect(await statuses()).toEqual([200, 403])

  const kid = decodeProtectedHeader(tokenOf(support)).kid
  const set = await town.ask("operations-team", "POST", "/revocations", {
    kind: "key",
    value: kid,
    reason: "the key leaked",
  })
  expect(set.tokens_ended).toBe(2)
  const since = performance.now()
  await vi.waitFor(async () => expect(await statuses()).toEqual([401, 401]), {
    timeout: 20_000,
    interval: 10,
  })
  expect(performance.now() - since).toBeLessThan(BOUND_MILLISECONDS)
  await vi.waitFor(async () => {
    const shown = await town.ask("operations-team", "GET", `/revocations/${set.id}`)
    expect(shown.instances).toEqual([
      expect.objectContaining({ applied_at: expect.any(String) }),
      expect.objectContaining({ applied_at: expect.any(String) }),
    ])
  }, 20_000)
})

const tokenOf = (task: { handover(): { readonly tokens: readonly { readonly accessToken: string }[] } }) =>
  task.handover().tokens[0]?.accessToken ?? ""
