// WebSockets through the sidecar's proxy: no byte reaches the upstream before the decision, and none of what was refused.
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { newId } from "../../src/token/id.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { CLOSE, openProxied, type Proxied, pairsOf } from "../support/proxied.ts"

let api: Proxied
beforeAll(async () => {
  api = await openProxied()
})
afterEach(() => api.endProxies())
afterAll(() => api.close())

const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==",
]

const MANY = Array.from({ length: 1000 }, () => "a:")

/** Echoes; `got` is every request that arrived, upgraded or not. */
async function beforeSockets() {
  const got: IncomingMessage[] = []
  const server = createServer((req, res) => {
    got.push(req)
    res.writeHead(418).end("tea")
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on("upgrade", (req, socket, head) => {
    got.push(req)
    if (req.url?.includes("unwanted"))
      return void socket.end("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    if (req.url?.includes("broken")) return void socket.destroy()
    sockets.handleUpgrade(req, socket, head, (one) => one.on("message", (data) => one.send(`${data}!`)))
  })
  return { ...(await api.place(await listen(server))), got, sockets }
}

describe("C35 an allowed upgrade", () => {
  test("is a tunnel, both ways, and its use has the status 101", async () => {
    const { port, got, sockets } = await beforeSockets()
    const task = newId("task")
    const headers = { authorization: `Bearer ${api.mint(task)}`, "taskmint-task": "x" }
    const socket = new WebSocket(`ws://127.0.0.1:${port}/tickets/42?a=b`, { headers })
    await once(socket, "open")
    socket.send("one")
    expect(String((await once(socket, "message"))[0])).toBe("one!")
    socket.send("x".repeat(300_000))
    expect(String((await once(socket, "message"))[0]).length).toBe(300_001)
    expect(got[0]?.url).toBe("/tickets/42?a=b")
    const said = got.flatMap(pairsOf).join("\n")
    expect(said).toMatch(new RegExp(`^Taskmint-Task: ${task}$`, "m"))
    expect(said).not.toMatch(/authorization|taskmint-task: x|evil/)
    const [behind] = sockets.clients
    socket.close(4000)
    if (behind?.readyState !== WebSocket.CLOSED) expect((await once(behind ?? socket, "close"))[0]).toBe(4000)
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 101, method: "GET" }])
  })

  test("that the upstream does not want is the upstream's answer", async () => {
    const { send } = await beforeSockets()
    const task = newId("task")
    const answer = await send("GET /tickets/42?unwanted", bearer(api.mint(task)), ...UPGRADE)
    expect([answer.status, answer.text.split("\r\n\r\n")[1]]).toEqual([403, "no"])
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 403 }])
  })

  test("that the upstream breaks off is 502", async () => {
    const { send } = await beforeSockets()
    const task = newId("task")
    const answer = await send("GET /tickets/42?broken", bearer(api.mint(task)), ...UPGRADE)
    expect([answer.status, answer.text]).toEqual([502, expect.stringContaining("upstream_failed")])
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 502 }])
  })
})

describe("C35 a refused upgrade", () => {
  test.each([
    ["without a token", "GET /tickets/42", () => [], 401],
    ["of another ticket", "GET /tickets/43", () => [bearer(api.mint())], 403],
    ["of no route", "GET /sockets", () => [bearer(api.mint())], 403],
    ["of a path in two readings", "GET /tickets/42/../43", () => [bearer(api.mint())], 400],
    ["with a body", "GET /tickets/42", () => [bearer(api.mint()), "Content-Length: 3"], 400],
    [
      "with so many headers that some may be dropped",
      "GET /tickets/42",
      () => [bearer(api.mint()), ...MANY],
      400,
    ],
    ["by POST", "POST /tickets/42/close", () => [bearer(api.mint())], 400],
  ])("%s is a finished answer, and the upstream hears nothing", async (_, line, headers, status) => {
    const { send, got } = await beforeSockets()
    const answer = await send(line, ...headers(), ...UPGRADE)
    expect(answer.status).toBe(status)
    expect(answer.text).toMatch(/content-type: application\/problem\+json[\s\S]*connection: close[\s\S]*\}$/i)
    expect(got).toEqual([])
  })

  test("leaves nothing behind it on the connection", async () => {
    const { send, got } = await beforeSockets()
    const next = `GET /tickets/42 HTTP/1.1\r\nHost: x\r\n${bearer(api.mint())}`
    expect((await send("GET /tickets/43", bearer(api.mint()), ...UPGRADE, "", next)).status).toBe(403)
    expect(got).toEqual([])
  })
})

test("an offer of another protocol is not taken up", async () => {
  const { send, got } = await beforeSockets()
  const h2c = ["Connection: close, Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
  expect((await send("GET /tickets/42", bearer(api.mint()), ...h2c)).status).toBe(418)
  expect(got.flatMap(pairsOf).join("\n")).not.toMatch(/upgrade|http2/i)
  expect((await send("GET /tickets/42", CLOSE, "Upgrade: websocket", bearer(api.mint()))).status).toBe(418)
})

test("ends when the sidecar does", async () => {
  const { port, sockets } = await beforeSockets()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/tickets/42`, {
    headers: { authorization: `Bearer ${api.mint()}` },
  })
  await once(socket, "open")
  const ended = once([...sockets.clients][0] ?? socket, "close")
  api.endProxies()
  await Promise.all([ended, once(socket, "close")])
})
