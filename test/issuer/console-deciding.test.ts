// Somebody who signed in decides an approval in the console: as the entry of staff that the grant names, whatever else they
// are, and only while their sign-in is fresh.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { approvalTexts } from "../support/approvals.ts"
import { type ConsoleBrowser, openBrowser } from "../support/console-browser.ts"
import { START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"
import { openScriptedSignIn, type ScriptedSignIn } from "../support/scripted-sign-in.ts"

const CHIEFS = `version: 1
staff:
  the-chiefs: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: chiefs } } }] }
  the-watch: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: watch } } }] }
`
let scripted: ScriptedSignIn
let lea: ConsoleBrowser
let taskId: string
beforeAll(async () => {
  const { "support.yaml": support = "" } = approvalTexts(
    POLICIES,
    "{ by: [the-watch], valid: 15m, once: true }",
  )
  scripted = await openScriptedSignIn({ "support.yaml": support, "chiefs.yaml": CHIEFS })
  const { body } = await scripted.house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  taskId = String(body.task_id)
})
afterAll(() => scripted.remove())
beforeEach(async () => {
  scripted.keepUp()
  lea = openBrowser(scripted.house)
  await scripted.signIn(lea, { sub: "lea", groups: ["watch", "chiefs"] })
})

let asked = 0
async function ask(): Promise<string> {
  const json = {
    task_id: taskId,
    operation: "tickets:close",
    resource: "tickets/SUP-1042",
    reason: "It is solved",
    parameters: { resolution: `fixed ${++asked}` },
  }
  const { status, body } = await scripted.house.ask("POST", "/approvals", {
    as: "support-orchestrator",
    json,
  })
  expect(status).toBe(201)
  return String(body.id)
}
const stateOf = async (id: string) =>
  (await scripted.house.ask("GET", `/approvals/${id}`, { as: "support-orchestrator" })).body.state

test("of several entries the one that the grant names decides, and the ledger has both names", async () => {
  const id = await ask()
  expect(await (await lea.get("/console/approvals")).text()).toContain(`/console/approvals/${id}/decide`)
  const answer = await lea.post(`/console/approvals/${id}/decide`, { decision: "grant", reason: "" })
  expect(answer.headers.get("location")).toBe(`/console/approvals/${id}`)
  const { body } = await scripted.house.ask("GET", "/ledger/entries?kind=approval.granted", {
    as: "audit-team",
  })
  expect(body.entries).toMatchObject([{ body: { as: "the-watch", by: "people/lea" } }])
})

test("15 minutes after the sign-in it is asked for again first, and nothing is decided meanwhile", async () => {
  const id = await ask()
  scripted.house.clock.advance(600_000)
  expect(await (await lea.get(`/console/approvals/${id}`)).text()).toContain("/decide")
  scripted.house.clock.advance(300_000)
  const again = "/console/sign-in?again=yes&to=%2Fconsole%2Fapprovals"
  expect(await (await lea.get(`/console/approvals/${id}`)).text()).toContain(again.replace("&", "&amp;"))
  const answer = await lea.post(`/console/approvals/${id}/decide`, { decision: "grant" })
  expect([answer.headers.get("location"), await stateOf(id)]).toEqual([again, "requested"])
  await scripted.signIn(lea, { sub: "lea", groups: ["watch", "chiefs"] }, again.slice(again.indexOf("?")))
  await lea.post(`/console/approvals/${id}/decide`, { decision: "deny" })
  expect(await stateOf(id)).toBe("denied")
})

test("another entry's person is shown none of it, nor decides", async () => {
  const id = await ask()
  const kim = openBrowser(scripted.house)
  await scripted.signIn(kim, { sub: "kim", groups: ["chiefs"] })
  expect(await (await kim.get("/console/approvals")).text()).not.toContain(id)
  expect((await kim.post(`/console/approvals/${id}/decide`, { decision: "grant" })).status).toBe(404)
  expect(await stateOf(id)).toBe("requested")
})
