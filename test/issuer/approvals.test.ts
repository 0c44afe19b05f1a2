import { decodeJwt } from "jose"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { canonicalParameters } from "../../src/token/parameters.ts"
import { approvalTexts } from "../support/approvals.ts"
import { type Call, type House, openHouse, START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"

let house: House
beforeEach(async () => {
  house = await openHouse({ dev: true, files: approvalTexts(POLICIES) })
})
afterEach(() => house.remove())

const asked = { as: "support-orchestrator" } as const
const post = (path: string, json: object, as: Call["as"] = "support-orchestrator") =>
  house.ask("POST", path, { ...(as && { as }), json })
const startTask = async () => String((await post("/tasks", START)).body.task_id)
const question = (task_id: string) => ({
  task_id,
  operation: "tickets:close",
  resource: "tickets/SUP-1042",
  reason: "It is solved",
  parameters: { resolution: "fixed" },
})

describe("an approval over HTTP", () => {
  test("is asked for by the orchestrator, decided by an approver, collected as a token, named with the task", async () => {
    const started = await post("/tasks", START)
    const taskId = String(started.body.task_id)
    expect(started.body.approvals).toEqual([
      { operations: ["tickets:close"], resources: ["tickets/SUP-1042"], by: ["operations-team"] },
    ])
    const requested = await post("/approvals", question(taskId))
    expect([requested.status, requested.body.state]).toEqual([201, "requested"])
    expect((await post("/approvals", question(taskId))).status).toBe(200)
    const id = String(requested.body.id)
    expect(await post(`/tasks/${taskId}/tokens`, { approval: id })).toMatchObject({
      status: 403,
      body: { code: "approval_pending", next: "wait" },
    })
    const seen = await house.ask("GET", "/approvals?state=requested", { as: "operations-team" })
    expect(seen.body.approvals).toMatchObject([
      { id, parameters: { resolution: "fixed" }, purpose: START.purpose },
    ])
    const granted = await post(`/approvals/${id}`, { decision: "grant" }, "operations-team")
    expect(granted.body).toMatchObject({ state: "granted", decided_by: "operations-team" })
    const { status, body } = await post(`/tasks/${taskId}/tokens`, { approval: id })
    expect(status).toBe(200)
    const [token] = body.tokens as { access_token: string; authorization_details: object[] }[]
    const digest = canonicalParameters({ resolution: "fixed" })?.digest
    expect(token?.authorization_details).toMatchObject([{ parameters: digest, once: true }])
    expect(decodeJwt(token?.access_token ?? "").scope).toBe("tickets:close")
    expect(await post(`/tasks/${taskId}/tokens`, { approval: id })).toMatchObject({
      status: 403,
      body: { code: "approval_invalid", next: "ask_approval" },
    })
    const shown = await house.ask("GET", `/tasks/${taskId}`, asked)
    expect(shown.body).toMatchObject({ approvals: [{ id, state: "collected" }] })
    const kinds = (shown.body.timeline as { kind: string }[]).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind.startsWith("approval."))).toEqual([
      "approval.requested",
      "approval.granted",
    ])
  })

  test("C13 by the requester itself: an orchestrator has no way to decide", async () => {
    const { body } = await post("/approvals", question(await startTask()))
    const refused = await post(`/approvals/${body.id}`, { decision: "grant" })
    expect(refused).toMatchObject({ status: 403, body: { code: "role_missing" } })
  })

  test.each([
    ["without a service token", undefined, 401],
    ["as an API", "tickets", 403],
    ["as staff that only watches", "audit-team", 403],
  ] as const)("can't be asked for %s", async (_how, as, status) => {
    const taskId = await startTask()
    expect(
      (await house.ask("POST", "/approvals", { ...(as && { as }), json: question(taskId) })).status,
    ).toBe(status)
  })

  test.each([
    ["a resource with a pattern", { resource: "tickets/*" }, "/resource"],
    ["a resource with an empty segment", { resource: "tickets//x" }, "/resource"],
    ["no reason", { reason: undefined }, "/reason"],
    ["parameters over 8 KiB", { parameters: ["x".repeat(8200)] }, "/parameters"],
    ["a member that nobody knows", { approve: true }, ""],
  ])("with %s is malformed", async (_what, changes, pointer) => {
    const refused = await post("/approvals", { ...question(await startTask()), ...changes })
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } })
    expect(refused.body.errors).toMatchObject([{ pointer }])
  })

  test("another orchestrator's can't be seen, and its list is empty", async () => {
    const { body } = await post("/approvals", question(await startTask()))
    const other = { as: "release-orchestrator" } as const
    expect((await house.ask("GET", `/approvals/${body.id}`, other)).status).toBe(404)
    expect((await house.ask("GET", "/approvals", other)).body).toEqual({ approvals: [], next: null })
    expect((await house.ask("GET", "/approvals", asked)).body.approvals).toHaveLength(1)
  })

  test("pages lead on to all of them", async () => {
    const taskId = await startTask()
    for (const parameters of [1, 2, 3]) await post("/approvals", { ...question(taskId), parameters })
    const first = await house.ask("GET", "/approvals?limit=2", asked)
    const second = await house.ask("GET", `/approvals?limit=2&after=${first.body.next}`, asked)
    const seen = [first, second].flatMap(({ body }) => body.approvals as { parameters: number }[])
    expect(seen.map(({ parameters }) => parameters)).toEqual([3, 2, 1])
    expect(second.body.next).toBeNull()
  })

  test("an approval is collected alone, never with an instance or a key", async () => {
    const taskId = await startTask()
    const { body } = await post("/approvals", question(taskId))
    expect((await post(`/tasks/${taskId}/tokens`, { approval: body.id, instance: "pod-2" })).status).toBe(400)
  })
})
