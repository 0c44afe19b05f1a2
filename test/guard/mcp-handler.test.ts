// The MCP mount and the handler behind it, spoken to in process or kept waiting: what is handed on, what comes back, and
// when a use ends.
import { request } from "node:http"
import { createMcpHandler } from "@modelcontextprotocol/server"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { guard } from "../../src/guard/mcp.ts"
import { guarded, type McpHandler, type Serve } from "../../src/guard/mcp-mount.ts"
import { newId } from "../../src/token/id.ts"
import { bearer, grantsFor } from "../support/hosted-api.ts"
import { Seen } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { callOf, type McpApi, openMcp, serverOf } from "../support/mcp-host.ts"

let api: McpApi
beforeAll(async () => {
  api = await openMcp()
})
afterEach(() => {
  api.seen.handled.length = 0
  api.seen.act = () => undefined
})
afterAll(() => api.close())

const LIST = { jsonrpc: "2.0", id: "list", method: "tools/list" }
const ONE = callOf("read_ticket", { id: "42" })
const gate = () => Promise.withResolvers<void>()

const asked = (body: unknown, headers: readonly [string, string][] = []) =>
  new Request(`${API}/mcp`, {
    method: "POST",
    headers: new Headers([
      ["content-type", "application/json; charset=utf-16"],
      ["accept", "application/json, text/event-stream"],
      ...headers,
    ]),
    body: JSON.stringify(body),
  })
const authorized = (token = api.mint()): [string, string] => ["authorization", `Bearer ${token}`]

/** A handler of a test's own, which lists a tool as long as the mount asks. */
async function mounted(serve: (request: Request) => Response | Promise<Response>) {
  let isStarted = false
  const fetch: McpHandler["fetch"] = async (given) =>
    isStarted
      ? serve(given)
      : Response.json({ jsonrpc: "2.0", id: 1, result: { tools: [{ name: "read_ticket" }] } })
  const tools = { read_ticket: guard(api.verifier, "tickets:read", "tickets/{id}") }
  const guardedServe = await guarded(api.verifier, tools, { fetch })
  isStarted = true
  return guardedServe
}

describe("without a node server", () => {
  let serve: Serve
  beforeAll(async () => {
    const tools = { read_ticket: guard(api.verifier, "tickets:read", "tickets/{id}") }
    serve = await guarded(api.verifier, tools, createMcpHandler(serverOf(api.seen)), { strict: false })
  })

  test("a request is decided as it is, and two credentials are none", async () => {
    const answer = await serve(asked(ONE, [authorized()]))
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("42")])
    expect((await serve(asked(ONE, [authorized(), authorized()]))).status).toBe(400)
    expect((await serve(asked(ONE))).status).toBe(401)
    expect((await serve(new Request(`${API}/mcp`))).status).toBe(401)
    expect(api.seen.handled.length).toBe(1)
  })
})

describe("what is handed on", () => {
  test("is the message that was decided on, spelled anew, without credential, session and what frames a body", async () => {
    let got: { body: string; headers: Headers } | undefined
    const serve = await mounted(async (given) => {
      got = { body: await given.text(), headers: given.headers }
      return Response.json({ jsonrpc: "2.0", id: 1, result: {} }, { headers: { "mcp-session-id": "theirs" } })
    })
    const extra: [string, string][] = [
      authorized(),
      ["dpop", "x"],
      ["mcp-session-id", "mine"],
      ["last-event-id", "7"],
      ["x-kept", "yes"],
    ]
    const answer = await serve(asked({ ...ONE, params: { ...ONE.params, more: [1.5, null] } }, extra))
    expect([answer.status, answer.headers.get("mcp-session-id")]).toEqual([200, null])
    expect(await answer.json()).toMatchObject({ result: {} })
    expect(JSON.parse(got?.body ?? "")).toEqual({ ...ONE, params: { ...ONE.params, more: [1.5, null] } })
    expect(got?.headers.get("content-type")).toBe("application/json")
    expect([...(got?.headers.keys() ?? [])].sort()).toEqual(["accept", "content-type", "x-kept"])
  })
})

describe("a list", () => {
  const tools = ["read_ticket", "secret", 7, null].map((name) => ({ name }))
  const listed = async (make: (id: unknown) => Response, token = api.mint()) => {
    const serve = await mounted(async (given) => make(((await given.json()) as { id: unknown }).id))
    return serve(asked({ ...LIST, params: { cursor: "2" } }, [authorized(token)]))
  }
  const answer = (id: unknown, result: object) => ({ jsonrpc: "2.0", id, result })

  test("is cut, keeps its cursor, and is nobody else's to keep", async () => {
    const result = { tools, nextCursor: "3", ttlMs: 60_000, cacheScope: "public" }
    const response = await listed((id) => Response.json(answer(id, result)))
    expect(response.headers.get("cache-control")).toBe("no-store")
    expect(await response.json()).toEqual(
      answer("list", { ...result, tools: [{ name: "read_ticket" }], cacheScope: "private" }),
    )
    const other = api.mint({ grants: grantsFor(API, ["tickets:close"]) })
    expect(await (await listed((id) => Response.json(answer(id, result)), other)).json()).toMatchObject({
      result: { tools: [], nextCursor: "3" },
    })
  })

  test("is found in a stream that does not end, in pieces", async () => {
    const text = (id: unknown) =>
      `: hello\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"x"}\n\ndata: ${JSON.stringify(answer(id, { tools }))}\n\n`
    const response = await listed((id) => {
      const bytes = [...Buffer.from(text(id))]
      const body = new ReadableStream({
        pull(controller) {
          const next = bytes.shift()
          if (next !== undefined) controller.enqueue(Uint8Array.of(next))
        },
      })
      return new Response(body, { headers: { "content-type": "text/event-stream" } })
    })
    expect(await response.json()).toEqual(answer("list", { tools: [{ name: "read_ticket" }] }))
  })

  test("that failed says so", async () => {
    const error = { code: -32_602, message: "no such cursor" }
    const response = await listed((id) => Response.json({ jsonrpc: "2.0", id, error }, { status: 400 }))
    expect([response.status, await response.json()]).toEqual([400, { jsonrpc: "2.0", id: "list", error }])
  })

  test.each([
    [406, { jsonrpc: "2.0", error: { code: -32_000, message: "Not Acceptable" }, id: null }],
    [400, { jsonrpc: "2.0", error: { code: -32_000, message: "Unsupported protocol version" } }],
  ])("that failed before its id was read says so with %i", async (status, error) => {
    const response = await listed(() => Response.json({ ...error, tools }, { status }))
    expect([response.status, await response.json()]).toEqual([status, error])
  })

  test.each([
    ["an accept of one type", ["accept", "application/json"], 406],
    ["a revision that is none", ["mcp-protocol-version", "1999-01-01"], 400],
  ] as const)("with %s is refused as the SDK refuses it", async (_, [name, value], status) => {
    const server = createMcpHandler(serverOf(new Seen()))
    const serve = await guarded(api.verifier, {}, server, { strict: false })
    const request = asked(LIST, [authorized()])
    request.headers.set(name, value)
    const answer = await serve(request)
    expect([answer.status, await answer.json()]).toMatchObject([status, { error: {}, id: null }])
  })

  const json = { headers: { "content-type": "application/json" } }
  const stream = { headers: { "content-type": "text/event-stream" } }
  const cut = () => new ReadableStream({ pull: (controller) => controller.error(new Error("secret")) })
  test.each([
    ["of another question", () => Response.json(answer("other", { tools }))],
    ["that is none", (id: unknown) => Response.json(answer(id, { tools: { 0: { name: "secret" } } }))],
    ["in a batch", (id: unknown) => Response.json([answer(id, { tools })])],
    ["of another type", (id: unknown) => new Response(JSON.stringify(answer(id, { tools })))],
    ["to nobody", () => Response.json({ ...answer(null, { tools }), error: {} }, { status: 400 })],
    ["that failed with 200 and no id", () => Response.json({ error: { data: tools }, id: null })],
    ["that is no JSON", () => new Response('{"secret"', json)],
    ["that is no JSON in a stream", () => new Response('data: {"secret"\n\n', stream)],
    ["that breaks", () => new Response(cut(), json)],
    ["that breaks in a stream", () => new Response(cut(), stream)],
    ["without a body", () => new Response(null, { status: 202 })],
    ["that is a page", () => new Response("<p>secret", { status: 500 })],
  ])("%s is let through by nobody, and is no fault of the mount", async (_, make) => {
    const response = await listed(make)
    expect([response.status, response.headers.get("cache-control")]).toEqual([503, "no-store"])
    const error = { code: -32_603, message: "The server's list of tools can't be read" }
    expect(await response.json()).toEqual({ jsonrpc: "2.0", error, id: "list" })
  })

  test("that can't be read at the start stops it as misuse", async () => {
    const server = { fetch: async () => new Response("{", json) }
    await expect(guarded(api.verifier, {}, server)).rejects.toThrow(TypeError)
  })
})

describe("the outcome", () => {
  test("of a handler that throws is a use with 500", async () => {
    const task = newId("task")
    const serve = await mounted(() => Promise.reject(new Error("broken")))
    await expect(serve(asked(ONE, [authorized(api.mint({ txn: task }))]))).rejects.toThrow("broken")
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 500 }])
  })

  test("of a response without a body, or with a stream that breaks, is a use with its status", async () => {
    const task = newId("task")
    const token = authorized(api.mint({ txn: task }))
    const broken = () => new ReadableStream({ pull: (controller) => controller.error(new Error("cut")) })
    await (await mounted(() => new Response(null, { status: 202 })))(asked(ONE, [token]))
    const cut = await (await mounted(() => new Response(broken(), { status: 207 })))(asked(ONE, [token]))
    await expect(cut.text()).rejects.toThrow("cut")
    const left = await (await mounted(() => new Response("x".repeat(9), { status: 206 })))(
      asked(ONE, [token]),
    )
    await left.body?.cancel()
    const statuses = (await api.usesOf(task)).map(({ status }) => status)
    expect(statuses).toEqual([202, 207, 206])
  })

  test("of a client that goes away is one use, and the tool runs to its end", async () => {
    const task = newId("task")
    const [held, started] = [gate(), gate()]
    let ended = false
    api.seen.act = async () => {
      started.resolve()
      await held.promise
      ended = true
    }
    const gone = Promise.withResolvers<void>()
    api.server.once("connection", (socket) => socket.once("close", () => gone.resolve()))
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }
    const authorization = `Bearer ${api.mint({ txn: task })}`
    const outgoing = request(api.url, {
      method: "POST",
      agent: false,
      headers: { ...headers, authorization },
    })
    outgoing.on("error", () => undefined).end(JSON.stringify(ONE))
    await started.promise
    outgoing.destroy()
    await gone.promise
    held.resolve()
    const uses = await api.usesOf(task)
    expect(uses.map(({ decision, status }) => [decision, status])).toEqual([["allowed", 200]])
    await vi.waitFor(() => expect(ended).toBe(true))
  })
})

test("C31 calls at once with one id get an answer each, their own", async () => {
  const tickets = ["42", "43", "44", "45"]
  const grants = [
    { api: API, operations: ["tickets:read"], resources: [["tickets", "*"]], rule: "x.yaml#/0" },
  ]
  const all = Promise.withResolvers<void>()
  api.seen.act = async () => {
    if (api.seen.handled.length === tickets.length) all.resolve()
    await all.promise
  }
  const tasks = tickets.map(() => newId("task"))
  const answers = tickets.map((id, at) =>
    api.post(callOf("read_ticket", { id }), [bearer(api.mint({ txn: tasks[at] ?? "", grants }))]),
  )
  for (const [at, { text }] of (await Promise.all(answers)).entries())
    expect(text).toContain(`{\\"id\\":\\"${tickets[at]}\\"}`)
  const used = new Map(api.seen.handled.map(({ use }) => [use.task, use.parameters.id]))
  expect(tasks.map((task) => used.get(task))).toEqual(tickets)
})

test('others: "next" leaves nothing to anybody: what is not ours is refused', async () => {
  const other = await openMcp({ others: "next" })
  for (const headers of [[], ["Authorization: Basic dGhlaXJz"], [bearer("opaque")]]) {
    expect((await other.post(ONE, headers)).status).toBe(403)
    expect((await other.post(LIST, headers)).status).toBe(401)
  }
  expect(other.seen.handled).toEqual([])
  expect((await other.post(ONE, [bearer(other.mint())])).status).toBe(200)
  await other.close()
})

test("in observe mode calls and lists go on that would be refused, without checked values, and say so", async () => {
  const other = await openMcp({ mode: { observe: { until: "2026-03-02T09:00:00Z" } } })
  const task = newId("task")
  const refused = callOf("read_ticket", { id: "43" })
  const answer = await other.post(refused, [bearer(other.mint({ txn: task }))])
  expect(answer.text).toContain("taskmint-observed: resource_not_granted")
  expect(answer.text).toContain("no guard has decided this call")
  expect((await other.post(ONE, [])).text).toContain("token_missing")
  expect((await other.post(LIST, [])).text).toContain("read_ticket")
  expect(other.seen.handled).toEqual([])
  expect(await other.usesOf(task)).toMatchObject([
    { decision: "observed", code: "resource_not_granted", status: 200 },
  ])
  expect((await other.post(ONE, [bearer(other.mint())])).text).toContain("taskmint-observed: allowed")
  await other.close()
})

test("a body may be as large as the host says", async () => {
  const seen = new Seen()
  const server = createMcpHandler(serverOf(seen))
  const serve = await guarded(api.verifier, {}, server, { strict: false, maxBodyBytes: 200 })
  const size = (bytes: number) => {
    const bare = { jsonrpc: "2.0", id: 1, method: "ping", params: { more: "" } }
    return { ...bare, params: { more: "x".repeat(bytes - JSON.stringify(bare).length) } }
  }
  expect((await serve(asked(size(200), [authorized()]))).status).toBe(200)
  expect((await serve(asked(size(201), [authorized()]))).status).toBe(413)
})
