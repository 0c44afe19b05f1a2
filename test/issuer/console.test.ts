// The console's frame: who gets in, what a browser is told of each answer, and that refusals are pages there.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CONSOLE_POLICY, PLACES } from "../../src/console/page.ts"
import { STYLE_PATH } from "../../src/console/style.ts"
import { isOwnForm } from "../../src/issuer/console/route.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

describe("the console", () => {
  test("leads whoever is not signed in to signing in", async () => {
    const answer = await house.call("GET", "/console")
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/console/sign-in"])
  })

  test("opens for staff, with a policy that lets nothing run and nothing in from elsewhere", async () => {
    const answer = await house.call("GET", "/console", { as: "audit-team" })
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8")
    expect(answer.headers.get("content-security-policy")).toBe(CONSOLE_POLICY)
    expect(answer.headers.get("cache-control")).toBe("no-store")
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
    expect(answer.headers.get("referrer-policy")).toBe("same-origin")
    expect(text).not.toMatch(/<script|style=|https?:\/\//)
    expect(text).toContain(">audit-team<")
  })

  test("offers each role what it may see", async () => {
    const text = await (await house.call("GET", "/console", { as: "audit-team" })).text()
    const offered = [...(text.split("</nav>")[0] ?? "").matchAll(/<li><a href="([^"]+)"/g)].map(
      ([, href]) => href,
    )
    expect(offered).toEqual(
      PLACES.filter(({ roles }) => roles.some((one) => one === "auditor")).map(({ path }) => path),
    )
  })

  test.each([
    ["an API", "tickets"],
    ["an orchestrator", "support-orchestrator"],
  ] as const)("is not for %s, and says so on a page", async (_, as) => {
    const answer = await house.call("GET", "/console", { as })
    expect([answer.status, answer.headers.get("content-type")]).toEqual([403, "text/html; charset=utf-8"])
    expect(await answer.text()).toContain("role_missing")
  })

  test.each([
    "/console/nothing",
    "/console/..%2f..%2fetc%2fpasswd",
    "//console",
    "/console%2Ftasks",
    "/console/style-x.css",
  ])("has nothing at %s", async (path) => {
    expect((await house.call("GET", path, { as: "audit-team" })).status).toBe(404)
  })

  test("takes no question that it does not know, and repeats none", async () => {
    const answer = await house.call("GET", "/console?x=<b>", { as: "audit-team" })
    expect(answer.status).toBe(400)
    expect(await answer.text()).not.toContain("<b>")
  })

  test("serves its sheet for good, at an address that goes with its bytes", async () => {
    const answer = await house.call("GET", STYLE_PATH)
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/css; charset=utf-8"])
    expect(answer.headers.get("cache-control")).toContain("immutable")
    expect(await (await house.call("GET", "/console", { as: "audit-team" })).text()).toContain(STYLE_PATH)
  })

  test.each([
    ["our own page", { origin: ISSUER }, true],
    ["our own page, by what the browser says", { "sec-fetch-site": "same-origin" }, true],
    ["another site", { origin: "https://evil.example" }, false],
    ["a sub-domain", { origin: "https://x.taskmint.internal", "sec-fetch-site": "same-site" }, false],
    ["a page without origin", { origin: "null", "sec-fetch-site": "same-origin" }, false],
    ["nobody who says so", {}, false],
    ["a session that brings a token", { cookie: "a=b", authorization: "Bearer x" }, false],
    ["a program with its own token", { authorization: "Bearer x" }, true],
  ])("a form of %s", (_, headers, taken) => {
    expect(isOwnForm(ISSUER, new Headers(headers))).toBe(taken)
  })
})
