// Catalogue, section E: who a caller is and by which key, over the issuer's real HTTP surface.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { eddsa, stranger } from "../support/forge.ts"
import { ASSERTION_TYPE, type House, openHouse } from "../support/issuer-house.ts"
import { expectRefused, NAME, openDesk, told } from "../support/token-desk.ts"

let house: House
let desk: ReturnType<typeof openDesk>
beforeAll(async () => {
  house = await openHouse()
  desk = openDesk(house)
})
afterAll(() => house.remove())

describe("E05 one caller, named once", () => {
  test.each([
    ["iss is not sub", { iss: "release-orchestrator" }, {}],
    ["sub is not iss", { sub: "release-orchestrator" }, {}],
    ["sub missing", { sub: undefined }, {}],
    ["sub an array", { sub: [NAME], iss: [NAME] }, {}],
    ["client_id of another", {}, { client_id: "release-orchestrator" }],
    ["nobody known", { iss: "nobody", sub: "nobody" }, {}],
    ["an agent, which has no keys", { iss: "triage-bot", sub: "triage-bot" }, {}],
  ])("E05 %s", async (_what, changes, more) => {
    await expectRefused(desk.present(desk.assert(changes), more))
  })

  test("E05 a client_id that stands twice", async () => {
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: desk.assert(),
      client_id: NAME,
    })
    const { status, body } = await told(house.form(`${form}&client_id=${NAME}`))
    expect([status, body.error]).toEqual([400, "invalid_request"])
  })

  test("E05 a client_id that is right, or absent, is taken", async () => {
    expect((await desk.present(desk.assert(), { client_id: NAME })).status).toBe(200)
    expect((await desk.present(desk.assert())).status).toBe(200)
  })
})

describe("E06 only the caller's own keys, in their own algorithm", () => {
  test.each([
    ["none", "none"],
    ["HS256", "HS256"],
    ["RS256", "RS256"],
    ["ES384", "ES384"],
    ["EdDSA with an ES256 key", "EdDSA"],
    ["missing", undefined],
  ])("E06 alg %s", async (_what, alg) => {
    await expectRefused(desk.present(desk.assert({}, { alg })))
  })

  test("E06 a key that is not the caller's, under its own kid and under the caller's", async () => {
    await expectRefused(desk.present(desk.assert({}, { kid: stranger.kid }, stranger)))
    await expectRefused(desk.present(desk.assert({}, {}, stranger)))
    await expectRefused(desk.present(desk.assert({}, { alg: "EdDSA", kid: eddsa.kid }, eddsa)))
    await expectRefused(desk.present(desk.assert({}, { kid: house.keys.tickets.kid }, house.keys.tickets)))
  })

  test("E06 an embedded key is not looked at", async () => {
    await expectRefused(desk.present(desk.assert({}, { jwk: stranger.publicJwk }, stranger)))
  })

  test("E06 without a kid the caller's keys are tried", async () => {
    expect((await desk.present(desk.assert({}, { kid: undefined }))).status).toBe(200)
  })
})

describe("E07 other kinds of JWT are no assertions", () => {
  test.each([
    "at+jwt",
    "dpop+jwt",
    "use-batch+jwt",
    "jwt",
    "CLIENT-AUTHENTICATION+JWT",
    "application/client-authentication+jwt",
    "",
  ])("E07 typ %j", async (typ) => {
    await expectRefused(desk.present(desk.assert({}, { typ })))
  })

  test.each([["client-authentication+jwt"], ["JWT"], [undefined]])("E07 typ %j is taken", async (typ) => {
    expect((await desk.present(desk.assert({}, { typ }))).status).toBe(200)
  })

  test("E07 a service token of the caller is no assertion", async () => {
    await expectRefused(desk.present(await house.serviceToken(NAME)))
  })
})

describe("E09 no shared secret anywhere", () => {
  const basic = { authorization: `Basic ${Buffer.from("support-orchestrator:x").toString("base64")}` }
  test.each([
    ["Basic alone", {}, basic, "invalid_client"],
    ["a secret in the form", { client_secret: "x", client_id: NAME }, {}, "invalid_client"],
    ["nothing", { client_id: NAME }, {}, "invalid_client"],
    ["a spoofed certificate header", { client_id: NAME }, { "x-client-cert": "spoofed" }, "invalid_client"],
  ])("E09 %s", async (_what, form, headers, error) => {
    const { status, body } = await told(house.form({ grant_type: "client_credentials", ...form }, headers))
    expect([status, body.error]).toEqual([401, error])
  })

  test.each([
    ["Basic", {}, basic],
    ["a secret", { client_secret: "x" }, {}],
  ])("E09 an assertion together with %s", async (_what, more, headers) => {
    const { status, body } = await told(desk.present(desk.assert(), more, headers))
    expect([status, body.error]).toEqual([400, "invalid_request"])
  })
})
