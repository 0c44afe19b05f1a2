// The console's pages of tasks: what is found by which address, that a page stays small however much a task did, and what an
// operator does there.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openPage, sendForm } from "../support/console-form.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { createReporter, reportedToken } from "../support/reporter.ts"

let house: House
let taskId: string
let release: string

const start = async (as: "support-orchestrator" | "release-orchestrator", json: object) => {
  const { status, body } = await house.ask("POST", "/tasks", { as, json })
  expect(status).toBe(201)
  const [token] = body.tokens as { access_token: string }[]
  return { id: String(body.task_id), token: reportedToken(token?.access_token ?? "") }
}

beforeAll(async () => {
  house = await openHouse()
  release = (
    await start("release-orchestrator", {
      type: "deploy-service",
      agent: { id: "deploy-bot", instance: "pod-9" },
      purpose: "Roll out",
      inputs: { environment: "staging", service: "web" },
    })
  ).id
  const started = await start("support-orchestrator", {
    ...START,
    purpose: "Triage <script>alert(1)</script>",
  })
  taskId = started.id
  const reporter = createReporter(house)
  for (let batch = 0; batch < 3; batch++) {
    house.clock.advance(100_000)
    const uses = Array.from({ length: 1000 }, (_each, place) =>
      reporter.use(started.token, place === 0 ? { decision: "refused", code: "operation_not_granted" } : {}),
    )
    await reporter.report(uses)
  }
})
afterAll(() => house.remove())

describe("the list of tasks", () => {
  test.each([
    ["", true, true],
    ["?state=active&type=&agent=", true, true],
    ["?agent=triage-bot", true, false],
    ["?type=deploy-service", false, true],
    ["?orchestrator=release-orchestrator&state=active", false, true],
    ["?state=revoked", false, false],
    ["?agent=nobody-of-that-name", false, false],
  ])("%s finds what it asks for, and nothing else", async (query, support, released) => {
    const text = await openPage(house, `/console/tasks${query}`, "audit-team")
    expect([text.includes(taskId), text.includes(release)]).toEqual([support, released])
    expect(text.includes("No task is like that.")).toBe(!support && !released)
  })

  test("goes on where it stopped, and keeps what was asked", async () => {
    const text = await openPage(house, `/console/tasks?state=active&after=${taskId}`)
    expect([text.includes(taskId), text.includes(release)]).toEqual([false, true])
    expect(text).toContain('href="/console/tasks?state=active">First page')
  })

  test.each(["?state=gone", "?agent=%3Cb%3E", "?order=x"])("refuses %s", async (query) => {
    expect((await house.call("GET", `/console/tasks${query}`, { as: "audit-team" })).status).toBe(400)
  })
})

describe("the page of a task", () => {
  test("of 3,000 uses is below 100 KB, counts all of them, and lets nothing of an agent's text run", async () => {
    const text = await openPage(house, `/console/tasks/${taskId}`, "audit-team")
    expect(Buffer.byteLength(text)).toBeLessThan(100_000)
    expect(text).toContain('aria-label="Uses: 2,997 uses"')
    expect(text).toContain('aria-label="Refusals: 3 refusals"')
    expect(text).toContain("Triage &lt;script&gt;alert(1)&lt;/script&gt;")
    expect(text).not.toMatch(/<script|style=|https?:\/\/(?!www\.w3)/)
    expect(text).not.toContain('<form method="post" action="/console/tasks')
  })

  test("is told of in the ledger", async () => {
    await openPage(house, `/console/tasks/${taskId}`, "audit-team")
    const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
    expect(body.entries).toContainEqual(
      expect.objectContaining({
        body: { by: "audit-team", report: "task", parameters: { task: taskId } },
      }),
    )
  })

  test("shows its statement with the statement's own policy", async () => {
    const answer = await house.call("GET", `/console/tasks/${taskId}/statement`, { as: "audit-team" })
    expect(await answer.text()).toContain("Closing statement of a task")
    expect(answer.headers.get("content-security-policy")).toContain("style-src 'sha256-")
  })

  test.each(["nothing", "task_019ca8a0-3f7a-715c-becf-04cff2923b9c"])("of %s is not there", async (id) => {
    expect((await house.call("GET", `/console/tasks/${id}`, { as: "audit-team" })).status).toBe(404)
    const revoked = await sendForm(house, `/console/tasks/${id}/revoke`, { reason: "x" })
    expect(revoked.status).toBe(404)
  })
})

describe("an operator", () => {
  const stateOf = async () =>
    (await house.ask("GET", `/tasks/${taskId}`, { as: "support-orchestrator" })).body.state
  const act = (change: string, members: Readonly<Record<string, string>> = { reason: "It looks wrong" }) =>
    sendForm(house, `/console/tasks/${taskId}/${change}`, members)
  const renew = () => house.ask("POST", `/tasks/${taskId}/tokens`, { as: "support-orchestrator", json: {} })

  test("gives a reason, and an auditor may not do what an operator does", async () => {
    expect((await act("pause", {})).status).toBe(400)
    const asAuditor = await sendForm(house, `/console/tasks/${taskId}/pause`, { reason: "x" }, "audit-team")
    expect(asAuditor.status).toBe(403)
    expect(await stateOf()).toBe("active")
  })

  test("pauses, resumes without holding a token, and revokes; each is told of with their name", async () => {
    expect(await act("pause")).toMatchObject({ status: 303, location: `/console/tasks/${taskId}` })
    expect([await stateOf(), (await renew()).body.code]).toEqual(["paused", "task_paused"])
    house.clock.advance(2000)
    expect((await act("resume")).status).toBe(303)
    expect(await stateOf()).toBe("active")
    const held = await house.ask("GET", `/tasks/${taskId}`, { as: "support-orchestrator" })
    expect((held.body.tokens as { state: string }[]).filter(({ state }) => state === "live")).toEqual([])
    expect((await renew()).status).toBe(200)
    house.clock.advance(2000)
    expect((await act("revoke")).status).toBe(303)
    expect(await stateOf()).toBe("revoked")
    expect(await act("resume")).toMatchObject({ status: 409 })
    const text = await openPage(house, `/console/tasks/${taskId}`)
    expect(text).toContain("The task has ended.")
    const paused = await house.ask("GET", "/ledger/entries?kind=task.paused", { as: "audit-team" })
    expect(paused.body.entries).toMatchObject([{ body: { by: "operations-team", reason: "It looks wrong" } }])
  })
})
