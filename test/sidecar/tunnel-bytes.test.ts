// WebSockets through the sidecar's proxy, byte by byte: what an upstream says in place of a 101, what comes in one piece with
// it, and callers that are gone.
import { once } from "node:events"
import { createServer as createHttpServer, type Server } from "node:http"
import { connect, createServer, type Socket } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import type { Verifier } from "../../src/verifier/verifier.ts"
import { closeServer } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { openProxied, type Proxied } from "../support/proxied.ts"
import { startProxy } from "../support/sidecar-host.ts"

let api: Proxied
beforeAll(async () => {
  api = await openProxied()
})
const closing: (() => unknown)[] = []
afterEach(async () => {
  api.endProxies()
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => api.close())

const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==",
]
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

/** An upstream that says these bytes to every request; what it heard. */
async function saying(text: string) {
  const heard: string[] = []
  const upstream = createServer((socket) => {
    closing.push(() => socket.destroy())
    socket.on("error", () => undefined).on("data", (piece) => heard.push(piece.toString("latin1")))
    socket.once("data", () => void socket.write(Buffer.from(text, "latin1")))
  })
  return { heard, upstream: (await listen(upstream as Server)) as Server }
}
const requestOf = (task: string, ...more: string[]) =>
  ["GET /tickets/42 HTTP/1.1", "Host: x", bearer(api.mint(task)), ...more, "", ""].join("\r\n")

/** A caller on a bare socket. */
async function callerOf(port: number, text: string) {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1")
  closing.push(() => socket.destroy())
  const said: string[] = []
  socket.on("data", (piece) => said.push(String(piece))).on("error", () => undefined)
  await once(socket, "connect")
  socket.write(text, "latin1")
  return { socket, text: () => said.join("") }
}

describe("C35 an upstream that", () => {
  test.each([
    [
      "answers in a coding that nobody asked for",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
    ["switches to another protocol", SWITCHED.replace("Upgrade: websocket", "Upgrade: h2c")],
  ])("%s is 502", async (_what, text) => {
    const { upstream } = await saying(text)
    const { send } = await api.place(upstream)
    const task = newId("task")
    expect(await send("GET /tickets/42", bearer(api.mint(task)), ...UPGRADE)).toMatchObject({ status: 502 })
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 502 }])
  })

  test("B20 says half a frame with its 101 is heard at once, and cut off without another word", async () => {
    const HALF = "\x82\x0a\x01\x02\x03"
    const { upstream } = await saying(SWITCHED + HALF)
    const { port } = await api.place(upstream)
    const task = newId("task")
    const caller = await callerOf(port, requestOf(task, ...UPGRADE))
    await expect.poll(caller.text).toMatch(/\x82\n\x01\x02\x03$/)
    const closed = once(caller.socket, "close")
    api.stub.revoke({ kind: "task", value: task })
    await closed
    expect(caller.text().split("\r\n\r\n")[1]).toBe(HALF)
  })

  test.each([
    ["switches", SWITCHED],
    ["does not", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"],
  ])("%s: its headers reach the caller byte for byte", async (_what, text) => {
    const { upstream } = await saying(text.replace("\r\n", "\r\nName: caf\xe9\r\n"))
    const { port } = await api.place(upstream)
    const caller = await callerOf(port, requestOf(newId("task"), ...UPGRADE))
    await expect.poll(caller.text).toMatch(/\r\n\r\n$/)
    expect(caller.text()).toContain("Name: caf\xe9\r\n")
  })

  test("switches hears what the caller sent already, and nothing of it before", async () => {
    const { upstream, heard } = await saying(SWITCHED)
    const { port } = await api.place(upstream)
    await callerOf(port, `${requestOf(newId("task"), ...UPGRADE)}early`)
    await expect.poll(() => heard.join("")).toMatch(/\r\n\r\nearly$/)
    expect(heard[0]).toMatch(/\r\n\r\n$/)
  })
})

/** A proxy whose verifier is watched, before an upstream of bytes. */
async function watched(upstream: Server, watch: (check: Verifier["check"]) => Verifier["check"]) {
  const verifier = { ...api.verifier, check: watch(api.verifier.check) }
  const { server, proxy } = await startProxy(verifier, upstream)
  closing.push(
    () => void upstream.close(),
    () => closeServer(server),
    () => proxy.close(),
  )
  closing.push(() => proxy.endTunnels())
  const address = server.address()
  return typeof address === "object" && address ? address.port : 0
}

test("B20 a tunnel that has closed is asked no more whether it stands", async () => {
  const asked = new Map<string, number>()
  const { upstream } = await saying(SWITCHED)
  const port = await watched(upstream, (check) => async (...given) => {
    const decision = await check(...given)
    if (decision.outcome !== "allowed") return decision
    const { task } = decision.use
    const stands = () => {
      asked.set(task, (asked.get(task) ?? 0) + 1)
      return decision.stands()
    }
    return { ...decision, stands }
  })
  const [gone, open] = [newId("task"), newId("task")]
  const leaving = await callerOf(port, requestOf(gone, ...UPGRADE))
  await callerOf(port, requestOf(open, ...UPGRADE))
  await expect.poll(() => Math.min(asked.get(gone) ?? 0, asked.get(open) ?? 0)).toBeGreaterThan(0)
  leaving.socket.destroy()
  const timesOf = (task: string) => asked.get(task) ?? 0
  const from = timesOf(open)
  await expect.poll(() => timesOf(open)).toBeGreaterThan(from + 1)
  const [left, stays] = [timesOf(gone), timesOf(open)]
  await expect.poll(() => timesOf(open)).toBeGreaterThan(stays + 1)
  expect(timesOf(gone)).toBe(left)
})

test.each([
  ["a request", []],
  ["an upgrade", UPGRADE],
])("of a caller that goes while %s is decided the upstream hears nothing", async (_what, more) => {
  const heard: string[] = []
  const upstream = await listen(
    createHttpServer((req, res) => void res.end(String(heard.push(String(req.url))))),
  )
  upstream.on("upgrade", (req, socket: Socket) => void socket.end(String(heard.push(`upgrade ${req.url}`))))
  const [asked, decide] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const port = await watched(upstream, (check) => async (...given) => {
    asked.resolve()
    const decision = await check(...given)
    await decide.promise
    return decision
  })
  const task = newId("task")
  const { socket } = await callerOf(port, requestOf(task, ...more))
  await asked.promise
  const closed = once(socket, "close")
  socket.resetAndDestroy()
  await closed
  // The next caller's answer shows that the server has seen the first one go, and what was heard before.
  const other = await callerOf(port, requestOf(newId("task"), "Connection: close").replace("42 ", "42?next "))
  await new Promise((resolve) => setImmediate(resolve))
  decide.resolve()
  await once(other.socket, "close")
  expect(heard).toEqual(["/tickets/42?next"])
  const [use] = await api.usesOf(task)
  expect(use).toMatchObject({ decision: "allowed" })
  expect(use).not.toHaveProperty("status")
})

describe("a caller that was turned away and keeps its connection", () => {
  const { setTimeout: later } = globalThis
  afterEach(() => void vi.unstubAllGlobals())

  test.each([
    ["in the middle of its body", ["POST /tickets/43/close HTTP/1.1", "Content-Length: 1000000"], "abc"],
    ["after an upgrade", ["GET /tickets/43 HTTP/1.1", ...UPGRADE], ""],
  ])("%s is cut off, five seconds later", async (_what, [line = "", ...headers], body) => {
    const { upstream } = await saying("")
    const { port } = await api.place(upstream)
    // Five seconds pass in a moment; whatever waits for another time waits as ever.
    vi.stubGlobal("setTimeout", (run: () => void, milliseconds: number) =>
      later(run, milliseconds === 5000 ? 1 : milliseconds),
    )
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    closing.push(() => socket.destroy())
    const closed = new Promise((resolve) => socket.on("error", resolve).on("close", resolve))
    socket.write([line, "Host: x", bearer(api.mint()), ...headers, "", body].join("\r\n"))
    socket.resume()
    const knocking = setInterval(() => socket.writable && socket.write("x"), 20)
    closing.push(() => clearInterval(knocking))
    await closed
  })
})
