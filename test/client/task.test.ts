// A task in its orchestrator's hands, without its orchestrator: what comes of a renewal that is refused for good, and of a token
// that is for another's key.
import { afterEach, expect, test } from "vitest"
import { ClientError } from "../../src/client/error.ts"
import { HeldToken } from "../../src/client/held-token.ts"
import { openTask } from "../../src/client/task.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { type ScriptedServer, startScripted } from "../support/scripted-server.ts"

let api: ScriptedServer
afterEach(() => api.close())

/** A task with one token for the API, of ten minutes from `now` on. */
const startedWith = (tokenType: "Bearer" | "DPoP", now: number) => ({
  id: "task_1",
  issuer: "https://issuer.example",
  state: "active",
  deadline: 0,
  tokens: [
    {
      resource: api.origin,
      token: new HeldToken(api.origin, "held"),
      tokenType,
      expiresAt: now + 600_000,
      renewAt: now + 450_000,
      scope: [],
      authorizationDetails: [],
    },
  ],
})

test("a token that may not be renewed any more is not asked for again, and serves to its end", async () => {
  api = await startScripted(() => ({ body: {} }))
  const clock = createFakeClock()
  const started = startedWith("Bearer", clock.now())
  let renewals = 0
  const renew = async () => {
    renewals++
    throw new ClientError("No", { code: "renewal_not_allowed", status: 403, next: "stop" })
  }
  const task = openTask(started, { renew, change: async () => ({ state: "active", tokens: [] }) }, clock)
  for (const passed of [450_000, 100_000, 49_999]) {
    clock.advance(passed)
    expect((await task.fetch(api.origin)).status).toBe(200)
  }
  expect(renewals).toBe(1)
  clock.advance(1)
  await expect(task.fetch(api.origin)).rejects.toMatchObject({ next: "stop" })
  expect(api.asked).toHaveLength(3)
})

test("a token that is bound to the agent's key is not sent without it", async () => {
  api = await startScripted(() => ({ body: {} }))
  const clock = createFakeClock()
  const started = startedWith("DPoP", clock.now())
  const calls = { renew: async () => [], change: async () => ({ state: "active", tokens: [] }) }
  const task = openTask(started, calls, clock)
  await expect(task.fetch(api.origin)).rejects.toMatchObject({ code: "token_missing", next: "stop" })
  expect(api.asked).toEqual([])
})
