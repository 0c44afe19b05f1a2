// The guard's own listeners: what bounds a connection on them, and that their end waits for nobody without one.
import { once } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type GuardServer, openGuardServer } from "../../src/cli/guard-server.ts"
import type { GuardSettings } from "../../src/cli/guard-settings.ts"
import { closeServer, optionsOf, sendRaw, startVerifier } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { API, OPERATIONS } from "../support/issuer-stub.ts"
import { ROUTES } from "../support/sidecar-host.ts"

let started: Awaited<ReturnType<typeof startVerifier>>
let guard: GuardServer | undefined
beforeEach(async () => {
  started = await startVerifier()
})
afterEach(async () => {
  await guard?.drain(0)
  await started.close()
})

const NOWHERE = { upstream: "http://127.0.0.1:9" }
const open = async (duty: GuardSettings["duty"]) => {
  guard = await openGuardServer(started.verifier, {
    verifier: optionsOf(started.stub.issuer, "unused.db"),
    routes: ROUTES,
    duty,
    host: "127.0.0.1",
    port: 0,
    management: undefined,
  })
  return guard
}
const mint = () => {
  const grants = [{ api: API, operations: OPERATIONS, resources: [["tickets", "42"]], rule: "a#/0" }]
  return started.stub.mint({ grants })
}

test("C34 it reads all headers that its limit of bytes lets in, and no more bytes", async () => {
  const { port } = await open(NOWHERE)
  const send = (...headers: string[]) =>
    sendRaw(
      String(port),
      ["GET /tickets/42 HTTP/1.1", "Host: x", "Connection: close", ...headers, "", ""].join("\r\n"),
    )
  const many = Array.from({ length: 1100 }, () => "a:")
  expect((await send(bearer(mint()), ...many)).text).toMatch(/^HTTP\/1\.1 400 [\s\S]*"pointer":"\/headers"/)
  expect((await send(bearer(mint()), `a: ${"x".repeat(17_000)}`)).status).toBe(431)
})

test("an upgrade that becomes whole when the guard is told to end is no tunnel, and the end does not wait for it", async () => {
  const upstream = createServer()
  const arrived: unknown[] = []
  upstream.on("upgrade", (_, socket) => {
    arrived.push(socket)
    socket.write("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
  })
  const behind = (await listen(upstream)).address() as AddressInfo
  const { port, drain } = await open({ upstream: `http://127.0.0.1:${behind.port}` })
  const socket = connect(port, "127.0.0.1")
  await once(socket, "connect")
  const whole = `GET /tickets/42 HTTP/1.1\r\nHost: x\r\n${bearer(mint())}\r\n`
  await new Promise((resolve) => socket.write(whole, resolve))
  // Answered on another connection: the first has been read so far.
  await sendRaw(String(port), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
  const drained = drain(60_000)
  socket.write("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
  const closed = once(socket.resume(), "close")
  await Promise.all([drained, closed])
  expect(arrived).toEqual([])
  await closeServer(upstream)
})

/** Sends the head of a request with a body, and of that a byte now and then, until it is cut off. */
async function drip(port: number, lines: readonly string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined)
  let text = ""
  socket.setEncoding("latin1").on("data", (part) => {
    text += part
  })
  socket.write([...lines, "Host: x", "Content-Length: 1000000", "", ""].join("\r\n"))
  const dripping = setInterval(() => socket.write("x"), 200)
  await once(socket, "close")
  clearInterval(dripping)
  return text.split("\r\n")[0] ?? ""
}

test("J04 whoever is answered before its body is there keeps no connection by sending more of it", async () => {
  const upstream = await listen(createServer((_, res) => res.writeHead(413, { Connection: "close" }).end()))
  const behind = upstream.address() as AddressInfo
  const { port } = await open({ upstream: `http://127.0.0.1:${behind.port}` })
  const metadata = started.verifier.metadata.path
  const CASES = [
    [[`GET ${metadata} HTTP/1.1`], 200],
    [["POST /tickets/42/close HTTP/1.1"], 401],
    [["POST /nowhere HTTP/1.1"], 403],
    [["POST /tickets/42/../close HTTP/1.1"], 400],
    [["POST /tickets/42/close HTTP/1.1", bearer(mint())], 413],
    [["GET /tickets/42 HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"], 400],
  ] as const
  const answers = await Promise.all(CASES.map(([lines]) => drip(port, lines)))
  expect(answers.map((line) => Number(line.split(" ")[1]))).toEqual(CASES.map(([, status]) => status))
  await closeServer(upstream)
})

test("J04 nor does whoever asks as a proxy in front would", async () => {
  const { port } = await open({ front: "nginx" })
  const paths = ["/check", "/nowhere", "/livez", started.verifier.metadata.path]
  const answers = await Promise.all(paths.map((path) => drip(port, [`GET ${path} HTTP/1.1`])))
  expect(answers.map((line) => Number(line.split(" ")[1]))).toEqual([400, 404, 200, 200])
}, 40_000)
