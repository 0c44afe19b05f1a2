// Asking about a token and ending it the OAuth way (RFC 7662, RFC 7009): who is told what, and what the ledger keeps.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type CallerName, type House, ISSUER, openHouse, START, TICKETS } from "../support/issuer-house.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const FORM = { "content-type": "application/x-www-form-urlencoded" }
const post = (path: string, as: CallerName, members: Record<string, string>) =>
  house.call("POST", path, { as, headers: FORM, body: new URLSearchParams(members).toString() })
const introspect = async (as: CallerName, token: string) => {
  const answer = await post("/introspect", as, { token, token_type_hint: "access_token" })
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"])
  return (await answer.json()) as Record<string, unknown>
}
async function start(): Promise<{ task: string; token: string }> {
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  const [first] = body.tokens as { access_token: string }[]
  return { task: String(body.task_id), token: first?.access_token ?? "" }
}
const entries = async (kind: string) => {
  const path = `/ledger/entries?kind=${kind}&limit=1000`
  const { body } = await house.ask("GET", path, { as: "audit-team" })
  return body.entries as Record<string, unknown>[]
}

describe("introspection", () => {
  test("tells an API the claims of a token of its own, and records that it asked", async () => {
    const { task, token } = await start()
    const told = await introspect("tickets", token)
    expect(told).toMatchObject({
      active: true,
      token_type: "Bearer",
      iss: ISSUER,
      aud: TICKETS,
      txn: task,
      client_id: "support-orchestrator",
      act: { sub: "triage-bot/pod-1" },
    })
    const asked = (await entries("token.introspected")).filter((one) => one.task_id === task)
    expect(asked).toMatchObject([{ api: "tickets", jti: told.jti, outcome: "allowed", agent: "triage-bot" }])
  })

  test.each<[string, CallerName, boolean]>([
    ["another API's", "deployments", false],
    ["another orchestrator's", "release-orchestrator", false],
    ["the task's own orchestrator's", "support-orchestrator", true],
    ["an auditor's", "audit-team", true],
    ["an operator's", "operations-team", true],
  ])("a token is %s to know of, or is not active to it", async (_whose, as, active) => {
    const { token } = await start()
    const told = await introspect(as, token)
    expect(told.active).toBe(active)
    if (!active) expect(told).toEqual({ active: false })
  })

  test.each<[string, (task: string) => Promise<unknown> | undefined]>([
    [
      "its task has ended",
      (task) => house.call("POST", `/tasks/${task}/complete`, { as: "support-orchestrator" }),
    ],
    [
      "its task is paused",
      (task) => house.call("POST", `/tasks/${task}/pause`, { as: "support-orchestrator" }),
    ],
    ["it has expired", () => void house.clock.advance(700_000)],
  ])("says only that a token is not active once %s", async (_why, change) => {
    const { task, token } = await start()
    await change(task)
    expect(await introspect("tickets", token)).toEqual({ active: false })
  })

  test("what is no token of ours is not active, and an API that guesses is seen", async () => {
    const before = (await entries("token.introspected")).length
    const { token } = await start()
    for (const guess of [
      "x",
      "a.b.c",
      `${token}=`,
      token.slice(0, -4),
      await house.serviceToken("audit-team"),
    ])
      expect(await introspect("tickets", guess)).toEqual({ active: false })
    expect(await introspect("support-orchestrator", "x")).toEqual({ active: false })
    expect((await entries("token.introspected")).length).toBe(before + 5)
  })

  test("errors are OAuth's, and nobody without a service token is told anything", async () => {
    const stranger = await house.call("POST", "/introspect", { headers: FORM, body: "token=x" })
    expect([stranger.status, stranger.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
    expect(await stranger.json()).toMatchObject({ error: "invalid_token", code: "service_token_missing" })
    const twice = await house.call("POST", "/introspect", {
      as: "tickets",
      headers: FORM,
      body: "token=x&token=y",
    })
    expect([twice.status, ((await twice.json()) as { error: string }).error]).toEqual([
      400,
      "invalid_request",
    ])
    expect((await post("/introspect", "tickets", {})).status).toBe(400)
    const json = await house.call("POST", "/introspect", { as: "tickets", json: { token: "x" } })
    expect(json.status).toBe(415)
  })
})

describe("revocation of one token", () => {
  test("ends it for its API and leaves the task running", async () => {
    const { task, token } = await start()
    expect((await post("/revoke", "support-orchestrator", { token })).status).toBe(200)
    expect(await introspect("tickets", token)).toEqual({ active: false })
    const { body } = await house.ask("GET", `/tasks/${task}`, { as: "support-orchestrator" })
    expect(body.state).toBe("active")
    const feed = await house.ask("GET", "/revocations?after=0", { as: "tickets" })
    expect(JSON.stringify(feed.body)).toContain((body.tokens as { jti: string }[])[0]?.jti)
  })

  test.each<[string, CallerName]>([
    ["another API", "deployments"],
    ["another orchestrator", "release-orchestrator"],
  ])("%s is answered as for a token that there is not, and ends nothing", async (_who, as) => {
    const { token } = await start()
    expect((await post("/revoke", as, { token })).status).toBe(200)
    expect((await introspect("tickets", token)).active).toBe(true)
  })

  test("twice is as once, and an auditor may not", async () => {
    const { token } = await start()
    const orders = async () => (await entries("token.revoked")).length
    expect((await post("/revoke", "tickets", { token })).status).toBe(200)
    const once = await orders()
    expect((await post("/revoke", "tickets", { token })).status).toBe(200)
    expect(await orders()).toBe(once)
    expect((await post("/revoke", "audit-team", { token })).status).toBe(403)
  })
})
