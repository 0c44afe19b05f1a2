// A person signs in to the console through a foreign OpenID provider over real HTTP: what is asked of it, whom it lets in and
// as what, and everything that is not taken.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CALLBACK_PATH } from "../../src/issuer/console/provider.ts"
import { type CodeFlow, createCodeFlow, NotTaken } from "../../src/remote/code-flow.ts"
import { openBrowser } from "../support/console-browser.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"
import { browse, CONSOLE, type OpenIdProvider, startOpenIdProvider } from "../support/openid-provider.ts"

const policyOf = (issuer: string) => `version: 1
identity_providers:
  people: { issuer: "${issuer}", private_addresses: true, audience: ${CONSOLE.clientId}, name_claim: email }
staff:
  team-leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }
  watchers: { roles: [auditor], authenticate: [{ openid: { provider: people, claims: { email: lea@example.com } } }] }
`
let provider: OpenIdProvider
let house: House
beforeAll(async () => {
  provider = await startOpenIdProvider()
  house = await openHouse({
    files: { "people.yaml": policyOf(provider.issuer) },
    startAt: Date.now(),
    console: { scope: "openid staff" },
  })
})
afterAll(async () => {
  provider.close()
  await house.remove()
})

/** The provider's clock is the computer's. */
const keepUp = () => house.clock.advance(Math.max(0, Date.now() - house.clock.now()))
const browser = () => {
  keepUp()
  return openBrowser(house)
}
const entries = async (query: string) =>
  (await house.ask("GET", `/ledger/entries?${query}`, { as: "audit-team" })).body.entries

describe("signing in", () => {
  test("asks for a code with PKCE, state and nonce, at the one provider of the policy's staff", async () => {
    const page = await (await browser().get("/console/sign-in")).text()
    expect(page).toContain("Sign in with people")
    const { origin, searchParams: asked } = await browser().start()
    expect(origin).toBe(provider.issuer)
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: "code",
      client_id: CONSOLE.clientId,
      redirect_uri: "https://taskmint.internal/console/callback",
      scope: "openid staff",
      code_challenge_method: "S256",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      max_age: "27000",
    })
  })

  test("lets somebody in as all that the policy says they are, and names them and it in the ledger", async () => {
    const lea = browser()
    const page = await lea.signIn("lea")
    expect([page.status, page.headers.get("refresh")]).toEqual([200, "0; url=/console"])
    expect(await page.text()).toContain("people/lea@example.com")
    const text = await (await lea.get("/console")).text()
    expect(text).toContain('people/lea@example.com</div><div class="roles">auditor, approver<')
    expect(await entries("kind=client.authenticated&sub=people/lea@example.com")).toMatchObject([
      { body: { client: "team-leads", also: ["watchers"], at: "console", by: "openid", provider: "people" } },
    ])
  })

  test("leads to a place of the menu that was asked for, and to nothing else", async () => {
    const lea = browser()
    const wanted = new URLSearchParams({ to: "/console/approvals" })
    const page = await (await lea.get(`/console/sign-in?${wanted}`)).text()
    expect(page).toContain(`/console/sign-in/start?${wanted}`)
    const landed = await lea.signIn("lea", `?${wanted}`)
    expect(landed.headers.get("refresh")).toBe("0; url=/console/approvals")
  })

  test("is not for somebody whom no rule names, which the ledger tells once", async () => {
    const eve = browser()
    const refused = await eve.signIn("eve")
    expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining("no role here")])
    expect(refused.headers.getSetCookie().join()).not.toContain("__Host-taskmint=")
    expect((await eve.signIn("eve")).status).toBe(401)
    expect(await entries("kind=client.refused")).toMatchObject([
      { sub: "people/eve@example.com", outcome: "refused", body: { at: "console", provider: "people" } },
    ])
  })

  test("asks for showing it anew where that is needed, in place of the session before", async () => {
    const lea = browser()
    await lea.signIn("lea")
    const first = lea.cookies.get("__Host-taskmint")
    expect(await (await lea.get("/console/sign-in?again=yes")).text()).toContain("Show who you are again")
    const page = await lea.start("?again=yes")
    expect(page.searchParams.get("max_age")).toBe("600")
    expect((await lea.back(await browse(page.href, "lea"))).status).toBe(200)
    const second = lea.cookies.get("__Host-taskmint")
    expect(second?.value).not.toBe(first?.value)
    if (first) lea.cookies.set("__Host-taskmint", first)
    expect((await lea.get("/console")).status).toBe(303)
    if (second) lea.cookies.set("__Host-taskmint", second)
    expect((await lea.get("/console")).status).toBe(200)
  })

  test("works for a confidential client, and not with another secret", async () => {
    const secrets = { state: "s".repeat(43), nonce: "n".repeat(43), verifier: "v".repeat(43) }
    const flowWith = (clientSecret: string) =>
      createCodeFlow({
        ...{ issuer: provider.issuer, clientId: CONSOLE.confidential, clientSecret },
        ...{ redirectUri: `${ISSUER}${CALLBACK_PATH}`, scope: "openid", clock: house.clock },
        outward: { privateAddresses: true },
      })
    const answerTo = async (flow: CodeFlow) =>
      flow.finish((await browse(await flow.begin(secrets, 600), "ana")).search.slice(1), secrets)
    expect(await answerTo(flowWith(CONSOLE.secret))).toMatch(/^eyJ/)
    expect(await answerTo(flowWith("another"))).toEqual(new NotTaken("invalid_client"))
  })
})

describe("an answer that is not taken", () => {
  const from = async (change: (asked: URLSearchParams) => void) => {
    const lea = browser()
    const page = await lea.start()
    change(page.searchParams)
    return lea.back(await browse(page.href, "lea"))
  }

  test.each([
    ["with a nonce of another sign-in", (asked: URLSearchParams) => asked.set("nonce", "another")],
    ["for a challenge of another", (asked: URLSearchParams) => asked.set("code_challenge", "A".repeat(43))],
    ["with a state of another", (asked: URLSearchParams) => asked.set("state", "A".repeat(43))],
  ])("%s", async (_what, change) => {
    const refused = await from(change)
    expect([refused.status, refused.headers.get("content-type")]).toEqual([401, "text/html; charset=utf-8"])
    expect(refused.headers.getSetCookie()).toEqual([])
  })

  test("in a browser that did not begin it, a second time, or after ten minutes", async () => {
    const [lea, other] = [browser(), browser()]
    const back = await browse((await lea.start()).href, "lea")
    expect((await other.back(back)).status).toBe(401)
    await other.start()
    expect((await other.back(back)).status).toBe(401)
    const begun = lea.cookies.get("__Host-taskmint-sign-in")
    expect((await lea.back(back)).status).toBe(200)
    if (begun) lea.cookies.set("__Host-taskmint-sign-in", begun)
    expect((await lea.back(back)).status).toBe(401)
    const late = browser()
    const answer = await browse((await late.start()).href, "lea")
    house.clock.advance(600_000)
    expect((await late.back(answer)).status).toBe(401)
  })

  test("with a second state beside the right one: it is of nobody, and spends nothing", async () => {
    const lea = browser()
    const back = await browse((await lea.start()).href, "lea")
    const twice = new URL(back)
    twice.searchParams.append("state", "A".repeat(43))
    expect((await lea.back(twice)).status).toBe(401)
    expect((await lea.back(back)).status).toBe(200)
  })

  test("that is the provider's no", async () => {
    const lea = browser()
    const { searchParams } = await lea.start()
    const denied = new URLSearchParams({ error: "access_denied", iss: provider.issuer })
    denied.set("state", searchParams.get("state") ?? "")
    const refused = await lea.back(new URL(`https://taskmint.internal/console/callback?${denied}`))
    expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining("access_denied")])
  })
})

test("the page signs out of all browsers where that is asked for, and of nothing where something else is", async () => {
  const [here, there] = [browser(), browser()]
  for (const one of [here, there]) await one.signIn("lea")
  const isIn = async (one: typeof here) => (await one.get("/console")).status === 200
  expect((await here.post("/console/sign-out", { everywhere: "no" })).status).toBe(400)
  expect([await isIn(here), await isIn(there)]).toEqual([true, true])
  expect(await (await here.get("/console")).text()).toContain('name="everywhere" value="yes"')
  expect((await here.post("/console/sign-out", { everywhere: "yes" })).status).toBe(303)
  expect([await isIn(here), await isIn(there)]).toEqual([false, false])
})
