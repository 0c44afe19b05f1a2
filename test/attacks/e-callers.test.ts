// Catalogue, section E: what callers may do, and what anybody may send, over the issuer's real HTTP surface.
import { readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { compact, stranger } from "../support/forge.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { NAME, openDesk } from "../support/token-desk.ts"

let house: House
let desk: ReturnType<typeof openDesk>
beforeAll(async () => {
  house = await openHouse()
  desk = openDesk(house)
})
afterAll(() => house.remove())

const entriesNow = async () => {
  const { body } = await house.ask("GET", "/ledger/entries?limit=1000", { as: "audit-team" })
  return (body.entries as { kind: string }[]).filter((entry) => entry.kind !== "access.read").length
}

describe("E25 a role does what it is for", () => {
  const revoke = { kind: "agent", value: "summarizer", reason: "test" }
  test.each([
    ["auditor", "audit-team", "POST", "/revocations", revoke],
    ["auditor", "audit-team", "POST", "/policy/reload", {}],
    ["auditor", "audit-team", "POST", "/tasks", START],
    ["orchestrator", "support-orchestrator", "GET", "/ledger/entries", undefined],
    ["orchestrator", "support-orchestrator", "POST", "/revocations", revoke],
    ["operator", "operations-team", "GET", "/ledger/entries", undefined],
    ["operator", "operations-team", "GET", "/reports/completeness", undefined],
    ["operator", "operations-team", "POST", "/tasks", START],
    ["operator", "operations-team", "POST", "/uses", undefined],
    ["operator", "operations-team", "GET", "/revocations", undefined],
    ["auditor", "audit-team", "GET", "/locks", undefined],
    ["api", "tickets", "GET", "/locks", undefined],
    ["api", "tickets", "GET", "/verifiers", undefined],
    ["auditor", "audit-team", "POST", "/verifiers/x/forget", { reason: "x" }],
    ["api", "tickets", "POST", "/tasks", START],
    ["api", "tickets", "GET", "/ledger/entries", undefined],
    ["api", "tickets", "GET", "/tasks", undefined],
    ["orchestrator", "support-orchestrator", "GET", "/catalogue", undefined],
    ["orchestrator", "support-orchestrator", "POST", "/catalogue", {}],
    ["api", "tickets", "GET", "/reports/posture", undefined],
    ["operator", "operations-team", "GET", "/reports/anomalies", undefined],
  ] as const)("E25 %s (%s) may not %s %s", async (_role, as, method, path, json) => {
    const { status, body } = await house.ask(method, path, { as, ...(json && { json }) })
    expect([status, body.code]).toEqual([403, "role_missing"])
  })
})

describe("E26 nothing but a form in a POST", () => {
  test.each([
    ["text/plain", 415],
    ["application/json", 415],
    ["multipart/form-data; boundary=x", 415],
    ["application/x-www-form-urlencoded; charset=utf-7", 415],
  ])("E26 %s", async (type, status) => {
    const one = desk.assert()
    expect((await desk.present(one, {}, { "content-type": type })).status).toBe(status)
    expect((await desk.present(one)).status, "it was not spent").toBe(200)
  })

  test("E26 GET, parameters in the URL, a coded body, a body over 64 KiB", async () => {
    const get = await house.call("GET", "/token")
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"])
    const inUrl = await house.call("POST", "/token?client_id=x", {
      body: "grant_type=client_credentials",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    })
    expect(inUrl.status).toBe(400)
    expect((await desk.present(desk.assert(), {}, { "content-encoding": "gzip" })).status).toBe(415)
    expect((await desk.present(desk.assert(), { filler: "x".repeat(65_536) })).status).toBe(413)
  })
})

describe("E27 whatever stands in Authorization", () => {
  test.each([
    ["high bytes", "Bearer \u0080\u00ff\u00fe"],
    ["only a scheme", "Bearer"],
    ["very long", `Bearer ${"x".repeat(16_000)}`],
    ["spaces", "Bearer    "],
    ["another scheme", "Negotiate abc"],
    ["a JWT of nobody", `Bearer ${compact({ typ: "at+jwt", alg: "ES256", kid: "x" }, {})}`],
    ["a two-part JWT", "Bearer aaaa.bbbb"],
    ["the scheme twice", "Bearer Bearer x.y.z"],
  ])("E27 %s gets 401", async (_what, authorization) => {
    const answer = await house.call("GET", "/tasks", { headers: { authorization } })
    expect(answer.status).toBe(401)
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/)
  })
})

describe("E12 a flood in somebody's name", () => {
  test("E12, K11 failures take nothing from the caller that they name, whatever address they say they are from", async () => {
    const flood = Array.from({ length: 2000 }, (_each, at) =>
      desk.present(
        desk.assert({}, {}, stranger),
        {},
        { "x-forwarded-for": `2001:db8::${at.toString(16)}`, forwarded: `for=192.0.2.${at % 250}` },
      ),
    )
    const served = await Promise.all([1, 2, 3].map(() => desk.present(desk.assert())))
    expect(served.map((answer) => answer.status)).toEqual([200, 200, 200])
    const statuses = new Set((await Promise.all(flood)).map((answer) => answer.status))
    expect([...statuses]).toEqual([401])
    expect((await desk.present(desk.assert())).status).toBe(200)
  })

  test("E12, K11 who is over its limit stays so from any address it says, and it alone", async () => {
    const flooded = await openHouse()
    try {
      const counter = openDesk(flooded)
      const answers = []
      for (let at = 0; at < 1205; at += 1)
        answers.push(counter.present(counter.assert(), {}, { "x-forwarded-for": `198.51.100.${at % 250}` }))
      const refused = (await Promise.all(answers)).filter((answer) => answer.status === 429)
      expect(refused.map((answer) => answer.headers.get("retry-after"))).toEqual(Array(5).fill("60"))
      await flooded.serviceToken("release-orchestrator")
    } finally {
      await flooded.remove()
    }
  })
})

test("E11 a caller that left the policy, or was disabled, is out at once, with the token it has", async () => {
  const disabled = await openHouse()
  try {
    expect((await disabled.call("GET", "/tasks", { as: "release-orchestrator" })).status).toBe(200)
    const path = `${disabled.policyFolder}/deployments.yaml`
    const text = readFileSync(path, "utf8").replace(/( {2}release-orchestrator:\n)/, "$1    enabled: false\n")
    writeFileSync(path, text)
    expect((await disabled.ask("POST", "/policy/reload", { as: "operations-team" })).body.result).toBe(
      "loaded",
    )
    const { status, body } = await disabled.ask("GET", "/tasks", { as: "release-orchestrator" })
    expect([status, body.code]).toEqual([401, "service_token_invalid"])
  } finally {
    await disabled.remove()
  }
})

test("no failure of somebody unauthenticated adds an entry; once a minute their number does", async () => {
  await house.issuer.sweep()
  const before = await entriesNow()
  for (let at = 0; at < 30; at += 1) await desk.present(desk.assert({ aud: "https://other.example" }))
  await house.call("GET", "/tasks", { headers: { authorization: "Bearer x.y.z" } })
  expect(await entriesNow()).toBe(before)
  await house.issuer.sweep()
  const { body } = await house.ask("GET", "/ledger/entries?kind=alarm.raised&limit=1000", {
    as: "audit-team",
  })
  const last = (body.entries as { body: unknown }[]).at(-1)
  expect(last?.body).toMatchObject({ counts: { invalid_client: 30, service_token_invalid: 1 } })
  expect(await entriesNow()).toBe(before + 1)
})

test("K08 a form of another site is nobody's: its number is not among those of callers without a role", async () => {
  await house.issuer.sweep()
  const before = await entriesNow()
  for (const path of ["/console/sign-out", "/console/revocations"]) {
    const headers = { origin: "https://evil.example", "content-type": "application/x-www-form-urlencoded" }
    expect((await house.call("POST", path, { body: "", headers })).status).toBe(403)
  }
  await house.issuer.sweep()
  const path = "/ledger/entries?kind=alarm.raised&limit=1000"
  const { body } = await house.ask("GET", path, { as: "audit-team" })
  const last = (body.entries as object[]).at(-1)
  expect(last).toMatchObject({ code: "callers_not_authenticated", body: { counts: { form_foreign: 2 } } })
  expect(await entriesNow()).toBe(before + 1)
})

test("a caller's hour is one entry, however often it comes and over a restart", async () => {
  const fresh = await openHouse()
  try {
    for (let at = 0; at < 3; at += 1) await fresh.serviceToken("support-orchestrator")
    await fresh.restart()
    await Promise.all([1, 2, 3].map(() => fresh.serviceToken("support-orchestrator")))
    const count = async () => {
      const path = `/ledger/entries?kind=client.authenticated&orchestrator=${NAME}`
      return ((await fresh.ask("GET", path, { as: "audit-team" })).body.entries as unknown[]).length
    }
    expect(await count()).toBe(1)
    fresh.clock.advance(3_600_000)
    await fresh.serviceToken("support-orchestrator")
    expect(await count()).toBe(2)
  } finally {
    await fresh.remove()
  }
})
