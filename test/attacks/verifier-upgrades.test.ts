// C35, G12 What is not one request and one answer: WebSocket upgrades, event streams, HTTP/2 and its extended CONNECT, and
// answers that go on when their token has ended. The sidecar's tunnel is in test/sidecar/tunnel.test.ts.
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server } from "node:http"
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2"
import type { AddressInfo } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { newId } from "../../src/token/id.ts"
import { closeServer, sendRaw, startVerifier } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { ONE_ROUTE, ONE_ROUTE_HTTP2, type Said } from "../support/one-route.ts"

let started: Awaited<ReturnType<typeof startVerifier>>
beforeAll(async () => {
  started = await startVerifier()
})
afterAll(() => started.close())

const PATH = "/tickets/SUP-1042"
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
const ask = (server: Server, path: string, ...headers: string[]) =>
  sendRaw(String(portOf(server)), [`GET ${path} HTTP/1.1`, "Host: x", ...headers, "", ""].join("\r\n"))
const usesOf = async (task: string) => {
  await started.verifier.flush()
  return started.stub.uses().filter((use) => use.task === task)
}

const WEBSOCKET = [
  "Connection: Upgrade, close",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==",
]
const H2C = ["Connection: close, Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]

describe.each(ONE_ROUTE)("$name", ({ name, start }) => {
  let ran = 0
  let says: Said = {}
  let server: Server
  beforeAll(async () => {
    server = await start(started.verifier, () => {
      ran += 1
      return says
    })
  })
  afterEach(() => {
    ran = 0
    says = {}
  })
  afterAll(() => closeServer(server))

  test("C35 a request to upgrade is a request like any other, and nothing is upgraded", async () => {
    for (const offer of [WEBSOCKET, H2C]) {
      expect((await ask(server, PATH, ...offer)).status).toBe(401)
      expect((await ask(server, "/tickets/SUP-1043", bearer(started.stub.mint()), ...offer)).status).toBe(403)
      expect(ran).toBe(0)
    }
    const task = newId("task")
    const offer = name === "sidecar" ? H2C : WEBSOCKET // its tunnel has a test of its own
    const answer = await ask(server, PATH, bearer(started.stub.mint({ txn: task })), ...offer)
    expect([answer.status, ran]).toEqual([200, 1])
    expect(await usesOf(task)).toMatchObject([{ decision: "allowed", status: 200 }])
  })

  test("C35 an event stream is decided before its first byte", async () => {
    let asked = 0
    says = { headers: { "Content-Type": "text/event-stream" }, body: events(() => asked++) }
    for (const headers of [[], [bearer("junk")]]) {
      const answer = await ask(server, PATH, "Accept: text/event-stream", "Connection: close", ...headers)
      expect([answer.status, ran, asked]).toEqual([401, 0, 0])
      expect(answer.text).not.toContain("data:")
    }
    const answer = await ask(server, PATH, "Connection: close", bearer(started.stub.mint()))
    expect([answer.status, ran, asked]).toEqual([200, 1, 1])
    expect(answer.text).toContain("data: 1")
  })

  test("G12 an answer that is under way when its token is revoked goes on to its end; the next request is refused", async () => {
    const task = newId("task")
    const [entered, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    says = { headers: { "Content-Type": "text/event-stream" }, body: heldEvents(entered, held.promise) }
    const token = bearer(started.stub.mint({ txn: task }))
    const running = ask(server, PATH, token, "Connection: close")
    await entered.promise
    says = {}
    started.stub.revoke({ kind: "task", value: task })
    await vi.waitFor(async () => {
      expect((await ask(server, PATH, token, "Connection: close")).text).toContain("token_revoked")
    }, 10_000)
    held.resolve()
    const { status, text } = await running
    expect([status, text.includes("data: first"), text.includes("data: last")]).toEqual([200, true, true])
    const uses = await usesOf(task)
    expect(uses[0]).toMatchObject({ decision: "allowed", status: 200 })
    expect(uses.some(({ decision, code }) => decision === "refused" && code === "token_revoked")).toBe(true)
  })
})

async function* events(asked: () => void) {
  asked()
  yield "data: 1\n\n"
}

async function* heldEvents(entered: PromiseWithResolvers<void>, held: Promise<void>) {
  yield "data: first\n\n"
  entered.resolve()
  await held
  yield "data: last\n\n"
}

describe("a WebSocket server of the host's own, which gets upgrades past every router", () => {
  const opened: unknown[] = []
  let server: Server
  beforeAll(async () => {
    const sockets = new WebSocketServer({ noServer: true })
    server = await listen(createServer((_, res) => void res.writeHead(404).end()))
    server.on("upgrade", async (incoming: IncomingMessage, socket, head) => {
      const { method = "", url = "", rawHeaders } = incoming
      const resource = ["tickets", decodeURIComponent(url.split("/")[2] ?? "")]
      const view = { method, target: url, rawHeaders }
      const decision = await started.verifier.check(view, "tickets:read", resource)
      if (decision.outcome !== "allowed") return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
      decision.finished(101)
      sockets.handleUpgrade(incoming, socket, head, (one) => {
        opened.push(decision.use.resource)
        one.close()
      })
    })
  })
  afterAll(() => closeServer(server))

  test("C35 asks the verifier before it upgrades, and its use has the status 101", async () => {
    expect((await ask(server, PATH, ...WEBSOCKET)).status).toBe(403)
    expect((await ask(server, "/tickets/43", bearer(started.stub.mint()), ...WEBSOCKET)).status).toBe(403)
    expect(opened).toEqual([])
    const task = newId("task")
    const headers = { authorization: `Bearer ${started.stub.mint({ txn: task })}` }
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(server)}${PATH}`, { headers })
    await once(socket, "close")
    expect(opened).toEqual([["tickets", "SUP-1042"]])
    expect(await usesOf(task)).toMatchObject([{ decision: "allowed", status: 101 }])
  })
})

describe.each(ONE_ROUTE_HTTP2)("$name over HTTP/2", ({ start }) => {
  let ran = 0
  let seen = ""
  let session: ClientHttp2Session
  let server: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    server = await start(started.verifier, (...views) => {
      ran += 1
      seen = JSON.stringify(views)
      return { body: "ran", headers: { "Cache-Control": "public" } }
    })
    session = connectHttp2(`http://127.0.0.1:${portOf(server)}`).on("error", () => undefined)
    await once(session, "remoteSettings")
  })
  afterEach(() => {
    ran = 0
  })
  afterAll(async () => {
    session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  const send = async (headers: Record<string, string | string[]>) => {
    const stream = session.request({ ":path": PATH, ...headers })
    const ended = once(stream, "close")
    const got = await Promise.race([once(stream, "response"), ended, once(stream, "error")])
    const [answer] = got as [Record<string, unknown>?]
    stream.resume().close(constants.NGHTTP2_CANCEL)
    return { status: Number(answer?.[":status"] ?? 0), headers: answer ?? {} }
  }
  const authorized = () => ({ authorization: `Bearer ${started.stub.mint()}` })

  test("C35 is guarded as over HTTP/1.1", async () => {
    const refused = await send({})
    expect([refused.status, refused.headers["cache-control"], ran]).toEqual([401, "no-store", 0])
    expect(String(refused.headers["www-authenticate"])).toContain("Bearer")
    expect((await send({ ...authorized(), ":path": "/tickets/SUP-1043" })).status).toBe(403)
    expect(ran).toBe(0)
    const { status, headers } = await send({ ...authorized(), dpop: "x", "x-kept": "yes" })
    expect(seen).toContain("x-kept")
    expect(seen).not.toMatch(/authorization|dpop|bearer|eyJ/i)
    expect([status, headers["cache-control"], headers.vary, ran]).toEqual([
      200,
      "no-store",
      "Authorization, DPoP",
      1,
    ])
  })

  test("C35 an extended CONNECT reaches no handler", async () => {
    for (const headers of [{}, authorized()]) {
      const { status } = await send({
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        ...headers,
      })
      expect([status, ran]).toEqual([405, 0])
    }
  })
})
