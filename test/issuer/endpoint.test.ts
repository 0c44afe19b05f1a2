// What every endpoint for callers with a service token does before its own work: in which order, and what it takes.
import { z } from "@hono/zod-openapi"
import { describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { createAdmission } from "../../src/issuer/admission.ts"
import type { Caller } from "../../src/issuer/caller.ts"
import { guarded, optionalJsonBody } from "../../src/issuer/endpoint.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const caller: Caller = {
  ...{ clientId: "audit-team", kind: "staff", scopes: new Set(["auditor"] as const) },
  stands: () => true,
}
const entrance = { identify: async () => caller, admission: createAdmission(createFakeClock()) }
const Listed = z.strictObject({ list: z.array(z.string()).optional() })
const about = { summary: "", group: "", answers: {}, path: "/x" }

/** The code and the wrong places, or the body that its work was given. */
async function ask(
  init: RequestInit = {},
  { query = "", who = "auditor" }: { query?: string; who?: "auditor" | "operator" } = {},
): Promise<unknown> {
  let got: unknown
  const endpoint = guarded({
    ...{ ...about, method: "post", who: [who], body: optionalJsonBody(Listed) },
    run: async ({ body }) => {
      got = body
      return new Response()
    },
  })
  const request = new Request(`https://taskmint.internal/x${query}`, { method: "POST", ...init })
  const answer = await endpoint.answer(request, () => "", entrance)
  return answer instanceof Refusal ? [answer.code, answer.errors.length] : got
}

const json = (value: unknown, headers: Record<string, string> = {}) => ({
  body: JSON.stringify(value),
  headers: { "content-type": "application/json", ...headers },
})

describe("an endpoint whose body may be left out", () => {
  test.each<[string, RequestInit, unknown]>([
    ["no body", {}, {}],
    ["a type and no body", { headers: { "content-type": "application/json" } }, {}],
    ["a length of nothing", { headers: { "content-length": "0" } }, {}],
    ["a body", json({ list: ["a"] }), { list: ["a"] }],
    [
      "one that comes in chunks, of no type",
      { headers: { "transfer-encoding": "chunked" } },
      ["unsupported_media_type", 0],
    ],
    ["one of some length, of no type", { headers: { "content-length": "2" } }, ["unsupported_media_type", 0]],
    ["members that there are not", json({ x: 1 }), ["invalid_request", 1]],
    [
      "a hundred wrong ones, of which twenty are told",
      json({ list: Array(100).fill(1) }),
      ["invalid_request", 20],
    ],
  ])("%s", async (_what, init, expected) => {
    expect(await ask(init)).toEqual(expected)
  })
})

test("a query where none is taken is refused, one that is empty is none", async () => {
  expect(await ask({}, { query: "?" })).toEqual({})
  expect(await ask({}, { query: "?dry_run=yes" })).toEqual(["invalid_request", 0])
})

test("whoever lacks the role is told so before a byte of what they sent is read", async () => {
  let read = 0
  const body = new ReadableStream(
    {
      pull(controller) {
        read++
        controller.enqueue(new TextEncoder().encode("{"))
      },
    },
    { highWaterMark: 0 },
  )
  const streamed = { body, duplex: "half", headers: { "content-type": "text/plain" } } as RequestInit
  expect(await ask(streamed, { query: "?a=b&a=c", who: "operator" })).toEqual(["role_missing", 1])
  expect(read).toBe(0)
})
