// The pages of locks and revocations: who has applied an order and who has not, and what an operator sets and lifts there.
import { afterAll, beforeAll, expect, test } from "vitest"
import { revocationPage } from "../../src/console/revocations-page.ts"
import type { Revocation } from "../../src/task/revocation-view.ts"
import { newId } from "../../src/token/id.ts"
import { openPage, sendForm } from "../support/console-form.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { createReporter } from "../support/reporter.ts"

const PATH = "/console/revocations"
const LOCK = { kind: "agent", value: "triage-bot", hours: "", reason: "Found in a <log>" }

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const start = () => house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })

test("without any, the page says what would be there", async () => {
  const text = await openPage(house, PATH, "audit-team")
  expect(text).toContain("No lock stands.")
  expect(text).toContain("Nothing was revoked.")
  expect(text).not.toContain(`action="${PATH}"`)
})

test.each([
  ["without a reason", { reason: "" }, 400],
  ["of a kind that it does not offer", { kind: "key" }, 400],
  ["of an instance without its agent", { kind: "instance", value: "pod-1" }, 400],
  ["of an API that nobody knows", { kind: "api", value: "nothing" }, 400],
  ["for as long as somebody likes", { hours: "9999" }, 400],
])("a form %s sets nothing", async (_how, changes, status) => {
  expect((await sendForm(house, PATH, { ...LOCK, ...changes })).status).toBe(status)
  expect(await openPage(house, PATH)).toContain("Nothing was revoked.")
})

test("a form of an auditor sets nothing", async () => {
  expect((await sendForm(house, PATH, LOCK, "audit-team")).status).toBe(403)
  expect(await openPage(house, PATH)).toContain("Nothing was revoked.")
})

test("a lock says who has applied it and after how long, who has not, and is lifted", async () => {
  await start()
  const [quick, slow] = [createReporter(house), createReporter(house)]
  await quick.report()
  await slow.report()
  house.clock.advance(5000)
  const set = await sendForm(house, PATH, LOCK)
  expect(set.status).toBe(303)
  const own = set.location ?? ""
  expect(own).toMatch(/^\/console\/revocations\/rev_/)
  expect((await start()).body.code).toBe("locked")
  house.clock.advance(2000)
  await quick.report()

  const list = await openPage(house, PATH, "audit-team")
  expect(list).toContain("Found in a &lt;log&gt;")
  expect(list).toMatch(/1 not yet<\/span> <span class="note">1 have, the last after 2\.0 s/)
  const rows = [
    ...(await openPage(house, own, "audit-team")).matchAll(/<tr><td[^>]*><code>([^<]+)<.*?<\/tr>/gs),
  ]
  expect(rows.map(([row, instance]) => [instance, /not yet|after [\d.]+ s/.exec(row)?.[0]])).toEqual([
    [slow.instance, "not yet"],
    [quick.instance, "after 2.0 s"],
  ])

  await slow.report()
  expect(await openPage(house, PATH, "audit-team")).toMatch(/>all<\/span> <span class="note">2 instances/)
  expect(await openPage(house, own, "audit-team")).not.toContain("Lift the lock")
  expect(await openPage(house, own)).toContain(`action="${own}/lift"`)
  expect((await sendForm(house, `${own}/lift`, {}, "audit-team")).status).toBe(403)
  expect(await sendForm(house, `${own}/lift`, {})).toMatchObject({ status: 303, location: own })
  expect(await openPage(house, PATH)).toContain("No lock stands.")
  house.clock.advance(2000)
  expect((await start()).status).toBe(201)
  const told = await house.ask("GET", "/ledger/entries?kind=lock.lifted", { as: "audit-team" })
  expect(told.body.entries).toMatchObject([{ agent: "triage-bot", body: { by: "operations-team" } }])
})

test("a lock for hours lifts by itself, and says until when it stands", async () => {
  const { location } = await sendForm(house, PATH, { ...LOCK, hours: "8" })
  expect(await openPage(house, location ?? "")).toMatch(
    /Stands until<\/dt><dd><time[^>]*>2026-03-01 17:00:0\d UTC/,
  )
})

test("pages lead on to all revocations, and the form begins with what the address says", async () => {
  const revoke = () =>
    house.ask("POST", "/revocations", {
      as: "operations-team",
      json: { kind: "token", value: newId("tok"), reason: "x" },
    })
  await Promise.all(Array.from({ length: 27 }, revoke))
  const first = await openPage(house, `${PATH}?kind=instance&value=triage-bot%2Fpod-1`)
  expect(first).toContain('<option value="instance" selected>')
  expect(first).toContain('value="triage-bot/pod-1"')
  const next = /href="([^"]*after=rev_[^"]*)" rel="next"/.exec(first)?.[1] ?? ""
  const seen = [first, await openPage(house, next)].map((text) =>
    [...text.matchAll(/token <code>(tok_[0-9a-f-]+)</g)].map(([, token]) => token),
  )
  expect(new Set(seen.flat()).size).toBe(27)
  expect(first.match(/<tr><td[^>]*><a href="\/console\/revocations\/rev_/g)?.length).toBeGreaterThanOrEqual(
    25,
  )
})

test.each(["rev_x", "rev_019ca8a0-3f7a-715c-becf-04cff2923b9c"])(
  "%s, which is not there, is neither shown nor lifted",
  async (id) => {
    expect((await sendForm(house, `${PATH}/${id}/lift`, {})).status).toBe(404)
    expect((await house.call("GET", `${PATH}/${id}`, { as: "audit-team" })).status).toBe(404)
  },
)

test.each<[string, Partial<Revocation>, boolean]>([
  ["one that stands", {}, true],
  ["one that stands a moment longer", { until: 1001 }, true],
  ["one whose time is over", { until: 1000 }, false],
  ["one that was lifted", { liftedAt: 999 }, false],
  ["an order that is no lock", { kind: "task", lock: false }, false],
])("of locks an operator lifts %s: %o", (_, change, isLifted) => {
  const revocation: Revocation = {
    ...{ id: "rev_1", kind: "agent", value: "bot", before: 0, until: undefined, reason: "x", setBy: "ops" },
    ...{ at: 0, tokensEnded: 0, lock: true, liftedAt: undefined, instances: [] },
    ...{ appliedInMilliseconds: undefined, ...change },
  }
  const page = (operates: boolean) => String(revocationPage({ revocation, now: 1000, operates }).body)
  expect(page(true).includes('action="/console/revocations/rev_1/lift"')).toBe(isLifted)
  expect(page(true).includes(">stands<")).toBe(isLifted)
  expect(page(false)).not.toContain("<form")
})
