// Catalogue K08 to K11: signing in to the console and out of it, attacked from other sites, with cookies that were planted, by
// guessing, and by asking for the way to somewhere else. The provider is a script, so that hundreds of answers cost nothing.
import type { ServerResponse } from "node:http"
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { PLACES } from "../../src/console/page.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { type ConsoleBrowser, openBrowser } from "../support/console-browser.ts"
import type { ForeignIssuer } from "../support/foreign-issuer.ts"
import { type House, ISSUER } from "../support/issuer-house.ts"
import { openScriptedSignIn, type ScriptedSignIn } from "../support/scripted-sign-in.ts"

/** Another lea for each test: one person signs in so many times a minute, and no more. */
let LEA = { sub: "lea", groups: ["leads"] }
let leas = 0

let scripted: ScriptedSignIn
let provider: ForeignIssuer
let house: House
beforeAll(async () => {
  scripted = await openScriptedSignIn()
  provider = scripted.provider
  house = scripted.house
})
afterAll(() => scripted.remove())
beforeEach(() => {
  scripted.keepUp()
  provider.asked.length = 0
  leas += 1
  LEA = { ...LEA, sub: `lea-${leas}` }
})

const answerOf = (page: URL, person: object) => scripted.answerOf(page, person)
const signIn = (browser: ConsoleBrowser, person: object = LEA, query = "") =>
  scripted.signIn(browser, person, query)
async function signedIn(): Promise<ConsoleBrowser> {
  const browser = openBrowser(house)
  expect((await signIn(browser)).status).toBe(200)
  return browser
}
const isIn = async (browser: ConsoleBrowser) => (await browser.get("/console")).status === 200

describe("K08 another site", () => {
  test.each<[string, Record<string, string>]>([
    ["by a form", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
    ["without saying who it is", { "sec-fetch-site": "cross-site" }],
    ["from a frame without an origin", { origin: "null", "sec-fetch-site": "same-origin" }],
    ["from a subdomain", { origin: "https://evil.taskmint.internal", "sec-fetch-site": "same-site" }],
    ["without TLS", { origin: "http://taskmint.internal" }],
    ["from another port", { origin: `${ISSUER}:8443` }],
    ["with an origin that begins like ours", { origin: `${ISSUER}.evil.example` }],
    ["by text like JSON", { origin: "https://evil.example", "content-type": "text/plain" }],
    ["and says nothing at all", { "sec-fetch-site": "" }],
  ])("signs nobody out: %s", async (_what, headers) => {
    const lea = await signedIn()
    expect((await lea.post("/console/sign-out", { everywhere: "yes" }, headers)).status).toBe(403)
    expect(await isIn(lea)).toBe(true)
  })

  test("signs nobody out by a link, and our own form does", async () => {
    const lea = await signedIn()
    expect((await lea.get("/console/sign-out", "cross-site")).status).toBe(405)
    expect(await isIn(lea)).toBe(true)
    const { value } = lea.cookies.get("__Host-taskmint") ?? { value: "" }
    expect((await lea.post("/console/sign-out")).headers.get("location")).toBe("/console/sign-in")
    expect(lea.cookies.has("__Host-taskmint")).toBe(false)
    lea.cookies.set("__Host-taskmint", { value, strict: true })
    expect(await isIn(lea)).toBe(false)
  })

  test("signs nobody in as somebody else: its own answer meets no sign-in of theirs, and uses none up", async () => {
    const [mallory, lea] = [openBrowser(house), openBrowser(house)]
    const forced = answerOf(await mallory.start(), { sub: "mallory", groups: ["leads"] })
    expect((await lea.get(forced, "cross-site")).status).toBe(401)
    const page = await lea.start()
    expect((await lea.get(forced, "cross-site")).status).toBe(401)
    expect(lea.cookies.has("__Host-taskmint")).toBe(false)
    expect(provider.asked).not.toContain("/token")
    expect((await lea.get(answerOf(page, LEA), "cross-site")).status).toBe(200)
  })

  test("leads to no page of somebody's session, and they go on from ours by themselves", async () => {
    const lea = await signedIn()
    const led = await lea.get("/console/tasks", "cross-site")
    expect(led.headers.get("location")).toBe("/console/sign-in?to=%2Fconsole%2Ftasks")
    const page = await (await lea.get("/console/sign-in?to=%2Fconsole%2Ftasks", "cross-site")).text()
    expect(page).toContain('<a href="/console/tasks">go on</a>')
    expect((await lea.get("/console/tasks")).status).toBe(200)
    expect(await (await lea.get("/console/sign-in")).text()).not.toContain("go on</a>")
  })

  test("starts no sign-in: it gets as far as our page", async () => {
    for (const from of ["cross-site"] as const) {
      const answer = await openBrowser(house).get("/console/sign-in/start", from)
      expect([answer.headers.get("location"), answer.headers.getSetCookie()]).toEqual([
        "/console/sign-in",
        [],
      ])
    }
  })
})

describe("K09 a page of signing in", () => {
  test("is in nobody's frame, kept by nobody, and tells other sites nothing", async () => {
    const [lea, eve] = [openBrowser(house), openBrowser(house)]
    const answers = [
      await lea.get("/console/sign-in"),
      await lea.get("/console/callback?code=x&state=y"),
      await signIn(lea),
      await signIn(eve, { sub: "eve" }),
    ]
    for (const { headers } of answers) {
      expect(headers.get("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/)
      expect(headers.get("referrer-policy")).toMatch(/^(no-referrer|same-origin)$/)
      expect([headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual([
        "no-store",
        "nosniff",
      ])
    }
    expect((await lea.get("/console/sign-in/start")).headers.get("cache-control")).toBe("no-store")
  })

  test.each([
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/console/../../evil",
    "javascript:alert(1)",
    "/console\r\nset-cookie: x=1",
    '/console"><script>',
    "",
  ])("leads to no address that was sent: %j", async (to) => {
    const query = `?${new URLSearchParams({ to })}`
    const lea = openBrowser(house)
    expect(await (await lea.get(`/console/sign-in${query}`)).text()).toContain('?to=%2Fconsole"')
    const landed = await signIn(lea, LEA, query)
    expect([landed.status, landed.headers.get("refresh")]).toEqual([200, "0; url=/console"])
    expect(await landed.text()).toContain(`href="${PLACES[0].path}">Go on`)
  })
})

describe("K10 a session", () => {
  test("is in a cookie that scripts, other hosts and other sites' pages have not", async () => {
    const lea = openBrowser(house)
    const begun = await lea.get("/console/sign-in/start")
    const finished = await lea.get(answerOf(new URL(begun.headers.get("location") ?? ""), LEA), "cross-site")
    const [attempt = ""] = begun.headers.getSetCookie()
    const [session = "", gone = ""] = finished.headers.getSetCookie()
    const ours = "Path=/; Secure; HttpOnly"
    expect(attempt.replace(/=[^;]+/, "")).toBe(`__Host-taskmint-sign-in; ${ours}; SameSite=Lax; Max-Age=600`)
    expect(session.replace(/=[^;]+/, "")).toBe(`__Host-taskmint; ${ours}; SameSite=Strict`)
    expect(gone).toBe(`__Host-taskmint-sign-in=; ${ours}; SameSite=Lax; Max-Age=0`)
  })

  test("is never the one that was planted, before or while somebody signs in", async () => {
    const lea = openBrowser(house)
    const planted = { value: "A".repeat(43), strict: true }
    lea.cookies.set("__Host-taskmint", planted)
    expect(await isIn(lea)).toBe(false)
    await signIn(lea)
    expect(lea.cookies.get("__Host-taskmint")?.value).toMatch(/^(?!A{43})[\w-]{43}$/)
    lea.cookies.set("__Host-taskmint", planted)
    expect(await isIn(lea)).toBe(false)
  })

  test("is another one after every sign-in, and the one before has ended", async () => {
    const lea = await signedIn()
    const before = lea.cookies.get("__Host-taskmint")
    await signIn(lea)
    expect(await isIn(lea)).toBe(true)
    if (before) lea.cookies.set("__Host-taskmint", before)
    expect(await isIn(lea)).toBe(false)
  })

  test("is one of several of a person, and the end of one is not the others'", async () => {
    const [here, there] = [await signedIn(), await signedIn()]
    await here.post("/console/sign-out")
    expect([await isIn(here), await isIn(there)]).toEqual([false, true])
  })

  test("is not had by a sign-in of an ID token that was used before", async () => {
    const lea = openBrowser(house)
    const jti = "the same"
    expect((await signIn(lea, { ...LEA, jti })).status).toBe(200)
    expect((await signIn(openBrowser(house), { ...LEA, jti })).status).toBe(401)
  })

  test.each<[string, object, number]>([
    ["eight hours ago", { auth_time: -28_800 }, 401],
    ["seven hours ago", { auth_time: -25_200 }, 200],
    ["at a time to come", { auth_time: 60 }, 401],
  ])(
    "begins where a person showed who they are %s: %j",
    async (_what, { auth_time }: { auth_time?: number }, status) => {
      const now = toEpochSeconds(house.clock.now())
      expect((await signIn(openBrowser(house), { ...LEA, auth_time: now + (auth_time ?? 0) })).status).toBe(
        status,
      )
    },
  )

  test("begins nowhere where nobody says when that was, nor anew where it was 15 minutes ago", async () => {
    const now = toEpochSeconds(house.clock.now())
    expect((await signIn(openBrowser(house), { ...LEA, auth_time: undefined })).status).toBe(401)
    const again = (auth_time: number) => signIn(openBrowser(house), { ...LEA, auth_time }, "?again=yes")
    expect([(await again(now - 900)).status, (await again(now - 899)).status]).toEqual([401, 200])
  })
})

describe("K11 somebody who guesses", () => {
  test("finds no session, and makes nobody work for it", async () => {
    const eve = openBrowser(house)
    for (const value of ["", "x", "A".repeat(42), "'; DROP TABLE console_session; --", "A".repeat(8000)]) {
      eve.cookies.set("__Host-taskmint", { value, strict: true })
      expect((await eve.get("/console")).headers.get("location")).toBe("/console/sign-in")
    }
  })

  test("has no code tried at the provider without a sign-in of their own, and one only for each", async () => {
    const eve = openBrowser(house)
    const codes = Array.from(
      { length: 20 },
      (_each, at) => `/console/callback?code=${at}&state=${"A".repeat(43)}`,
    )
    for (const one of codes) expect((await eve.get(one, "cross-site")).status).toBe(401)
    const page = await eve.start()
    provider.answer("/token", { error: "invalid_grant" })
    const own = codes.map((one) => one.replace(/state=.*/, `state=${page.searchParams.get("state")}`))
    for (const one of own) expect((await eve.get(one, "cross-site")).status).toBe(401)
    expect(provider.asked.filter((one) => one === "/token")).toHaveLength(1)
  })

  test.each<[string, (attempt: string) => string]>([
    ["begun later", (attempt) => attempt.replace(/^\d+/, (at) => String(Number(at) - 1))],
    ["that leads elsewhere", (attempt) => attempt.replace(".0.", ".1.")],
    ["in place of another session", (attempt) => attempt.replace("..", `.${"A".repeat(43)}.`)],
    ["that is longer", (attempt) => `${attempt}A`],
    ["that is none", () => "x"],
  ])("makes no sign-in out of one %s", async (_what, change) => {
    const eve = openBrowser(house)
    const back = answerOf(await eve.start(), LEA)
    const attempt = eve.cookies.get("__Host-taskmint-sign-in")?.value ?? ""
    expect(change(attempt)).not.toBe(attempt)
    eve.cookies.set("__Host-taskmint-sign-in", { value: change(attempt), strict: false })
    expect((await eve.get(back, "cross-site")).status).toBe(401)
    expect(provider.asked).not.toContain("/token")
  })

  test("in a crowd, at a provider that hangs, keeps out who signs in just then, and nobody else", async () => {
    const inside = await signedIn()
    const held: ServerResponse[] = []
    const crowd = Array.from({ length: 16 }, () => openBrowser(house))
    const backs: string[] = []
    for (const one of crowd) backs.push(answerOf(await one.start(), LEA))
    provider.answer("/token", (response: ServerResponse) => void held.push(response))
    const waiting = crowd.map((one, at) => one.get(backs[at] ?? "", "cross-site"))
    await vi.waitFor(() => expect(held).toHaveLength(16), { timeout: 2500 })
    const late = await openBrowser(house).get("/console/sign-in/start")
    expect([late.status, late.headers.has("retry-after")]).toEqual([503, true])
    expect(await isIn(inside)).toBe(true)
    for (const response of held) response.writeHead(400, { "content-type": "application/json" }).end("{}")
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(Array(16).fill(401))
    expect((await openBrowser(house).get("/console/sign-in/start")).status).toBe(303)
  })

  test("learns nothing of a provider that is away: nobody can tell, and nobody is in", async () => {
    const lea = openBrowser(house)
    const back = answerOf(await lea.start(), LEA)
    provider.cut(true)
    const away = await lea.get(back, "cross-site")
    provider.cut(false)
    expect([away.status, await away.text()]).toEqual([
      503,
      expect.stringContaining("temporarily_unavailable"),
    ])
    expect(away.headers.getSetCookie()).toEqual([])
  })

  test("is told the same whatever was wrong: nobody learns whom the policy knows", async () => {
    const text = async (answer: Response) => (await answer.text()).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, "id")
    const unknown = await signIn(openBrowser(house), { sub: "eve", groups: ["support"] })
    const forged = await signIn(openBrowser(house), {
      ...LEA,
      iss: provider.issuer,
      aud: ["taskmint", "other"],
      azp: "taskmint",
    })
    const replayed = await signIn(openBrowser(house), { ...LEA, jti: "the same" })
    expect([unknown.status, forged.status, replayed.status]).toEqual([401, 401, 401])
    const told = await text(unknown)
    expect([await text(forged), await text(replayed)]).toEqual([told, told])
  })

  test("and is somebody is slowed down after twenty sign-ins in a minute; others are not", async () => {
    const kim = { sub: "kim", groups: ["leads"] }
    const statuses = []
    for (let many = 0; many < 21; many++) statuses.push((await signIn(openBrowser(house), kim)).status)
    expect([statuses.filter((one) => one === 200).length, statuses.at(-1)]).toEqual([20, 429])
    expect((await signIn(openBrowser(house), { sub: "lou", groups: ["leads"] })).status).toBe(200)
  })
})
