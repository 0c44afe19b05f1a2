// The sidecar in observe mode, beyond what every adapter promises: what the upstream, or the proxy that asks, gets of a
// request that would have been refused, and what is refused all the same.
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { createForwardAuth, FRONTS, type Front } from "../../src/sidecar/forward-auth.ts"
import { newId } from "../../src/token/id.ts"
import { closeServer, sendRaw } from "../support/guarded-api.ts"
import { bearer, partsOf } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { CLOSE, openProxied, type Proxied, pairsOf } from "../support/proxied.ts"
import { ROUTES } from "../support/sidecar-host.ts"

const until = "2026-03-02T09:00:00.000Z" // a day ahead of the fake clock
const DAY = 86_400_000
const LIES = ["Taskmint-Task: x", "taskmint_agent: x", "TASKMINT-RESOURCE: x"]
const THEIRS = "Authorization: Basic dGhlaXJz"

let api: Proxied
beforeAll(async () => {
  api = await openProxied({ mode: { observe: { until } } })
})
afterEach(() => api.endProxies())
afterAll(() => api.close())

describe("as a proxy", () => {
  test("what would be refused goes on by its matched path, without use, token and the caller's own words", async () => {
    const { send, got, host } = await api.beforeWitness()
    const task = newId("task")
    const answer = await send("GET /tickets/43?a=b", bearer(api.mint(task)), "DPoP: x", CLOSE, ...LIES)
    expect(answer.text).toMatch(/^HTTP\/1\.1 200 [\s\S]*told$/)
    expect(partsOf(answer.text).header("taskmint-observed")).toBe(`resource_not_granted; until="${until}"`)
    expect(partsOf(answer.text).header("cache-control")).toBe("no-store")
    expect(got[0]?.url).toBe("/tickets/43?a=b")
    expect(got.flatMap(pairsOf)).toEqual([`Host: ${host}`, "Connection: keep-alive"])
    const recorded = { decision: "observed", code: "resource_not_granted", status: 200 }
    expect(await api.usesOf(task)).toMatchObject([recorded])
  })

  test("a credential of somebody else's goes on as it came, one that only says that it is ours does not", async () => {
    const { send, got, host } = await api.beforeWitness()
    const lines = ["GET /tickets/42", CLOSE, "DPoP: x", ...LIES] as const
    const answer = await send(...lines, THEIRS)
    expect(partsOf(answer.text).header("taskmint-observed")).toMatch(/^token_missing;/)
    expect(got.flatMap(pairsOf)).toEqual([`Host: ${host}`, "DPoP: x", THEIRS, "Connection: keep-alive"])
    got.length = 0
    await send(...lines, bearer(`${api.mint()}x`))
    expect(got.flatMap(pairsOf)).toEqual([`Host: ${host}`, "Connection: keep-alive"])
  })

  test("what is allowed has its use, and the answer says so", async () => {
    const { send, got } = await api.beforeWitness()
    const task = newId("task")
    const answer = await send("GET /tickets/42", bearer(api.mint(task)), CLOSE, ...LIES)
    expect(partsOf(answer.text).header("taskmint-observed")).toBe(`allowed; until="${until}"`)
    expect(got[0]?.headers["taskmint-task"]).toBe(task)
  })

  test.each([
    ["of no route", 403, "GET /nowhere", []],
    ["in two readings", 400, "GET /tickets/43/../42", []],
    ["by a renamed method", 400, "GET /tickets/42", ["X-HTTP-Method-Override: DELETE"]],
    ["of an unknown coding", 400, "POST /tickets/42/close", ["Transfer-Encoding: x, chunked"]],
  ])("a request %s is refused with %i all the same", async (_, status, line, headers) => {
    const { send, got } = await api.beforeWitness()
    for (const credential of [bearer(api.mint()), THEIRS]) {
      const answer = await send(line, credential, CLOSE, ...headers)
      expect([answer.status, partsOf(answer.text).header("taskmint-observed")]).toEqual([status, undefined])
    }
    expect(got).toEqual([])
  })

  test("an upgrade that would be refused is a tunnel, and says so", async () => {
    const got: IncomingMessage[] = []
    const server = createServer()
    const sockets = new WebSocketServer({ noServer: true })
    server.on("upgrade", (req, socket, head) => {
      got.push(req)
      sockets.handleUpgrade(req, socket, head, (one) => one.on("message", (data) => one.send(`${data}!`)))
    })
    const { port } = await api.place(await listen(server))
    const task = newId("task")
    const headers = { authorization: `Bearer ${api.mint(task)}`, "taskmint-task": "x" }
    const socket = new WebSocket(`ws://127.0.0.1:${port}/tickets/43`, { headers })
    const [[answer]] = await Promise.all([once(socket, "upgrade"), once(socket, "open")])
    expect((answer as IncomingMessage).headers["taskmint-observed"]).toMatch(/^resource_not_granted;/)
    socket.send("one")
    expect(String((await once(socket, "message"))[0])).toBe("one!")
    expect(got.flatMap(pairsOf).join("\n")).not.toMatch(/authorization|taskmint/i)
    socket.terminate()
    expect(await api.usesOf(task)).toMatchObject([{ decision: "observed", status: 101 }])
  })
})

describe.each(FRONTS)("asked by %s", (front) => {
  let server: Awaited<ReturnType<typeof listen>>
  beforeAll(async () => {
    const options = { verifier: api.verifier, resource: API, routes: ROUTES, front }
    server = await listen(createServer(createForwardAuth(options)))
  })
  afterAll(() => closeServer(server))

  const ask = async (target: string, ...headers: string[]) => {
    const { port } = server.address() as AddressInfo
    const lines = [...asked(front, target), "Host: x", CLOSE, ...headers, "", ""]
    const { status, text } = await sendRaw(String(port), lines.join("\r\n"))
    return { status, text, header: partsOf(text).header }
  }
  /** An empty header stands over the caller's own at every proxy; a missing one would let it through at Envoy. */
  const EMPTY = /^Taskmint-Task: \r\nTaskmint-Agent: \r\nTaskmint-Resource: \r$/m

  test("what would be refused may go on, without a use, and the answer says so", async () => {
    const task = newId("task")
    const answer = await ask("/tickets/43", bearer(api.mint(task)), ...LIES)
    expect(answer.status).toBe(200)
    expect(answer.header("taskmint-observed")).toBe(`resource_not_granted; until="${until}"`)
    expect(answer.text).toMatch(EMPTY)
    expect(answer.header("taskmint-credential")).toBeUndefined()
    expect(await api.usesOf(task)).toMatchObject([{ decision: "observed", code: "resource_not_granted" }])
  })

  test("a credential of somebody else's is said to be one, for the proxy to leave it on", async () => {
    for (const headers of [[], [THEIRS], [bearer("opaque")]]) {
      const answer = await ask("/tickets/42", ...headers)
      expect([answer.status, answer.header("taskmint-credential")]).toEqual([200, "other"])
      expect(answer.text).toMatch(EMPTY)
    }
    expect((await ask("/tickets/42", bearer(`${api.mint()}x`))).header("taskmint-credential")).toBeUndefined()
    const allowed = await ask("/tickets/42", bearer(api.mint()))
    expect(allowed.header("taskmint-observed")).toMatch(/^allowed;/)
    expect(allowed.header("taskmint-task")).toMatch(/^task_/)
    expect(allowed.header("taskmint-credential")).toBeUndefined()
  })

  test.each([
    ["/nowhere", 403],
    ["/tickets/4%32", 400],
  ])("%s is %i all the same", async (target, status) => {
    const answer = await ask(target, bearer(api.mint()))
    expect([answer.status, answer.header("taskmint-observed")]).toEqual([status, undefined])
  })
})

test("it ends by itself", async () => {
  const { send, got } = await api.beforeWitness()
  api.clock.advance(DAY + 1000)
  const answer = await send("GET /tickets/42", THEIRS, CLOSE)
  expect([answer.status, partsOf(answer.text).header("taskmint-observed")]).toEqual([401, undefined])
  expect(got).toEqual([])
})

/** As that proxy asks. */
function asked(front: Front, target: string): string[] {
  if (front === "envoy") return [`GET /check${target} HTTP/1.1`]
  const [method, uri] =
    front === "nginx" ? ["X-Original-Method", "X-Original-URI"] : ["X-Forwarded-Method", "X-Forwarded-Uri"]
  return ["GET /check HTTP/1.1", `${method}: GET`, `${uri}: ${target}`]
}
