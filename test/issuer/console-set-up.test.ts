// What the console says while nobody can sign in to it, and the links that sign in without a provider: in development alone.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createLinks } from "../../src/issuer/console/links.ts"
import { createSignInProviders } from "../../src/issuer/console/provider.ts"
import { openBrowser } from "../support/console-browser.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { foreignSigner, startForeignIssuer } from "../support/foreign-issuer.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"

const policyOf = (one: string, two: string) => `version: 1
identity_providers:
  people: { issuer: "${one}", private_addresses: true, audience: taskmint }
  workers: { issuer: "${two}", private_addresses: true }
staff:
  team-leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }
`

describe("a console that nobody can sign in to", () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse()
  })
  afterAll(() => house.remove())

  test("says why, and how that is set up", async () => {
    const answer = await openBrowser(house).get("/console/sign-in")
    const text = await answer.text()
    expect([answer.status, answer.headers.get("content-type")]).toEqual([503, "text/html; charset=utf-8"])
    expect(text).toContain("no entry of staff has an openid rule")
    expect(text).toContain(`${ISSUER}/console/callback`)
    expect(text).not.toMatch(/In development|\bat .*:\d+|Error/)
    expect((await openBrowser(house).get("/console/sign-in/start")).headers.get("location")).toBe(
      "/console/sign-in",
    )
    expect((await openBrowser(house).get("/console/callback?code=x")).status).toBe(401)
  })

  test("says so of a provider that is not there, is away, or has no audience", async () => {
    const [one, two] = [await startForeignIssuer(), await startForeignIssuer()]
    for (const provider of [one, two]) provider.publish(foreignSigner("theirs", "ES256"))
    const other = await openHouse({ files: { "people.yaml": policyOf(one.issuer, two.issuer) } })
    const shown = async (provider: string) => {
      await other.restart({ console: { provider } })
      return (await openBrowser(other).get("/console/sign-in")).text()
    }
    expect(await shown("nobody")).toContain("a provider that the policy does not have")
    expect(await shown("workers")).toContain("no audience in the policy")
    expect(await shown("people")).toContain("Sign in with people")
    await one.close()
    const away = await openBrowser(other).get("/console/sign-in/start")
    expect([away.status, await away.text()]).toEqual([
      503,
      expect.stringContaining("temporarily_unavailable"),
    ])
    expect(away.headers.getSetCookie()).toEqual([])
    await two.close()
    await other.remove()
  })

  test("does not start with scopes that lack openid", () => {
    const options = { issuer: ISSUER, clock: createFakeClock(), plainHttp: false, policy: () => neverAsked() }
    expect(() => createSignInProviders({ ...options, console: { scope: "email" } })).toThrow(
      "must include openid",
    )
  })

  test("has no links that sign in", async () => {
    expect(house.issuer.consoleLinks()).toBeUndefined()
    expect((await openBrowser(house).get("/console/link/x")).status).toBe(404)
    expect((await openBrowser(house).post("/console/links")).status).toBe(404)
  })
})

describe("a link that signs in", () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse({ dev: true, issuer: "http://127.0.0.1:8787" })
  })
  afterAll(() => house.remove())

  const linkOf = (entry: string) => new URL(house.issuer.consoleLinks()?.[entry] ?? "").pathname

  test("is for an entry of staff, once", async () => {
    const browser = openBrowser(house)
    const path = linkOf("audit-team")
    expect((await house.issuer.fetch(new Request(`${ISSUER}${path}`, { method: "HEAD" }))).status).toBe(405)
    const landed = await browser.get(path, "none")
    expect([landed.status, landed.headers.get("refresh")]).toEqual([200, "0; url=/console"])
    expect(await (await browser.get("/console")).text()).toContain("<div>audit-team</div><div>auditor<")
    expect((await openBrowser(house).get(path, "none")).status).toBe(401)
  })

  test("is there for 60 seconds, and no other text opens anything", async () => {
    const [late, good] = [linkOf("audit-team"), openBrowser(house)]
    house.clock.advance(60_000)
    expect((await openBrowser(house).get(late, "none")).status).toBe(401)
    const path = linkOf("audit-team")
    for (const other of [`${path}A`, path.slice(0, -1), "/console/link/x"])
      expect((await openBrowser(house).get(other, "none")).status).toBe(401)
    house.clock.advance(59_000)
    expect((await good.get(path, "none")).status).toBe(200)
  })

  test.each([
    ["https://taskmint.internal", true],
    ["http://127.0.0.1.evil.example", true],
    ["http://localhost.evil.example", true],
    ["http://127.0.0.1:8787", false],
  ])("is not to be had at %s, made for development: %s", (issuer, dev) => {
    expect(createLinks({ issuer, dev, clock: createFakeClock() })).toBeUndefined()
  })
})

function neverAsked(): never {
  throw new Error("nothing is asked of the policy before somebody signs in")
}
