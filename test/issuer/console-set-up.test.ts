// What the console says while nobody can sign in to it, and the links that sign in without a provider: in development alone.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createLinks } from "../../src/issuer/console/links.ts"
import { type ConsoleOptions, createSignInProviders } from "../../src/issuer/console/provider.ts"
import { openBrowser } from "../support/console-browser.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"
import { policyOf } from "../support/policies.ts"

const POLICY = `version: 1
identity_providers:
  people: { issuer: https://login.example.com, audience: taskmint }
  workers: { issuer: https://ci.example.com }
staff:
  team-leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }
`
const OPTIONS = { issuer: ISSUER, clock: createFakeClock(), plainHttp: false }

async function currentOf(texts: string | Record<string, string>, given: ConsoleOptions) {
  const policy = await policyOf(typeof texts === "string" ? { "a.yaml": texts } : texts)
  return createSignInProviders({ ...OPTIONS, policy: () => policy, console: given }).current()
}

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

  test.each<[string, string | undefined, unknown]>([
    ["the only one that staff is signed in at", undefined, expect.objectContaining({ clientId: "taskmint" })],
    ["one that is not there", "nobody", "unknown"],
    ["one whose tokens are for nobody", "workers", "no_audience"],
  ])("finds the provider that is meant: %s", async (_what, provider, found) => {
    expect(await currentOf(POLICY, { ...(provider !== undefined && { provider }) })).toEqual(found)
  })

  test("asks which, where staff is signed in at two; and takes another client id than the policy's", async () => {
    const two = POLICY.replace("[approver]", "[auditor]")
      .replaceAll("people", "others")
      .replace("login.", "others.")
      .replace(/^.*workers:.*\n/m, "")
    const both = { "a.yaml": POLICY, "b.yaml": two.replace("team-leads", "more-leads") }
    expect(await currentOf(both, {})).toBe("several")
    const named = await currentOf(both, { provider: "others", clientId: "console" })
    expect(named).toMatchObject({ clientId: "console", provider: { name: "others", audience: "taskmint" } })
    const one = {
      ...both,
      "b.yaml": both["b.yaml"].replace("audience: taskmint", "audience: taskmint, enabled: false"),
    }
    expect(await currentOf(one, {})).toMatchObject({ provider: { name: "people" } })
    expect(await currentOf(one, { provider: "others" })).toBe("unknown")
    const off = POLICY.replace("audience: taskmint", "audience: taskmint, enabled: false")
    expect(await currentOf(off, {})).toBe("none")
    expect(await currentOf(POLICY.replace("{ roles", "{ enabled: false, roles"), {})).toBe("none")
  })

  test("signs people in where the policy in force says, and goes on as it was while that says the same", async () => {
    const [first, second] = [
      await policyOf({ "a.yaml": POLICY }),
      await policyOf({ "a.yaml": `${POLICY}# 2\n` }),
    ]
    const moved = await policyOf({ "a.yaml": POLICY.replace("login.", "people.") })
    let policy = first
    const providers = createSignInProviders({ ...OPTIONS, policy: () => policy, console: {} })
    const flowNow = () => {
      const found = providers.current()
      return typeof found === "string" ? found : found.flow
    }
    const begun = flowNow()
    policy = second
    expect(flowNow()).toBe(begun)
    policy = moved
    expect(flowNow()).not.toBe(begun)
  })

  test("does not start with scopes that lack openid", () => {
    const options = { ...OPTIONS, policy: neverAsked }
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
    expect(await (await browser.get("/console")).text()).toContain(
      '<div>audit-team</div><div class="roles">auditor<',
    )
    expect((await openBrowser(house).get(path, "none")).status).toBe(401)
  })

  test("is forgotten where 64 were made since", () => {
    const links = createLinks({ issuer: "http://127.0.0.1:8787", dev: true, clock: createFakeClock() })
    const made = Array.from({ length: 65 }, () => links?.make("audit-team").split("/").at(-1) ?? "")
    const [first = "", ...others] = made
    expect(links?.take(first)).toBeUndefined()
    expect(others.every((text) => links?.take(text) === "audit-team")).toBe(true)
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
