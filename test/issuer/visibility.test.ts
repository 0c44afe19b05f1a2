import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type House, openHouse, START } from "../support/issuer-house.ts"

let house: House
let taskId: string
beforeAll(async () => {
  house = await openHouse()
  const started = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  taskId = String(started.body.task_id)
})
afterAll(() => house.remove())

const asked = async (method: string, path: string, call: Parameters<House["ask"]>[2]) => {
  const { status, body } = await house.ask(method, path, call)
  const { request_id: _, ...told } = body
  return { status, told }
}

describe("tasks", () => {
  test("an orchestrator sees its own; auditors and operators see all", async () => {
    for (const as of ["support-orchestrator", "audit-team", "operations-team"] as const) {
      expect((await house.ask("GET", `/tasks/${taskId}`, { as })).body, as).toMatchObject({
        task_id: taskId,
        state: "active",
      })
      expect((await house.ask("GET", "/tasks", { as })).body.tasks, as).toMatchObject([{ task_id: taskId }])
    }
    expect((await house.ask("GET", "/tasks", { as: "release-orchestrator" })).body.tasks).toEqual([])
  })

  test.each([
    ["GET", "", undefined],
    ["POST", "/tokens", {}],
    ["POST", "/pause", {}],
    ["POST", "/resume", {}],
    ["POST", "/complete", {}],
    ["POST", "/fail", {}],
    ["POST", "/cancel", {}],
  ])("%s /tasks/{id}%s: another's task answers like a missing one", async (method, end, json) => {
    const call = { as: "release-orchestrator", ...(json && { json }) } as const
    const others = await asked(method, `/tasks/${taskId}${end}`, call)
    const missing = await asked(method, `/tasks/task_01a2015d-9a60-7bc1-8d89-654aa2e41021${end}`, call)
    expect(others).toEqual(missing)
    expect(others.status).toBe(404)
  })

  test("a task's view holds no token and no purpose", async () => {
    const { body } = await house.ask("GET", `/tasks/${taskId}`, { as: "support-orchestrator" })
    expect(JSON.stringify(body)).not.toMatch(/eyJ/)
    expect(body.tokens).toMatchObject([{ state: "live", api: "tickets" }])
  })

  test("the list goes on where it stopped", async () => {
    const more = await Promise.all(
      [1, 2, 3].map(() => house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })),
    )
    expect(more.map((one) => one.status)).toEqual([201, 201, 201])
    const ids: unknown[] = []
    for (let next: unknown = ""; next !== null; ) {
      const { body } = await house.ask("GET", `/tasks?limit=2${next ? `&after=${next}` : ""}`, {
        as: "support-orchestrator",
      })
      ids.push(...(body.tasks as { task_id: string }[]).map((task) => task.task_id))
      next = body.next
    }
    expect(new Set(ids).size).toBe(4)
    expect(ids).toHaveLength(4)
  })
})

describe("the ledger", () => {
  const entries = async (query: string) =>
    (await house.ask("GET", `/ledger/entries${query}`, { as: "audit-team" })).body.entries as Record<
      string,
      unknown
    >[]

  test("each query is one entry, whatever it finds", async () => {
    const before = (await entries("?kind=access.read&limit=1000")).length
    await entries("?agent=nobody")
    await entries("")
    // Two just now, and the one that counts.
    expect((await entries("?kind=access.read&limit=1000")).length).toBe(before + 3)
    const last = (await entries("?kind=access.read&limit=1000")).at(-1)
    expect(last).toMatchObject({
      body: { by: "audit-team", parameters: { kind: "access.read", limit: 1000 } },
    })
  })

  test("finds by each filter", async () => {
    expect((await entries(`?task=${taskId}`)).map((entry) => entry.kind)).toEqual([
      "task.started",
      "token.issued",
    ])
    for (const query of [
      "?agent=triage-bot",
      "?instance=pod-1",
      "?orchestrator=support-orchestrator",
      "?sub=support-orchestrator",
      "?kind=task.started",
      "?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z",
    ])
      expect((await entries(query)).length, query).toBeGreaterThan(0)
    expect(await entries("?to=2026-01-01T00:00:00Z")).toEqual([])
  })

  test.each([
    "?colour=red",
    "?kind=task.exploded",
    "?limit=0",
    "?limit=1001",
    "?limit=1e2",
    "?from=yesterday",
    "?after=xyz",
    "?outcome=maybe",
    "?agent=",
    "?agent=a&agent=b",
  ])("%s is refused, and is no query", async (query) => {
    const before = (await entries("?kind=access.read&limit=1000")).length
    expect((await house.call("GET", `/ledger/entries${query}`, { as: "audit-team" })).status).toBe(400)
    expect((await entries("?kind=access.read&limit=1000")).length).toBe(before + 1)
  })
})

describe("revocations", () => {
  test("an API reads what ends its own tokens, and nobody else's", async () => {
    const json = { kind: "task", value: taskId, reason: "stolen" }
    const set = await house.ask("POST", "/revocations", { as: "operations-team", json })
    expect(set).toMatchObject({
      status: 201,
      body: { kind: "task", tokens_ended: 1, lock: false, set_by: "operations-team" },
    })
    const mine = await house.ask("GET", "/revocations", { as: "tickets" })
    expect(mine.body.items).toMatchObject([{ kind: "task", value: taskId }])
    expect(
      (await house.ask("GET", `/revocations?after=${mine.body.cursor}`, { as: "tickets" })).body.items,
    ).toEqual([])
    expect((await house.ask("GET", "/revocations", { as: "deployments" })).body.items).toEqual([])
    expect((await house.ask("GET", `/tasks/${taskId}`, { as: "audit-team" })).body.state).toBe("revoked")
  })

  test("a lock stands until it is lifted", async () => {
    const json = { kind: "agent", value: "triage-bot", reason: "odd behaviour" }
    const set = await house.ask("POST", "/revocations", { as: "operations-team", json })
    const refused = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    expect([refused.status, refused.body.code]).toEqual([403, "locked"])
    house.clock.advance(1000)
    const standing = async () => (await house.ask("GET", "/locks", { as: "operations-team" })).body.locks
    expect(await standing()).toMatchObject([{ id: set.body.id, kind: "agent", value: "triage-bot" }])
    const lifted = await house.ask("DELETE", `/revocations/${set.body.id}`, { as: "operations-team" })
    expect(lifted.body).toHaveProperty("lifted_at")
    expect(await standing()).toEqual([])
    expect((await house.call("POST", "/tasks", { as: "support-orchestrator", json: START })).status).toBe(201)
  })

  test.each([
    [{ kind: "everything", value: "x", reason: "x" }, "/kind"],
    [{ kind: "agent", value: "", reason: "x" }, "/value"],
    [{ kind: "agent", value: "x" }, "/reason"],
    [{ kind: "agent", value: "x", reason: "x", until: "tomorrow" }, "/until"],
    [{ kind: "api", value: "no-such-api", reason: "x" }, "/value"],
  ])("%j is refused with the place", async (json, pointer) => {
    const { status, body } = await house.ask("POST", "/revocations", { as: "operations-team", json })
    expect(status).toBe(400)
    expect(body.errors).toMatchObject([{ pointer }])
  })
})
