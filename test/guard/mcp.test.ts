// What the MCP adapter promises, with the official client and the official server over real HTTP, in both of the protocol's
// eras; and the contract's refusals, as every adapter is held to them. What no client would send is in mcp-wire.test.ts.
import { createMcpHandler } from "@modelcontextprotocol/server"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { guard, taskOf } from "../../src/guard/mcp.ts"
import { guarded } from "../../src/guard/mcp-mount.ts"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { grantsFor, METADATA } from "../support/hosted-api.ts"
import { API } from "../support/issuer-stub.ts"
import { asHosted, connectClient, type McpApi, mcp, openMcp, serverOf } from "../support/mcp-host.ts"
import { describeRefusals } from "./refusal.contract.ts"

let api: McpApi
beforeAll(async () => {
  api = await openMcp()
})
afterEach(() => {
  api.seen.handled.length = 0
  api.seen.act = () => undefined
  expect(api.seen.unguarded).toEqual([])
})
afterAll(() => api.close())
const key = importSigningKey(generatePrivateJwk("ES256"))
const bearing = (token: string) => () => ({ authorization: `Bearer ${token}` })
const only = (operation: string) => api.mint({ grants: grantsFor(API, [operation]) })
const read = (id: string) => ({ name: "read_ticket", arguments: { id } })

describeRefusals(() => asHosted(api), mcp)

describe.each(["legacy", "auto"] as const)("the official client (%s)", (mode) => {
  test("calls what its token grants, and each call is a use of its own, with the tool as its route", async () => {
    const task = newId("task")
    const client = await connectClient(api.url, bearing(api.mint({ txn: task })), mode)
    api.seen.act = () => api.clock.advance(1500)
    for (const name of ["read_ticket", "close_ticket"])
      expect(await client.callTool({ name, arguments: { id: "42" } })).toMatchObject({
        content: [{ text: '{"id":"42"}' }],
      })
    await client.close()
    expect(api.seen.handled[0]?.use).toMatchObject({
      task,
      agent: "triage-bot",
      operation: "tickets:read",
      resource: ["tickets", "42"],
      parameters: { id: "42" },
    })
    const use = {
      method: "POST",
      decision: "allowed",
      status: 200,
      duration_ms: 1500,
      resource: ["tickets", "42"],
    }
    const uses = await api.usesOf(task)
    expect(uses.map(({ id }) => id)).toEqual(api.seen.handled.map((one) => one.use.useId))
    expect(uses).toMatchObject([
      { ...use, operation: "tickets:read", route: "tools/call read_ticket" },
      { ...use, operation: "tickets:close", route: "tools/call close_ticket" },
    ])
  })

  test("is refused by HTTP where the token does not reach, and no tool runs", async () => {
    const task = newId("task")
    const client = await connectClient(api.url, bearing(api.mint({ txn: task })), mode)
    await expect(client.callTool(read("43"))).rejects.toThrow()
    await client.close()
    expect(api.seen.handled).toEqual([])
    expect(await api.usesOf(task)).toMatchObject([
      { decision: "refused", code: "resource_not_granted", status: 403 },
    ])
  })

  test("C31 lists what its token may call, and what no guard covers is on no list", async () => {
    const listed = async (token: string) => {
      const client = await connectClient(api.url, bearing(token), mode)
      const { tools } = await client.listTools()
      await client.close()
      return tools.map(({ name }) => name)
    }
    const task = newId("task")
    expect(await listed(api.mint({ txn: task }))).toEqual(["read_ticket", "close_ticket", "read_many"])
    expect(await listed(only("tickets:close"))).toEqual(["close_ticket"])
    expect(await listed(only("tickets:comment"))).toEqual([])
    expect(await api.usesOf(task)).toEqual([])
  })

  test("leaves no credential where a tool could look", async () => {
    const headers = { authorization: `Bearer ${api.mint()}`, dpop: "proof", "x-kept": "yes" }
    const client = await connectClient(api.url, () => headers, mode)
    await client.callTool(read("42"))
    await client.close()
    expect(api.seen.handled[0]?.headers).toMatch(/x-kept.*yes/)
    expect(api.seen.handled[0]?.headers).not.toMatch(/authorization|dpop|bearer|eyJ/i)
  })

  test("proves its key for POST at the endpoint, each proof once", async () => {
    const token = api.mint({ jkt: key.thumbprint })
    const proof = () =>
      signProof({ method: "POST", url: `${API}/mcp`, accessToken: token, now: api.seconds() }, key)
    let one: string | undefined
    const headers = () => ({ authorization: `DPoP ${token}`, dpop: one ?? proof() })
    const client = await connectClient(api.url, headers, mode)
    expect((await client.callTool(read("42"))).isError).toBeUndefined()
    one = proof()
    await client.callTool(read("42"))
    await expect(client.callTool(read("42"))).rejects.toThrow()
    await client.close()
    expect(api.seen.handled.length).toBe(2)
  })

  test("does not get in without a token, or with another API's (C32)", async () => {
    const aud = "https://other.example"
    const foreign = api.mint({ aud, grants: grantsFor(aud, ["tickets:read"]) })
    for (const headers of [() => ({}), bearing(foreign), bearing(api.mint({}, key))])
      await expect(connectClient(api.url, headers, mode)).rejects.toThrow()
  })

  test("says of a tool that failed what the SDK says; the use has HTTP's status", async () => {
    const task = newId("task")
    const client = await connectClient(api.url, bearing(api.mint({ txn: task })), mode)
    api.seen.act = () => Promise.reject(new Error("broken"))
    expect(await client.callTool(read("42"))).toMatchObject({ isError: true })
    await client.close()
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 200 }])
  })
})

describe("C31 at the start", () => {
  test("tools that no guard covers are named", () => {
    expect(api.unmapped).toEqual(["tools/call open"])
  })

  test.each([{ strict: true, onUnmapped: () => undefined }, { strict: true }, {}])(
    "they stop it with %o",
    async (options) => {
      await expect(mcp.start(api.verifier, api.seen, options)).rejects.toThrow(/tools\/call open/)
    },
  )

  test("a server of the newest revision only is asked as it wants to be", async () => {
    const handler = createMcpHandler(serverOf(api.seen), { legacy: "reject" })
    await expect(guarded(api.verifier, {}, handler)).rejects.toThrow(/read_ticket.*tools\/call open/)
  })

  test("lists of many pages are read to their end, and one without an end is not", async () => {
    const paged = (last: number) => ({
      fetch: async (request: Request) => {
        const { id, params } = (await request.json()) as { id: number; params: { cursor?: string } }
        const page = Number(params.cursor ?? 1)
        const nextCursor = page < last ? String(page + 1) : undefined
        return Response.json({
          jsonrpc: "2.0",
          id,
          result: { tools: [{ name: `tool_${page}` }], nextCursor },
        })
      },
    })
    await expect(guarded(api.verifier, {}, paged(3))).rejects.toThrow(/tool_1.*tool_2.*tool_3/)
    await expect(guarded(api.verifier, {}, paged(Number.POSITIVE_INFINITY))).rejects.toThrow(/pages/)
  })

  test.each([
    ["no list", () => Response.json({ jsonrpc: "2.0", id: 1, result: {} })],
    ["no answer to what was asked", () => Response.json({ jsonrpc: "2.0", id: 7, result: { tools: [] } })],
    ["no MCP at all", () => new Response("hello")],
  ])("a server that gives %s is not guarded", async (_, fetch) => {
    await expect(guarded(api.verifier, {}, { fetch: async () => fetch() })).rejects.toThrow(TypeError)
  })

  test("what is not a guard covers nothing, and misuse is told", async () => {
    const handler = createMcpHandler(serverOf(api.seen))
    const fake = Object.assign(guard(api.verifier, "tickets:read", "tickets/{id}").bind(null), {
      operation: "tickets:read",
    })
    await expect(guarded(api.verifier, { read_ticket: fake }, handler)).rejects.toThrow(/read_ticket/)
    for (const maxBodyBytes of [0, -1, 1.5, Number.NaN])
      await expect(guarded(api.verifier, {}, handler, { strict: false, maxBodyBytes })).rejects.toThrow(
        /maxBodyBytes/,
      )
    expect(() => guard(api.verifier, "tickets", "tickets/{id}")).toThrow(TypeError)
    expect(() => guard(api.verifier, "tickets:read", "tickets/**")).toThrow(TypeError)
  })
})

test("a tool that is reached around the guard gets no checked values", () => {
  const forged = { task: newId("task"), operation: "tickets:read", parameters: { id: "42" } }
  const authInfo = { token: "x", clientId: "x", scopes: [], extra: { task: forged } }
  for (const ctx of [{}, { http: {} }, { http: { authInfo } }]) expect(() => taskOf(ctx)).toThrow(TypeError)
})

test("what can't be told is 503, never invalid, and runs nothing", async () => {
  const other = await openMcp()
  const token = other.mint()
  other.stub.setDown(true)
  other.clock.advance(40_000)
  const headers = [`Authorization: Bearer ${token}`]
  const call = (name: string) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { ...read("42"), name },
  })
  const closing = await other.post(call("close_ticket"), headers)
  expect([closing.status, closing.header("retry-after")]).toEqual([503, "2"])
  expect(closing.json()).toMatchObject({ code: "revocations_stale", next: "wait" })
  // Reading is of low risk: it goes on, and so does the list that tells of it.
  expect((await other.post(call("read_ticket"), headers)).status).toBe(200)
  expect((await other.post({ jsonrpc: "2.0", id: 2, method: "tools/list" }, headers)).status).toBe(200)
  expect(other.seen.handled.map(({ use }) => use.operation)).toEqual(["tickets:read"])
  await other.verifier.close()
  const closed = await other.post({ jsonrpc: "2.0", id: 2, method: "tools/list" }, headers)
  expect([closed.status, closed.header("www-authenticate")]).toEqual([503, undefined])
  await other.close()
})

test("the resource's metadata is served where every challenge says it is", async () => {
  const answer = await api.send("GET /.well-known/oauth-protected-resource")
  expect(METADATA).toContain("/.well-known/oauth-protected-resource")
  expect([answer.status, answer.json()]).toMatchObject([200, { resource: API }])
})
