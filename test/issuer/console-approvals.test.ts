// The approvals' pages: what a person sees before answering, that one answer counts, and what those are told who may not.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { approvalPage, inboxPage } from "../../src/console/approvals-page.ts"
import type { Approval } from "../../src/task/approval-view.ts"
import { approvalTexts } from "../support/approvals.ts"
import { openPage, sendForm } from "../support/console-form.ts"
import { type CallerName, type House, openHouse, START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"

const APPROVAL: Approval = {
  approvalId: "apr_1",
  taskId: "task_1",
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  ...{ orchestrator: "support-orchestrator", sub: "people/ana", purpose: "p", api: "tickets" },
  ...{ operation: "tickets:close", resource: "tickets/A", parameters: undefined, reason: "because" },
  ...{ delegation: undefined, requestedBy: "triage-bot", requestedAt: 0, by: ["leads", "others"] },
  ...{ state: "requested", expiresAt: 60_000, decidedBy: undefined, decidedAt: undefined },
}

let house: House
let taskId: string

beforeAll(async () => {
  const both = "{ by: [operations-team, release-team], valid: 15m, once: true }"
  const texts = approvalTexts(POLICIES, both)
  const staff = `${texts["staff.yaml"]}  release-team:
    roles: [approver]
    authenticate:
      - private_key_jwt: { jwks: keys/release-orchestrator.jwks.json }
`
  house = await openHouse({ dev: true, files: { ...texts, "staff.yaml": staff } })
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  taskId = String(body.task_id)
})
afterAll(() => house.remove())

let asked = 0
async function ask(changes: object = {}): Promise<string> {
  const json = {
    task_id: taskId,
    operation: "tickets:close",
    resource: "tickets/SUP-1042",
    reason: "It is solved <img src=x>",
    parameters: { resolution: `fixed ${++asked}` },
    ...changes,
  }
  const { status, body } = await house.ask("POST", "/approvals", { as: "support-orchestrator", json })
  expect(status).toBe(201)
  return String(body.id)
}

const answer = (id: string, members: Readonly<Record<string, string>>, as?: CallerName) =>
  sendForm(house, `/console/approvals/${id}/decide`, members, as)
const stateOf = async (id: string) =>
  (await house.ask("GET", `/approvals/${id}`, { as: "support-orchestrator" })).body.state

describe("the inbox", () => {
  test("shows what is asked, by whom, for what and until when, and both answers", async () => {
    const id = await ask()
    const text = await openPage(house, "/console/approvals")
    for (const part of [
      "tickets/SUP-1042",
      "It is solved &lt;img src=x&gt;",
      "{&quot;resolution&quot;:&quot;fixed 1&quot;}",
      START.purpose,
      "support-orchestrator",
      `href="/console/tasks/${taskId}"`,
      "2026-03-01 11:00:00 UTC",
      `action="/console/approvals/${id}/decide"`,
      'value="grant"',
      'value="deny"',
    ])
      expect(text).toContain(part)
    expect(text).not.toMatch(/<script|style=|<img/)
    expect((await answer(id, { decision: "deny", reason: "Not yet" })).location).toBe(
      `/console/approvals/${id}`,
    )
    expect(await openPage(house, "/console/approvals")).toContain("Nobody waits for an answer.")
    const decided = await openPage(house, "/console/approvals?shows=decided")
    expect(decided).toContain(`href="/console/approvals/${id}">tickets:close`)
  })

  test("offers no answer to what it does not show whole: the approval's own page has all of it", async () => {
    const id = await ask({ parameters: { text: `${"x".repeat(900)}THE-END` } })
    const inbox = await openPage(house, "/console/approvals")
    expect(inbox).toContain("Read it whole and decide")
    expect(inbox).not.toContain(`${id}/decide`)
    const read = await openPage(house, "/console/approvals", "audit-team")
    expect(read).toContain("Read it whole<")
    expect(read).not.toContain("and decide")
    const own = await openPage(house, `/console/approvals/${id}`)
    expect(own).toContain("THE-END")
    expect(own).toContain(`${id}/decide`)
    await answer(id, { decision: "deny" })
  })
})

describe("an answer", () => {
  test("approves with a reason that may be left out, and the ledger names who", async () => {
    const id = await ask()
    expect(await answer(id, { decision: "grant", reason: "" })).toMatchObject({
      status: 303,
      location: `/console/approvals/${id}`,
    })
    expect(await stateOf(id)).toBe("granted")
    const { body } = await house.ask("GET", "/ledger/entries?kind=approval.granted", { as: "audit-team" })
    expect(body.entries).toMatchObject([{ body: { approval: id, by: "operations-team" } }])
  })

  test("of two at once one counts, and the other is told who was first", async () => {
    const id = await ask()
    const sent = await Promise.all([answer(id, { decision: "grant" }), answer(id, { decision: "deny" })])
    const told = sent.map(({ location }) => location)
    expect(told.toSorted()).toEqual([`/console/approvals/${id}`, `/console/approvals/${id}?late=yes`])
    const won = told[0]?.endsWith("late=yes") ? "denied" : "granted"
    expect(await stateOf(id)).toBe(won)
    const page = await openPage(house, `/console/approvals/${id}?late=yes`)
    expect(page).toMatch(/Somebody was first: it was decided by operations-team/)
  })

  test.each([
    [{}, 400],
    [{ decision: "maybe" }, 400],
    [{ decision: "grant", approval: "x" }, 400],
  ])("of %o is malformed and decides nothing", async (members, status) => {
    const id = await ask()
    expect((await answer(id, members as Record<string, string>)).status).toBe(status)
    expect(await stateOf(id)).toBe("requested")
    await answer(id, { decision: "deny" })
  })
})

describe("who may not decide", () => {
  test("an approver of other questions is told who does, and can't", async () => {
    const id = await ask()
    const text = await openPage(house, `/console/approvals/${id}`, "audit-team")
    expect(text).toContain("The policy lets operations-team or release-team decide this. Ask one of them.")
    expect(text).not.toContain("/decide")
    expect((await answer(id, { decision: "grant" }, "audit-team")).status).toBe(404)
    expect(await stateOf(id)).toBe("requested")
  })

  test("an API does not see it", async () => {
    const answered = await house.call("GET", "/console/approvals", { as: "tickets" })
    expect(answered.status).toBe(403)
  })

  test("what is not there is not found", async () => {
    expect((await house.call("GET", "/console/approvals/apr_x", { as: "audit-team" })).status).toBe(404)
    expect((await answer("apr_x", { decision: "grant" })).status).toBe(404)
  })

  test("after the task has ended nobody is asked any more", async () => {
    const id = await ask()
    await house.ask("POST", `/tasks/${taskId}/complete`, { as: "support-orchestrator", json: {} })
    expect((await answer(id, { decision: "grant" })).location).toBe(`/console/approvals/${id}?late=yes`)
    const text = await openPage(house, `/console/approvals/${id}`)
    expect(text).toContain(">expired<")
    expect(text).not.toContain("/decide")
  })

  test.each([
    [{ why: "role" }, "You may read this and not decide it: a person of leads or others does."],
    [{ why: "not_named" }, "The policy lets leads or others decide this."],
    [
      { why: "own" },
      "You asked this, or the task runs for you: somebody else of leads or others has to decide.",
    ],
    [
      { why: "sign_in_again", signIn: "/x" },
      'a sign-in of the last 15 minutes. <a href="/x">Sign in again</a>',
    ],
  ] as const)("is told why (%o) and what to do, and offered no answer", (hindrance, words) => {
    const { body } = approvalPage({ approval: APPROVAL, hindrance, now: 0, late: false })
    expect(String(body)).toContain(words)
    expect(String(body)).not.toContain("<form")
    const answers = String(
      approvalPage({ approval: APPROVAL, hindrance: undefined, now: 0, late: false }).body,
    )
    expect(answers).toContain("<form")
  })
})

describe("until when", () => {
  test.each([
    ["requested", 0, "Waits until", "1970-01-01 00:01:00 UTC"],
    ["granted", 0, "Good until", "1970-01-01 00:01:00 UTC"],
    ["collected", 0, "Good until", "1970-01-01 00:01:00 UTC"],
    ["expired", 61_000, "Over", "1970-01-01 00:01:00 UTC"],
    ["expired", 0, "Over", "since its task, or its delegation, ended"],
  ] as const)("of what is %s at %i ms is told", (state, now, name, value) => {
    const approval = { ...APPROVAL, state }
    const page = String(approvalPage({ approval, hindrance: undefined, now, late: false }).body)
    expect(page).toMatch(new RegExp(`<dt>${name}</dt><dd>(<time [^>]*>)?${value}`))
  })

  test("of what was denied nothing is told", () => {
    const approval = { ...APPROVAL, state: "denied" } as const
    const page = String(approvalPage({ approval, hindrance: undefined, now: 0, late: false }).body)
    expect(page).not.toContain("1970-01-01 00:01:00 UTC")
  })
})

describe("the inbox takes an answer to what it shows whole alone, by whichever text is cut", () => {
  const inbox = (change: Partial<Approval>) =>
    String(
      inboxPage({
        ...{ shows: "waiting", after: undefined, next: null, now: 0 },
        questions: [{ approval: { ...APPROVAL, ...change }, hindrance: undefined }],
      }).body,
    )
  test.each<[string, (length: number) => Partial<Approval>, number]>([
    ["the reason", (length) => ({ reason: "r".repeat(length) }), 350],
    ["the parameters", (length) => ({ parameters: JSON.stringify("p".repeat(length - 2)) }), 300],
    ["the resource", (length) => ({ resource: "t".repeat(length) }), 150],
  ])("%s", (_, change, most) => {
    expect(inbox(change(most))).toContain('action="/console/approvals/apr_1/decide"')
    expect(inbox(change(most))).not.toContain("Read it whole and decide")
    expect(inbox(change(most + 1))).not.toContain("<form")
    expect(inbox(change(most + 1))).toContain("Read it whole and decide")
  })
})
