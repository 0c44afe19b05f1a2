// Forms that ask for a sign-in of the last 15 minutes, and approvers who are several entries of staff: what the routes make of
// a visitor, whoever made them one.
import { z } from "@hono/zod-openapi"
import { beforeEach, expect, test } from "vitest"
import type { Refusal } from "../../src/errors.ts"
import type { Caller } from "../../src/issuer/caller.ts"
import { action, page } from "../../src/issuer/console/route.ts"
import type { Visitor } from "../../src/issuer/console/visitor.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { ISSUER } from "../support/issuer-house.ts"

const clock = createFakeClock()
const NOW = Math.floor(clock.now() / 1000)
const caller: Caller = { clientId: "leads", kind: "staff", scopes: new Set(["approver"]), stands: () => true }
let visitor: Visitor | undefined
let done: number
beforeEach(() => {
  visitor = { caller, name: "people/lea" }
  done = 0
})

const parts = { issuer: ISSUER, clock, visitors: { of: async () => visitor } }
const entrance = {
  identify: async (): Promise<Refusal> => {
    throw new Error("there is no service token")
  },
  admission: {
    pass: <T>(_caller: string, _lane: string, work: () => Promise<T>) => work(),
    count: () => ({ first: { running: 0, waiting: 0 }, later: { running: 0, waiting: 0 } }),
  },
}

const decide = action(parts, {
  path: "/console/approvals/{id}/decide",
  summary: "",
  who: ["approver"],
  fresh: true,
  form: z.object({}),
  run: async () => `/console/approvals/${++done}`,
})
const tasks = page(parts, {
  path: "/console/tasks/{id}",
  summary: "",
  who: ["auditor"],
  run: async () => ({ title: "", body: "" }),
})

async function sent(endpoint: typeof decide, method: string): Promise<string | null | undefined> {
  const headers = { origin: ISSUER, "content-type": "application/x-www-form-urlencoded" }
  const request = new Request(`${ISSUER}/console`, {
    method,
    headers,
    ...(method === "POST" && { body: "" }),
  })
  const answer = await endpoint.answer(request, () => "1", entrance)
  return answer instanceof Response ? answer.headers.get("location") : answer.code
}

test.each([
  ["just now", NOW, 1],
  ["within 15 minutes", NOW - 899, 1],
  ["15 minutes ago", NOW - 900, 0],
])("whoever showed who they are %s", async (_what, signedInAt, times) => {
  visitor = { caller, name: "people/lea", signedInAt }
  const again = "/console/sign-in?again=yes&to=%2Fconsole%2Fapprovals"
  expect([await sent(decide, "POST"), done]).toEqual([times === 1 ? "/console/approvals/1" : again, times])
})

test("whoever shows it at each request, by a service token, is fresh", async () => {
  expect([await sent(decide, "POST"), done]).toEqual(["/console/approvals/1", 1])
})

test("whoever is not signed in comes back to the menu's place of what they asked for, and has done nothing", async () => {
  visitor = undefined
  expect(await sent(decide, "POST")).toBe("/console/sign-in?to=%2Fconsole%2Fapprovals")
  expect(await sent(tasks, "GET")).toBe("/console/sign-in?to=%2Fconsole%2Ftasks")
  expect(done).toBe(0)
})
