// Catalogue, section E: who is refused costs the issuer the same work whoever they said they are, so that no clock tells which
// callers there are. Counted, not timed: what is counted is what takes the time, and a loaded machine can't make it fail.
import crypto, { randomUUID } from "node:crypto"
import { syncBuiltinESMExports } from "node:module"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { foreignJwt, foreignSigner } from "../support/foreign-issuer.ts"
import { compact, eddsa, stranger } from "../support/forge.ts"
import { expectRefused, NAME, openDesk } from "../support/token-desk.ts"
import { openWorkloads, type Workloads } from "../support/workloads.ts"

let all: Workloads
let desk: ReturnType<typeof openDesk>
const verified: string[] = []
const verifyOfNode = crypto.verify
beforeAll(async () => {
  all = await openWorkloads()
  desk = openDesk(all.house)
  // The first assertion by an algorithm makes a key for those who have none, whoever sent it.
  for (const [alg, key] of [
    ["ES256", stranger],
    ["EdDSA", eddsa],
  ] as const)
    await desk.present(desk.assert({}, { alg }, key))
  // The answer is node's own; only the algorithm and the kind of key of each check are noted.
  crypto.verify = Object.assign((...given: Parameters<typeof verifyOfNode>) => {
    const [algorithm, , key] = given
    const kind = typeof key === "object" && "asymmetricKeyType" in key ? key.asymmetricKeyType : "other"
    verified.push(`${algorithm} ${kind}`)
    return verifyOfNode(...given)
  }, verifyOfNode)
  syncBuiltinESMExports()
})
afterAll(async () => {
  crypto.verify = verifyOfNode
  syncBuiltinESMExports()
  await all.close()
})

async function workOf(ask: () => Promise<Response>): Promise<readonly string[]> {
  verified.length = 0
  await expectRefused(ask())
  return [...verified]
}

const ES256 = "sha256 ec"
const EDDSA = "null ed25519"

describe("E10, K11 an assertion by a key", () => {
  const of = (name: string) => ({ iss: name, sub: name })
  test.each<[string, object, object, typeof stranger, readonly string[]]>([
    ["a caller with another key under its kid", {}, {}, stranger, [ES256]],
    ["a caller with a kid that it does not have", {}, { kid: "no-such" }, stranger, [ES256]],
    ["nobody", of("nobody"), {}, stranger, [ES256]],
    ["an agent, which has no keys", of("triage-bot"), {}, stranger, [ES256]],
    ["a workload, which has none either", of("pipeline"), {}, stranger, [ES256]],
    ["a caller, without a kid", {}, { kid: undefined }, stranger, [ES256, ES256]],
    ["nobody, without a kid", of("nobody"), { kid: undefined }, stranger, [ES256, ES256]],
    ["a caller, by EdDSA", {}, { alg: "EdDSA" }, eddsa, [EDDSA]],
    ["nobody, by EdDSA", of("nobody"), { alg: "EdDSA" }, eddsa, [EDDSA]],
  ])("E10 of %s", async (_what, claims, head, key, work) => {
    expect(await workOf(() => desk.present(desk.assert(claims, head, key)))).toEqual(work)
  })

  test("E10 the checks are made and not only counted: the caller's own key is taken by one of them", async () => {
    verified.length = 0
    expect((await desk.present(desk.assert())).status).toBe(200)
    expect(verified).toEqual([ES256])
  })
})

describe("E10 a workload's JWT", () => {
  const CALLERS = [
    ["a caller with a rule about the provider", "robot"],
    ["a caller with rules about others", "pipeline"],
    ["a caller with a key alone", NAME],
    ["nobody", "nobody"],
  ] as const
  const forged = () => all.discovered({}, foreignSigner("k1", "ES256"))
  const bare = (assertion: string, name: string) => () => all.present(assertion, name, {}, null)

  test.each(CALLERS)("E10 forged, for %s", async (_what, name) => {
    expect(await workOf(bare(forged(), name))).toEqual([ES256])
  })

  test.each(CALLERS.slice(1))("E10 genuine, for %s", async (_what, name) => {
    expect(await workOf(bare(all.discovered({ sub: "somebody" }), name))).toEqual([ES256])
  })

  test.each(CALLERS)("E10 of an issuer that the policy does not know, for %s", async (_what, name) => {
    const now = toEpochSeconds(all.house.clock.now())
    const claims = { iss: "https://evil.example", sub: "x", jti: randomUUID(), iat: now, exp: now + 60 }
    const assertion = foreignJwt(foreignSigner("k1", "ES256"), claims)
    expect(await workOf(bare(assertion, name))).toEqual([])
  })

  test("E10 while the provider is away each of them is told the same", async () => {
    const away = await openWorkloads()
    try {
      away.foreign.cut(true)
      await away.house.restart()
      for (const [what, name] of CALLERS)
        expect(await away.verdict(away.discovered(), name), what).toBe("503 temporarily_unavailable")
    } finally {
      await away.close()
    }
  })
})

test("E10 a text that is no JWT of any kind is not checked, whoever it is from", async () => {
  for (const name of [NAME, "nobody"]) {
    const assertion = compact(desk.header({ alg: "HS256" }), desk.claims({ iss: name, sub: name }), stranger)
    expect(await workOf(() => desk.present(assertion, { client_id: name }))).toEqual([])
  }
})
