// F08, F16 What a verifier keeps of proofs, and what it gives away with nonces: ids of every shape and in great numbers, and
// answers into which nothing of the sender's gets. A key has no quota of ids: what it can add is what one process verifies in
// the three minutes for which a proof is kept, and where that finds no room on the disk the answer is 503.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createMemorySpool } from "../../src/spool/memory-spool.ts"
import { openSpool } from "../../src/spool/spool.ts"
import { newId } from "../../src/token/id.ts"
import { accessTokenHash, signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createIssuerTime } from "../../src/verifier/issuer-time.ts"
import { createNonces } from "../../src/verifier/nonce.ts"
import { sweep } from "../../src/verifier/work.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { compact } from "../support/forge.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"
import { bearer, type HostedApi, openHost } from "../support/hosted-api.ts"
import { HOSTS } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"

const key = importSigningKey(generatePrivateJwk("ES256"))
const LINE = "GET /tickets/42"
const [host = HOSTS[0]] = HOSTS
if (!host) throw new Error("no host")

describe("the id of a proof", () => {
  let api: HostedApi
  beforeAll(async () => {
    api = await openHost(host)
  })
  afterAll(() => api.close())

  const { kty, crv, x, y } = key.publicJwk
  const proofWith = (token: string, jti: object) => {
    const htu = `${API}/tickets/42`
    const payload = { htm: "GET", htu, iat: api.seconds(), ath: accessTokenHash(token), ...jti }
    return compact({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } }, payload, key)
  }
  const decide = async (token: string, proof: string) => {
    const rawHeaders = ["Authorization", `DPoP ${token}`, "DPoP", proof]
    const view = { method: "GET", target: "/tickets/42", rawHeaders }
    const decision = await api.verifier.check(view, "tickets:read", ["tickets", "42"])
    if (decision.outcome === "allowed") decision.finished(200)
    return decision.outcome === "refused" ? decision.code : decision.outcome
  }

  test.each<[string, object]>([
    ["missing", {}],
    ["empty", { jti: "" }],
    ["null", { jti: null }],
    ["a number", { jti: 7 }],
    ["a list", { jti: ["a"] }],
    ["an object", { jti: { toString: "a" } }],
    ["true", { jti: true }],
    ["with a control character", { jti: "a\0b" }],
    ["of 257 characters", { jti: "a".repeat(257) }],
    ["of a megabyte", { jti: "a".repeat(1024 * 1024) }],
  ])("F08 %s makes it no proof", async (_, jti) => {
    const token = api.mint({ jkt: key.thumbprint })
    expect(await decide(token, proofWith(token, jti))).toBe("proof_invalid")
  })

  test("F08 of any text stands once, and two that look alike are two", async () => {
    const token = api.mint({ jkt: key.thumbprint })
    for (const jti of ["a", "A", "a ", "\u00e9", "e\u0301", "'; DROP TABLE proof; --", "a".repeat(256)]) {
      expect([jti, await decide(token, proofWith(token, { jti }))]).toEqual([jti, "allowed"])
      expect([jti, await decide(token, proofWith(token, { jti }))]).toEqual([jti, "proof_invalid"])
    }
  })

  test("F08 of a thousand of one key, none is forgotten while it could be used, and all that is kept is a hash", async () => {
    const token = api.mint({ jkt: key.thumbprint })
    const proofs = Array.from({ length: 1000 }, (_, at) => proofWith(token, { jti: `canary-${at}` }))
    const decideAll = () => Promise.all(proofs.map((proof) => decide(token, proof)))
    expect(new Set(await decideAll())).toEqual(new Set(["allowed"]))
    expect(new Set(await decideAll())).toEqual(new Set(["proof_invalid"]))
    const file = new Sqlite(join(api.folder, "uses.db"), { readonly: true })
    const kept = file.prepare("SELECT digest FROM proof").pluck().all()
    file.close()
    expect(kept.length).toBeGreaterThanOrEqual(1000)
    expect(kept.filter((digest) => !/^[\w-]{43}$/.test(String(digest)))).toEqual([])
  })
})

describe("what is kept of proofs", () => {
  const folder = newFolder()
  afterAll(() => removeFolder(folder))
  const SPOOLS = [
    ["on disk", () => openSpool(join(folder, "proofs.db"))],
    ["in memory", async () => createMemorySpool()],
  ] as const

  test.each(SPOOLS)("F08 %s goes when it has run out, and no earlier", async (_, open) => {
    const spool = await open()
    const digests = Array.from({ length: 500 }, (_each, at) => `digest-${at}`)
    const claimAll = (until: number) => Promise.all(digests.map((digest) => spool.claimProof(digest, until)))
    expect((await claimAll(1000)).every(Boolean)).toBe(true)
    await spool.sweep(1000, 0, 0)
    expect((await claimAll(1000)).some(Boolean)).toBe(false)
    await spool.sweep(1001, 0, 0)
    expect((await claimAll(2000)).every(Boolean)).toBe(true)
    await spool.close()
  })

  test.each(SPOOLS)(
    "F07 %s is not new again when a clock that was ahead has gone back",
    async (name, open) => {
      let spool = await open()
      expect(await spool.claimProof("seen before the step", 10_060)).toBe(true)
      await spool.sweep(13_480, 0, 0)
      await spool.sweep(9880, 0, 0)
      expect(await spool.claimProof("seen before the step", 10_060)).toBe(false)
      if (name === "on disk") {
        await spool.close()
        spool = await open()
      }
      expect(await spool.claimProof("seen before the step", 10_060)).toBe(false)
      expect(await spool.claimProof("behind the floor", 13_480)).toBe(true)
      await spool.close()
    },
  )

  test.each(SPOOLS)(
    "F07 %s a clock that was days ahead leaves no proof refused that is new",
    async (_, open) => {
      const spool = await open()
      expect(await spool.claimProof("before the step", 20_060)).toBe(true)
      await spool.sweep(200_000, 0, 0)
      await spool.sweep(19_900, 0, 0)
      const claims = ["before the step", "as old", "later"].map((digest, at) =>
        spool.claimProof(digest, at < 2 ? 20_060 : 20_061),
      )
      expect(await Promise.all(claims)).toEqual([false, false, true])
      await spool.close()
    },
  )

  test("F07 nothing is forgotten by a clock that the issuer's contradicts", async () => {
    const clock = createFakeClock()
    const issuerTime = createIssuerTime(clock)
    issuerTime.heard(clock.now(), clock.monotonic())
    const swept: number[] = []
    const spool = { sweep: async (proofsBefore: number) => void swept.push(proofsBefore) }
    const revocations = { forget: (before: number) => before }
    clock.step(3_600_000)
    await sweep({ revocations, spool, clock, issuerTime })
    expect(swept).toEqual([])
    clock.step(-3_600_000)
    await sweep({ revocations, spool, clock, issuerTime })
    expect(swept).toEqual([Math.floor(clock.now() / 1000) - 120])
  })
})

test("F16 a nonce is 43 characters of base64url, whatever the time", () => {
  const clock = createFakeClock()
  const nonces = createNonces(clock)
  const seen = new Set<string>()
  for (let minute = 0; minute < 2000; minute += 1) {
    seen.add(nonces.current())
    clock.advance(60_000)
  }
  expect(seen.size).toBe(2000)
  expect([...seen].filter((nonce) => !/^[A-Za-z0-9_-]{43}$/.test(nonce))).toEqual([])
})

describe.each(HOSTS)("F16 at $name", (one) => {
  let api: HostedApi
  let plain: HostedApi
  beforeAll(async () => {
    api = await openHost(one, { dpopNonces: true })
    plain = await openHost(one)
  })
  afterAll(() => Promise.all([api.close(), plain.close()]))

  const bound = (from: HostedApi, nonce?: string) => {
    const token = from.mint({ jkt: key.thumbprint, txn: newId("task") })
    const input = { method: "GET", url: `${API}/tickets/42`, accessToken: token, now: from.seconds() }
    return [`Authorization: DPoP ${token}`, `DPoP: ${signProof({ ...input, nonce }, key)}`]
  }

  test("nothing that a sender calls a nonce comes back", async () => {
    const { header } = await api.send(LINE, ...bound(api))
    const ours = header("dpop-nonce")
    const CANARIES = ["canary\r\nSet-Cookie: a=b", 'canary", x="', "canary\u2028", "canary,canary", "canary"]
    for (const nonce of CANARIES) {
      const answer = await api.send(LINE, ...bound(api, nonce))
      expect([answer.status, answer.header("dpop-nonce")]).toEqual([401, ours])
      expect(answer.text).not.toMatch(/canary|set-cookie/i)
    }
    expect(api.seen.handled).toEqual([])
  })

  test("a nonce is told to who proves a key, and to nobody else", async () => {
    const { header } = await api.send(LINE, ...bound(api))
    for (const headers of [[], [bearer(api.mint())], [bearer("junk")], [bearer(api.mint({}, key))]])
      expect((await api.send(LINE, ...headers)).text).not.toMatch(/dpop-nonce/i)
    expect((await plain.send(LINE, ...bound(plain))).text).not.toMatch(/dpop-nonce/i)
    expect((await plain.send(LINE, ...bound(plain, header("dpop-nonce")))).status).toBe(201)
  })

  test("no answer speaks to browsers: what is exposed to other origins, the host says itself", async () => {
    const origin = "Origin: https://evil.example"
    const preflight = [origin, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: dpop"]
    for (const [line, ...headers] of [
      [LINE, origin],
      [LINE, origin, ...bound(api)],
      [LINE, origin, bearer(api.mint())],
      ["OPTIONS /reports/42", ...preflight],
      ["GET /.well-known/oauth-protected-resource", origin],
    ])
      expect((await api.send(line ?? "", ...headers)).text).not.toMatch(/access-control-|evil/i)
  })
})
