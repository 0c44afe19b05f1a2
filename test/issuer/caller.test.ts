import { randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"
import { openDesk, told } from "../support/token-desk.ts"

let house: House
let desk: ReturnType<typeof openDesk>
const key = importSigningKey(generatePrivateJwk("ES256"))
const other = importSigningKey(generatePrivateJwk("EdDSA"))
beforeAll(async () => {
  house = await openHouse()
  desk = openDesk(house)
})
afterAll(() => house.remove())

const now = () => toEpochSeconds(house.clock.now())
const proof = (changes: Partial<Parameters<typeof signProof>[0]> = {}, by: SigningKey = key) =>
  signProof({ method: "GET", url: `${ISSUER}/catalogue`, now: now(), ...changes }, by)
const catalogue = (authorization: string, dpop?: string) =>
  house.call("GET", "/catalogue", { headers: { authorization, ...(dpop !== undefined && { dpop }) } })

describe("an API's service token is bound to a key", () => {
  const assertApi = () =>
    desk.assert({ iss: "tickets", sub: "tickets" }, { kid: house.keys.tickets.kid }, house.keys.tickets)

  test("without a proof there is none", async () => {
    const { status, body } = await told(desk.present(assertApi()))
    expect([status, body.error]).toEqual([400, "invalid_dpop_proof"])
  })

  test.each([
    ["of another method", () => proof({ method: "GET", url: `${ISSUER}/token` })],
    ["of another place", () => proof({ method: "POST", url: `${ISSUER}/tasks` })],
    ["that is old", () => proof({ method: "POST", url: `${ISSUER}/token`, now: now() - 61 })],
    ["from ahead", () => proof({ method: "POST", url: `${ISSUER}/token`, now: now() + 11 })],
    ["that is none", () => "x.y.z"],
  ])("a proof %s is refused, and its assertion not spent", async (_what, dpop) => {
    const one = assertApi()
    const { status, body } = await told(desk.present(one, {}, { dpop: dpop() }))
    expect([status, body.error]).toEqual([400, "invalid_dpop_proof"])
    const good = proof({ method: "POST", url: `${ISSUER}/token` })
    expect(await told(desk.present(one, {}, { dpop: good }))).toMatchObject({
      status: 200,
      body: { token_type: "DPoP", scope: "api" },
    })
  })

  test("two proofs are none; one proof makes one token", async () => {
    const good = proof({ method: "POST", url: `${ISSUER}/token` })
    const twice = await told(desk.present(assertApi(), {}, { dpop: `${good}, ${good}` }))
    expect([twice.status, twice.body.error]).toEqual([400, "invalid_request"])
    expect((await told(desk.present(assertApi(), {}, { dpop: good }))).status).toBe(200)
    const again = await told(desk.present(assertApi(), {}, { dpop: good }))
    expect([again.status, again.body.error]).toEqual([400, "invalid_dpop_proof"])
  })

  test("it opens the door with a fresh proof for each request, and with nothing less", async () => {
    const token = await house.serviceToken("tickets", key)
    const good = proof({ accessToken: token })
    expect((await catalogue(`DPoP ${token}`, good)).status).toBe(200)
    const cases: [string, string, string | undefined][] = [
      ["the same proof again", `DPoP ${token}`, good],
      ["no proof", `DPoP ${token}`, undefined],
      ["as Bearer", `Bearer ${token}`, proof({ accessToken: token })],
      ["by another key", `DPoP ${token}`, proof({ accessToken: token }, other)],
      ["without the token's hash", `DPoP ${token}`, proof()],
      ["of another token", `DPoP ${token}`, proof({ accessToken: `${token}x` })],
      ["for another path", `DPoP ${token}`, proof({ accessToken: token, url: `${ISSUER}/revocations` })],
      [
        "for another host",
        `DPoP ${token}`,
        proof({ accessToken: token, url: "https://evil.example/catalogue" }),
      ],
      ["for another method", `DPoP ${token}`, proof({ accessToken: token, method: "POST" })],
      ["too old", `DPoP ${token}`, proof({ accessToken: token, now: now() - 61 })],
    ]
    for (const [what, authorization, dpop] of cases)
      expect((await catalogue(authorization, dpop)).status, what).toBe(401)
  })

  test("of a proof sent twenty times at once, one counts; a restart forgets nothing", async () => {
    const token = await house.serviceToken("tickets", key)
    const good = proof({ accessToken: token })
    const answers = await Promise.all(Array.from({ length: 20 }, () => catalogue(`DPoP ${token}`, good)))
    expect(answers.filter((answer) => answer.status === 200).length).toBe(1)
    await house.restart()
    expect((await catalogue(`DPoP ${token}`, good)).status).toBe(401)
    expect((await catalogue(`DPoP ${token}`, proof({ accessToken: token }))).status).toBe(200)
  })

  test("several proofs are a malformed request", async () => {
    const token = await house.serviceToken("tickets", key)
    const both = `${proof({ accessToken: token })}, ${proof({ accessToken: token })}`
    expect((await catalogue(`DPoP ${token}`, both)).status).toBe(400)
  })
})

describe("a service token", () => {
  const tasks = (authorization: string) => house.call("GET", "/tasks", { headers: { authorization } })

  test("is taken for five minutes, however often it was seen before", async () => {
    const token = await house.serviceToken("support-orchestrator")
    expect((await tasks(`Bearer ${token}`)).status).toBe(200)
    house.clock.advance(304_000)
    expect((await tasks(`bearer ${token}`)).status).toBe(200)
    house.clock.advance(2_000)
    expect((await tasks(`Bearer ${token}`)).status).toBe(401)
  })

  test("unbound it is no DPoP token, and two credentials are ambiguous", async () => {
    const token = await house.serviceToken("support-orchestrator")
    expect((await tasks(`DPoP ${token}`)).status).toBe(401)
    expect((await tasks(`Bearer ${token}, Bearer ${token}`)).status).toBe(400)
  })

  test("carries what was asked for and no more", async () => {
    const asked = (scope: string) => told(desk.present(desk.assert(), { scope }))
    expect((await asked("orchestrator")).body.scope).toBe("orchestrator")
    for (const scope of ["operator", "orchestrator operator", "", "ORCHESTRATOR"])
      expect((await asked(scope)).body.error, scope).toBe("invalid_scope")
    const elsewhere = await told(
      desk.present(desk.assert(), { resource: "https://tickets.internal.example" }),
    )
    expect(elsewhere.body.error).toBe("invalid_target")
    expect((await told(desk.present(desk.assert(), { resource: ISSUER }))).status).toBe(200)
  })

  test("for a part of its caller's roles opens what that part may, and nothing else", async () => {
    const place = `${house.policyFolder}/staff.yaml`
    writeFileSync(
      place,
      readFileSync(place, "utf8").replace("roles: [operator]", "roles: [operator, auditor]"),
    )
    const as = "operations-team"
    expect((await house.ask("POST", "/policy/reload", { as })).body.result).toBe("loaded")
    const one = desk.assert({ iss: as, sub: as }, { kid: house.keys[as].kid }, house.keys[as])
    const { body } = await told(desk.present(one, { scope: "auditor" }))
    const token = String(body.access_token)
    expect((await house.call("GET", "/ledger/entries", { token })).status).toBe(200)
    expect((await house.call("GET", "/locks", { token })).status).toBe(403)
  })

  test("is kept by nobody on the way", async () => {
    const answer = await desk.present(desk.assert())
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"])
  })

  test("other grants are not offered", async () => {
    const form = { grant_type: "authorization_code", client_assertion: desk.assert() }
    expect((await told(house.form(form))).body.error).toBe("unsupported_grant_type")
  })

  test("a task token opens nothing here, and a service token opens no API", async () => {
    const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    const [minted] = body.tokens as { access_token: string }[]
    expect((await tasks(`Bearer ${minted?.access_token}`)).status).toBe(401)
  })

  test("of an ID that nobody gave out is refused", async () => {
    const answer = await house.call("GET", `/tasks/task_${randomUUID()}`, { as: "support-orchestrator" })
    expect(answer.status).toBe(404)
  })
})
