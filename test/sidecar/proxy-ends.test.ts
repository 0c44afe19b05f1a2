// What the sidecar's proxy tells, and to whom, when one of its two sides is gone or is not what it should be.
import { createServer, type Server } from "node:http"
import { type AddressInfo, connect, createServer as createSocketServer } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { createProxy } from "../../src/sidecar/proxy.ts"
import { newId } from "../../src/token/id.ts"
import { closeServer, sendRaw } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { CLOSE, openProxied, type Proxied } from "../support/proxied.ts"
import { ROUTES } from "../support/sidecar-host.ts"

let api: Proxied
beforeAll(async () => {
  api = await openProxied()
})
afterEach(() => api.endProxies())
afterAll(() => api.close())

describe("when one side is gone", () => {
  test("an upstream that is not there is 502, in the answer and in the record", async () => {
    const { upstream, send } = await api.beforeWitness()
    await closeServer(upstream)
    const task = newId("task")
    const answer = await send("GET /tickets/42", bearer(api.mint(task)), CLOSE)
    expect(answer.status).toBe(502)
    expect(answer.text).toMatch(/application\/problem\+json[\s\S]*"code":"upstream_failed"/)
    expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 502 }])
  })

  test.each([
    ["ends without an answer", ""],
    ["speaks something else", "SSH-2.0-x\r\n\r\n"],
    ["upgrades what was no upgrade", "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    [
      "answers in a coding that nobody asked for",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
    ["answers with a status that there is not", "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n"],
  ])("an upstream that %s is 502", async (_, text) => {
    const upstream = createSocketServer((socket) =>
      socket.on("error", () => undefined).once("data", () => void socket.end(text)),
    )
    const { send } = await api.place((await listen(upstream as Server)) as Server)
    const task = newId("task")
    expect((await send("GET /tickets/42", bearer(api.mint(task)), CLOSE)).status).toBe(502)
    expect(await api.usesOf(task)).toMatchObject([{ status: 502 }])
  })

  test("an upstream's reason that HTTP does not have is left out, and the guard goes on", async () => {
    const { send } = await api.before((req) =>
      req.socket.end("HTTP/1.1 201 O\x01K\r\nContent-Length: 2\r\n\r\nok"),
    )
    const task = newId("task")
    const { text } = await send("GET /tickets/42", bearer(api.mint(task)), CLOSE)
    expect(text).toMatch(/^HTTP\/1\.1 201 Created\r\n[\s\S]*ok$/)
    expect(await api.usesOf(task)).toMatchObject([{ status: 201 }])
  })

  test("an answer that can't be passed on leaves nothing of itself in the 502", async () => {
    const { proxy } = await api.before((_, res) => {
      res.writeHead(200, { "Set-Cookie": "a=1", "Cache-Control": "private" }).end("secret")
    })
    // Stands for whatever Node's writer of answers refuses and its reader of answers lets in.
    const server = createServer((incoming, outgoing) => {
      const { appendHeader } = outgoing
      outgoing.appendHeader = (name, value) => {
        if (name === "Set-Cookie") {
          outgoing.statusMessage = "O\x01K"
          outgoing.appendHeader = appendHeader
        }
        return appendHeader.call(outgoing, name, value)
      }
      void proxy.serve(incoming, outgoing)
    })
    const { port } = (await listen(server)).address() as AddressInfo
    const lines = ["GET /tickets/42 HTTP/1.1", "Host: x", bearer(api.mint()), CLOSE]
    const { status, text } = await sendRaw(String(port), [...lines, "", ""].join("\r\n"))
    expect([status, text]).toEqual([502, expect.stringContaining("upstream_failed")])
    expect(text).not.toMatch(/set-cookie|private/i)
    await closeServer(server)
  })

  test("an answer that breaks off breaks off for the caller, too", async () => {
    const { send } = await api.before((_, res) => {
      res.writeHead(200, { "Content-Length": "10" })
      res.write("half", () => res.destroy())
    })
    const { text } = await send("GET /tickets/42", bearer(api.mint()))
    expect(text).toMatch(/half$/)
  })

  test("an answer's head does not wait for a body that takes its time", async () => {
    const told = Promise.withResolvers<void>()
    const { port } = await api.before((_, res) => {
      res.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders()
      void told.promise.then(() => res.end("at last"))
    })
    const socket = connect(port, "127.0.0.1")
    socket.write(`GET /tickets/42 HTTP/1.1\r\nHost: x\r\n${bearer(api.mint())}\r\n${CLOSE}\r\n\r\n`)
    let text = ""
    for await (const piece of socket.setEncoding("latin1")) {
      text += piece
      if (text.includes("event-stream")) told.resolve()
    }
    expect(text).toMatch(/at last/)
  })

  test("a caller that leaves ends the request behind", async () => {
    const [entered, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { port } = await api.before((_, res) => {
      res.once("close", () => left.resolve())
      entered.resolve()
    })
    const socket = connect(port, "127.0.0.1")
    socket.write(`GET /tickets/42 HTTP/1.1\r\nHost: x\r\n${bearer(api.mint())}\r\n\r\n`)
    await entered.promise
    socket.destroy()
    await left.promise
  })

  test("a caller that leaves in the middle of its body ends it behind, too", async () => {
    const [entered, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { port } = await api.before((req) => {
      req.once("data", () => entered.resolve()).on("error", () => left.resolve())
    })
    const socket = connect(port, "127.0.0.1")
    const head = [
      "POST /tickets/42/close HTTP/1.1",
      "Host: x",
      "Content-Length: 9",
      bearer(api.mint()),
      "",
      "abc",
    ]
    socket.write(head.join("\r\n"))
    await entered.promise
    socket.destroy()
    await left.promise
  })
})

test.each([
  "",
  "nowhere",
  "ftp://127.0.0.1",
  "http://127.0.0.1/base",
  "http://u:p@127.0.0.1",
  "http://127.0.0.1/?x",
])("an upstream that is no origin is misuse: %j", (upstream) => {
  const { verifier } = api
  expect(() => createProxy({ verifier, resource: API, routes: ROUTES, upstream })).toThrow(TypeError)
})
