// The ledger's pages: what an address finds, that reading is itself recorded, and that an entry's page holds a proof that
// checks out without believing the page.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { entryPage } from "../../src/console/entry-page.ts"
import { ledgerPage } from "../../src/console/ledger-page.ts"
import { leafHash, provesInclusion } from "../../src/ledger/merkle.ts"
import { openPage } from "../support/console-form.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { createReporter, reportedToken } from "../support/reporter.ts"

let house: House
let task: string

beforeAll(async () => {
  house = await openHouse()
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  task = String(body.task_id)
  const [token] = body.tokens as { access_token: string }[]
  const reporter = createReporter(house)
  house.clock.advance(300_000)
  await reporter.report([
    reporter.use(reportedToken(token?.access_token ?? "")),
    reporter.use(reportedToken(token?.access_token ?? ""), {
      resource: ["tickets", "<b>\u202eevil"],
      decision: "refused",
      code: "resource_not_granted",
    }),
  ])
})
afterAll(() => house.remove())

const open = (query: string) => openPage(house, `/console/ledger${query}`, "audit-team")
const kindsIn = (text: string): string[] =>
  [...text.matchAll(/<td[^>]*><code>([a-z]+\.[a-z]+)<\/code><\/td>/g)].map(([, kind = ""]) => kind)
const textIn = (text: string): string =>
  text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")

describe("the search", () => {
  test.each([
    ["kind=use.refused", ["use.refused"]],
    ["outcome=refused&operation=&kind=", ["use.refused"]],
    ["code=resource_not_granted", ["use.refused"]],
    ["agent=triage-bot&operation=tickets:read&resource=tickets/SUP", ["use.allowed"]],
    ["from=2026-03-01T09:03&kind=use.allowed", ["use.allowed"]],
    ["to=2026-03-01T09:03:00Z&kind=use.allowed", []],
    ["kind=lock.set", []],
  ])("?%s finds what it says", async (query, kinds) => {
    const text = await open(`?${query}`)
    expect(kindsIn(text)).toEqual(kinds)
    expect(text.includes("No entry is like that.")).toBe(kinds.length === 0)
  })

  test("of a task tells all of it, the newest first, and text of agents is inert", async () => {
    const text = await open(`?task=${task}`)
    expect(kindsIn(text)).toEqual(["use.refused", "use.allowed", "token.issued", "task.started"])
    expect(text).toContain("tickets/%3Cb%3E%E2%80%AEevil")
    expect(text).not.toMatch(/<script|style=|\u202e/)
    expect(text).toContain(`name="task" value="${task}"`)
  })

  test("is told of in the ledger with what was asked, before it answers", async () => {
    expect(kindsIn(await open("?kind=access.read"))[0]).toBe("access.read")
    const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
    expect(body.entries).toContainEqual(
      expect.objectContaining({ body: { by: "audit-team", parameters: { kind: "access.read" } } }),
    )
  })

  test("pages lead back to the first entry, by an address that anybody can open", async () => {
    await Promise.all(Array.from({ length: 45 }, () => open("?kind=lock.set")))
    const first = await open("?kind=access.read")
    const next = textIn(/href="\/console\/ledger(\?[^"]*below=\d+)" rel="next"/.exec(first)?.[1] ?? "")
    expect(next).toMatch(/^\?kind=access\.read&below=\d+$/)
    const second = await open(next)
    expect(kindsIn(first)).toHaveLength(40)
    expect(kindsIn(second).length).toBeGreaterThan(5)
    expect(second).toContain("First page")
    expect(Buffer.byteLength(first)).toBeLessThan(100_000)
  })

  test.each(["?kind=nothing", "?from=yesterday", "?below=0", "?limit=5"])("refuses %s", async (query) => {
    expect((await house.call("GET", `/console/ledger${query}`, { as: "audit-team" })).status).toBe(400)
  })

  test("is not for operators, as little as the endpoint for programs", async () => {
    expect((await house.call("GET", "/console/ledger", { as: "operations-team" })).status).toBe(403)
    expect((await house.call("GET", "/console/ledger/1", { as: "operations-team" })).status).toBe(403)
  })
})

test("a text of others is shown and does nothing, nor hides or reorders anything, wherever it stands", () => {
  const evil = "<img src=x>\u202e\u0007"
  const entry = {
    seq: 7,
    at: "2026-03-01T09:00:00.000Z",
    kind: "lock.set" as const,
    resource: evil,
    body: { by: evil },
  }
  const none = { asked: { task: evil }, below: undefined, names: { agents: [evil], operations: [] } }
  const pages = [
    entryPage({ entry, hashed: JSON.stringify(entry), leaf: "AA==", proof: "later", newest: 7 }),
    ledgerPage({ ...none, found: { entries: [entry], next: null, further: false } }),
  ]
  for (const { body } of pages) {
    expect(String(body)).toContain("&lt;img src=x&gt;\\u{202e}\\u{7}")
    expect(String(body)).not.toContain("<img")
    // What was typed stands in its field as it was typed.
    expect(String(body).replace(/<form class="search"[\s\S]*?<\/form>/, "")).not.toMatch(/[\u202e\u0007]/)
  }
})

describe("an entry", () => {
  test("stands with all that it tells, and a proof that its bytes are under the checkpoint", async () => {
    const place = /ledger\/(\d+)">\d+<\/a><\/td><td[^>]*>[^\n]*use\.refused/.exec(
      await open(`?task=${task}`),
    )?.[1]
    const text = await open(`/${place}`)
    expect(text).toContain("<dt>Code</dt><dd><code>resource_not_granted</code>")
    const blocks = [...text.matchAll(/<pre tabindex="0">([\s\S]*?)<\/pre>/g)].map(([, block = ""]) =>
      textIn(block),
    )
    const [note = "", hashed = ""] = blocks
    const [, size, root = ""] = note.split("\n")
    const path = /<dt>Path to the root<\/dt><dd>(.*?)<\/dd>/s.exec(text)?.[1] ?? ""
    const hashes = [...path.matchAll(/<code>([^<]+)<\/code>/g)].map(([, one = ""]) =>
      Buffer.from(one, "base64"),
    )
    const claim = {
      index: Number(place) - 1,
      size: Number(size),
      leaf: leafHash(Buffer.from(hashed)),
      root: Buffer.from(root, "base64"),
    }
    expect(JSON.parse(hashed)).toMatchObject({ kind: "use.refused", resource: { hmac: expect.any(String) } })
    expect(provesInclusion(claim, hashes)).toBe(true)
    expect(provesInclusion({ ...claim, index: claim.index - 1 }, hashes)).toBe(false)
  })

  test.each([
    ["later", "not under a checkpoint yet"],
    ["before", "of a log that was left"],
  ] as const)("without a proof (%s) says why there is none", (proof, words) => {
    const entry = { seq: 7, at: "2026-03-01T09:00:00.000Z", kind: "lock.set" as const }
    const text = String(entryPage({ entry, hashed: "{}", leaf: "AA==", proof, newest: 7 }).body)
    expect(text).toContain(words)
    expect(text).toContain('href="/console/ledger/6"')
    expect(text).not.toContain('href="/console/ledger/8"')
  })

  test.each(["/0", "/999999", "/x", "/1.5", "/-1"])("at %s is not there", async (place) => {
    expect((await house.call("GET", `/console/ledger${place}`, { as: "audit-team" })).status).toBe(404)
  })
})
