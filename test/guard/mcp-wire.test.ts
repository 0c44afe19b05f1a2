// The MCP adapter and what no client would send: bytes as an attacker would write them, to the official server.
import { connect } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { bearer, METADATA } from "../support/hosted-api.ts"
import { callOf, type McpApi, openMcp } from "../support/mcp-host.ts"

let api: McpApi
beforeAll(async () => {
  api = await openMcp()
})
afterEach(() => {
  api.seen.handled.length = 0
  expect(api.seen.unguarded).toEqual([])
})
afterAll(() => api.close())

const JSON_TYPE = "Content-Type: application/json"
const ACCEPT = "Accept: application/json, text/event-stream"
const one = callOf("read_ticket", { id: "42" })
const text = JSON.stringify(one)
const message = (method: string, params: object, id?: number) => ({ jsonrpc: "2.0", id, method, params })
const SCOPE = `Bearer error="insufficient_scope", ${METADATA}`

describe("C31 a call", () => {
  /** With a token for ticket 42 and everything that a tool does. */
  const MALFORMED: [string, unknown, number][] = [
    ["in a batch", [one], 400],
    ["in a batch of two, one of them granted", [one, callOf("read_ticket", { id: "43" }, 2)], 400],
    ["in a batch of two with one id", [one, callOf("close_ticket", { id: "42" })], 400],
    ["in an empty batch", [], 400],
    ["without an id: a notification", { ...one, id: undefined }, 400],
    ["with null as its id", { ...one, id: null }, 400],
    ["with an object as its id", { ...one, id: {} }, 400],
    ["with half a number as its id", { ...one, id: 1.5 }, 400],
    ["with two ids", text.replace('"id":1', '"id":1,"id":2'), 400],
    ["with two methods", text.replace('"method"', '"method":"ping","method"'), 400],
    ["with two names", text.replace('"name"', '"name":"open","name"'), 400],
    ["with two of the argument", text.replace('"id":"42"', '"id":"42","id":"43"'), 400],
    ["with __proto__ among its arguments", text.replace('"id":"42"', '"__proto__":{"id":"42"}'), 400],
    ["with __proto__ escaped", text.replace('"id":"42"', '"\\u005f_proto__":{"id":"42"}'), 400],
    ["with constructor among its arguments", text.replace('"id":"42"', '"id":"42","constructor":{}'), 400],
    ["with a result beside it", { ...one, result: {} }, 400],
    ["without a version", { ...one, jsonrpc: undefined }, 400],
    ["of another version", { ...one, jsonrpc: "1.0" }, 400],
    ["with a list of params", { ...one, params: ["read_ticket"] }, 400],
    ["without params", { ...one, params: undefined }, 400],
    ["of a tool that has no name", { ...one, params: { name: { toString: 1 } } }, 400],
    ["that is no JSON", `${text}}`, 400],
    ["behind a byte order mark", `\uFEFF${text}`, 400],
    ["of nothing", "", 400],
    ["that nests without an end", text.replace('"42"', "[".repeat(5000) + "]".repeat(5000)), 400],
    ["that is larger than a MiB", callOf("read_ticket", { id: "42", more: "x".repeat(1024 * 1024) }), 413],
  ]
  test.each(MALFORMED)("%s is not served", async (_, body, status) => {
    const task = newId("task")
    const answer = await api.post(body, [bearer(api.mint({ txn: task }))])
    expect([answer.status, answer.json()]).toMatchObject([status, { jsonrpc: "2.0", error: {}, id: null }])
    expect((await api.post(body, [])).header("www-authenticate")).toBe(`Bearer ${METADATA}`)
    expect(api.seen.handled).toEqual([])
    expect(await api.usesOf(task)).toEqual([])
  })

  test("in a batch is told that there are none", async () => {
    expect((await api.post([one], [bearer(api.mint())])).text).toContain("batches are not served")
  })

  test("whose body breaks off runs nothing, and the next one is served", async () => {
    const gone = Promise.withResolvers<void>()
    api.server.once("connection", (socket) => socket.once("close", () => gone.resolve()))
    const head = ["POST /mcp HTTP/1.1", "Host: x", JSON_TYPE, ACCEPT, bearer(api.mint())]
    const bytes = [...head, `Content-Length: ${text.length + 1}`, "", text].join("\r\n")
    const socket = connect(api.port, "127.0.0.1", () => socket.end(bytes))
    socket.on("error", () => undefined).resume()
    await gone.promise
    expect(api.seen.handled).toEqual([])
    expect((await api.post(one, [bearer(api.mint())])).status).toBe(200)
  })

  test("that is not UTF-8 is not served", async () => {
    const [start = "", end = ""] = text.split("42")
    const bytes = Buffer.concat([Buffer.from(start), Buffer.from([0xff]), Buffer.from(end)])
    const headers = { authorization: `Bearer ${api.mint()}`, "content-type": "application/json" }
    expect((await fetch(api.url, { method: "POST", headers, body: bytes })).status).toBe(400)
    expect(api.seen.handled).toEqual([])
  })

  test.each([
    ["no type", [ACCEPT]],
    ["text", ["Content-Type: text/plain", ACCEPT]],
    ["what only begins like JSON", ["Content-Type: application/jsonx", ACCEPT]],
    ["a second type", ["Content-Type: text/plain, application/json", ACCEPT]],
    ["an encoding", [JSON_TYPE, "Content-Encoding: gzip", ACCEPT]],
  ])("sent as %s is 415", async (_, kind) => {
    expect((await api.post(one, [bearer(api.mint())], "/mcp", kind)).status).toBe(415)
    expect((await api.post(one, [], "/mcp", kind)).status).toBe(401)
    expect(api.seen.handled).toEqual([])
  })

  test.each([
    ["C29 another ticket beside it, deeper", { id: "42", ticket: { id: "43" } }, 200, "allowed"],
    ["C29 another ticket", { id: "43", ticket: { id: "42" } }, 403, "resource_not_granted"],
    ["C29 the id one level deeper only", { ticket: { id: "42" } }, 403, "segment_invalid"],
    ["a list", { id: ["42"] }, 403, "segment_invalid"],
    ["a number", { id: 42 }, 403, "segment_invalid"],
    ["an object that reads as text", { id: { toString: "42" } }, 403, "segment_invalid"],
    ["a path", { id: "42/../43" }, 403, "segment_invalid"],
    ["a pattern", { id: "*" }, 403, "segment_invalid"],
    ["nothing", {}, 403, "segment_invalid"],
    ["text instead of arguments", "42", 403, "segment_invalid"],
    ["null instead of arguments", null, 403, "segment_invalid"],
    ["a list instead of arguments", ["42"], 403, "segment_invalid"],
  ])("with %s is decided on its own argument", async (_, given, status, verdict) => {
    const task = newId("task")
    const answer = await api.post(callOf("read_ticket", given), [bearer(api.mint({ txn: task }))])
    expect(answer.status).toBe(status)
    expect(api.seen.handled.map(({ id, use }) => [id, use.resource])).toEqual(
      status === 200 ? [["42", ["tickets", "42"]]] : [],
    )
    const [use, ...more] = await api.usesOf(task)
    expect([use?.code ?? use?.decision, use?.route, more]).toEqual([verdict, "tools/call read_ticket", []])
  })

  test("C30 of a list where one was declared is refused, whatever the list holds", async () => {
    for (const ids of [["42"], ["42", "43"], []])
      expect((await api.post(callOf("read_many", { ids }), [bearer(api.mint())])).status).toBe(403)
  })

  test("is not moved by what _meta claims", async () => {
    const [task, other] = [newId("task"), newId("task")]
    const claims = {
      task: other,
      authInfo: { token: "x", extra: { task: { task: other } } },
      progressToken: 7,
    }
    const meta = { ...claims, "io.modelcontextprotocol/related-task": { taskId: other } }
    const spoofed = { ...one, params: { ...one.params, _meta: meta } }
    expect((await api.post(spoofed, [])).status).toBe(401)
    expect((await api.post(spoofed, [bearer(api.mint({ txn: task }))])).status).toBe(200)
    expect(api.seen.handled.map(({ use }) => use.task)).toEqual([task])
    expect(await api.usesOf(other)).toEqual([])
  })

  test("is not renamed by a header", async () => {
    const headers = [bearer(api.mint()), "Mcp-Name: read_ticket", "Mcp-Method: tools/call"]
    expect((await api.post(callOf("open", {}), headers)).status).toBe(403)
  })

  test("of a tool that nobody mapped, or that is none, is refused and recorded nowhere", async () => {
    const task = newId("task")
    for (const tool of [
      "open",
      "nothing",
      "__proto__",
      "constructor",
      "toString",
      "read_ticket ",
      "READ_TICKET",
    ]) {
      const answer = await api.post(callOf(tool, { id: "42" }), [bearer(api.mint({ txn: task }))])
      expect([answer.status, answer.header("www-authenticate")]).toEqual([403, SCOPE])
      expect(answer.json()).toMatchObject({ code: "route_unmapped", next: "stop" })
      // Which tools there are is told to nobody who has no token.
      expect((await api.post(callOf(tool, {}), [])).status).toBe(401)
    }
    expect(await api.usesOf(task)).toEqual([])
  })
})

test.each([
  "resources/list",
  "resources/read",
  "resources/templates/list",
  "resources/subscribe",
  "subscriptions/listen",
  "prompts/list",
  "prompts/get",
  "completion/complete",
  "tasks/get",
  "tasks/result",
  "Tools/Call",
  "tools/call ",
  "notifications/initialized",
  "",
])("C31 the method %j is refused, for nothing decides it", async (method) => {
  const answer = await api.post(message(method, { uri: "tickets://greeting", name: "read_ticket" }, 1), [
    bearer(api.mint()),
  ])
  expect([answer.status, answer.json()]).toMatchObject([403, { code: "route_unmapped" }])
})

test.each(["initialize", "tools/list", "anything/else"])(
  "C31 %s as a notification is refused",
  async (method) => {
    const answer = await api.post(message(method, {}), [bearer(api.mint())])
    expect([answer.status, answer.json()]).toMatchObject([403, { code: "route_unmapped" }])
  },
)

test("a notification of the client passes, with a token only", async () => {
  const note = { jsonrpc: "2.0", method: "notifications/initialized" }
  expect((await api.post(note, [bearer(api.mint())])).status).toBe(202)
  expect((await api.post(note, [])).status).toBe(401)
})

describe("C31 a session", () => {
  const SESSION = "Mcp-Session-Id: 00000000-0000-4000-8000-000000000000"

  test("is none: no id is given out, and one that was guessed is worth nothing", async () => {
    const hello = message(
      "initialize",
      {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "x", version: "1" },
      },
      1,
    )
    const [mine, theirs] = [newId("task"), newId("task")]
    const answer = await api.post(hello, [bearer(api.mint({ txn: mine })), SESSION])
    expect([answer.status, answer.header("mcp-session-id")]).toEqual([200, undefined])
    expect((await api.post(one, [SESSION])).status).toBe(401)
    expect((await api.post(one, [bearer(api.mint({ txn: theirs })), SESSION])).status).toBe(200)
    expect(api.seen.handled.map(({ use }) => use.task)).toEqual([theirs])
    expect(api.seen.handled[0]?.headers).not.toContain("mcp-session-id")
  })

  test.each(["GET", "DELETE", "PUT", "OPTIONS"])("is neither streamed nor ended by %s", async (method) => {
    expect((await api.send(`${method} /mcp`, SESSION, ACCEPT)).status).toBe(401)
    const answer = await api.send(`${method} /mcp`, bearer(api.mint()), SESSION, ACCEPT)
    expect([answer.status, answer.header("allow")]).toEqual([405, "POST"])
  })
})
