// Observe mode, held against one framework at a time: nothing is refused, everything is said, and it ends by itself.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { bearer, type HostedApi, openHost } from "../support/hosted-api.ts"
import type { Host } from "../support/hosts.ts"

const LINE = "GET /tickets/42"
const DAY = 86_400_000

export function describeObserving(host: Host) {
  describe("observe mode", () => {
    let api: HostedApi
    const until = "2026-03-02T09:00:00.000Z" // a day ahead of the fake clock
    beforeAll(async () => {
      api = await openHost(host, { mode: { observe: { until } } })
    })
    afterEach(() => {
      api.seen.others.length = 0
      api.seen.handled.length = 0
    })
    afterAll(() => api.close())

    test("lets a request through that would be refused, without token and use, and records what it would have had", async () => {
      const task = newId("task")
      const token = api.mint({ txn: task })
      const answer = await api.send("GET /tickets/43", bearer(token), "X-Kept: yes")
      expect([answer.status, answer.json()]).toEqual([401, { theirs: false }])
      expect(answer.header("taskmint-observed")).toBe(`resource_not_granted; until="${until}"`)
      expect(answer.header("www-authenticate")).toBeUndefined()
      expect(api.seen.handled).toEqual([])
      expect(api.seen.others).toEqual([expect.stringMatching(/x-kept/i)])
      expect(api.seen.others[0]).not.toContain(token)
      const uses = await api.usesOf(task)
      expect(uses).toMatchObject([
        { decision: "observed", code: "resource_not_granted", resource: ["tickets", "43"], status: 401 },
      ])
    })

    test("lets through what carries no token of ours, and leaves it as it came", async () => {
      for (const [headers, code, status] of [
        [[], "token_missing", 401],
        [["Authorization: Basic dGhlaXJz"], "token_missing", 200],
        [[bearer("opaque")], "token_invalid", 401],
      ] as const) {
        const answer = await api.send(LINE, ...headers)
        expect([answer.status, answer.header("taskmint-observed")]).toEqual([
          status,
          `${code}; until="${until}"`,
        ])
      }
      expect(api.seen.others[1]).toContain("dGhlaXJz")
      expect(api.seen.others[2]).toContain("opaque")
    })

    test("hides what only says that it is ours", async () => {
      const forged = `${api.mint()}x`
      expect((await api.send(LINE, bearer(forged))).header("taskmint-observed")).toContain("token_invalid")
      expect(api.seen.others[0]).not.toContain(forged)
    })

    test("gives the handler its use where the request would be allowed, and says so", async () => {
      const answer = await api.send(LINE, bearer(api.mint()))
      expect([answer.status, answer.header("taskmint-observed")]).toEqual([201, `allowed; until="${until}"`])
      expect(api.seen.handled[0]?.use.parameters).toEqual({ id: "42" })
    })

    test("is told to the operator, and ends by itself", async () => {
      expect(api.verifier.ready().reasons).toContain(`observe mode: nothing is refused until ${until}`)
      api.clock.advance(DAY + 1000)
      expect((await api.send(LINE)).status).toBe(401)
      expect((await api.send(LINE)).header("taskmint-observed")).toBeUndefined()
      expect(api.verifier.ready().reasons.join()).not.toContain("observe")
      expect(api.seen.others).toEqual([])
    })
  })
}
