// The sidecar as a proxy, beyond what every adapter promises: what the upstream is sent and what it is not, and answers and
// bodies as they come.
import { once } from "node:events"
import { createServer, type IncomingMessage, request } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import { closeServer, sendRaw } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { CLOSE, openProxied, type Proxied, pairsOf } from "../support/proxied.ts"

let api: Proxied
beforeAll(async () => {
  api = await openProxied()
})
afterEach(() => api.endProxies())
afterAll(() => api.close())

describe("what the upstream gets", () => {
  test("is what was checked, by its own name, and nothing by which a caller could speak as the sidecar", async () => {
    const { send, got, host } = await api.beforeWitness()
    const task = newId("task")
    const lies = [
      "Taskmint-Task: x",
      "taskmint_agent: x",
      "TASKMINT-RESOURCE: x",
      "Taskmint.Task: x",
      "Taskmint-New: x",
    ]
    const more = [
      "DPoP: x",
      "Proxy: x",
      "Proxy-Authorization: x",
      "Forwarded: host=x",
      "X_Forwarded_For: x",
      "X-Real-IP: x",
    ]
    const kept = ["Cookie: a=b", "X-Kept: 1", "X-Kept: 2"]
    expect(
      (await send("GET /tickets/42?a=%2F&b", bearer(api.mint(task)), CLOSE, ...lies, ...more, ...kept))
        .status,
    ).toBe(200)
    expect(got[0]?.url).toBe("/tickets/42?a=%2F&b")
    expect(got.flatMap(pairsOf)).toEqual([
      `Host: ${host}`,
      ...kept,
      `Taskmint-Task: ${task}`,
      "Taskmint-Agent: triage-bot/pod-7f3c",
      "Taskmint-Resource: tickets/42",
      "Connection: keep-alive",
    ])
  })

  test("has the path made anew, and resources as one reading", async () => {
    const { send, got } = await api.beforeWitness()
    expect(
      (await send("GET http://evil.example/tickets/a:%c3%a9?x", bearer(api.mint(undefined, "a:é")), CLOSE))
        .status,
    ).toBe(200)
    expect([got[0]?.url, got[0]?.headers["taskmint-resource"]]).toEqual([
      "/tickets/a%3A%C3%A9?x",
      "tickets/a%3A%C3%A9",
    ])
  })

  test("is nothing that belongs to the caller's connection alone", async () => {
    const { send, got } = await api.beforeWitness()
    const headers = [
      "Connection: close, X-Hop, keep-alive",
      "X-Hop: x",
      "Keep-Alive: 5",
      "TE: trailers",
      "Upgrade: h2c",
      "HTTP2-Settings: x",
    ]
    expect((await send("GET /tickets/42", bearer(api.mint()), ...headers)).status).toBe(200)
    expect(got.flatMap(pairsOf).join("\n")).not.toMatch(/x-hop|keep-alive: 5|^te:|upgrade/im)
  })

  test("is a request of one length: as long as the caller said, chunked, or none", async () => {
    const { send, got } = await api.beforeWitness()
    const post = (...more: string[]) => send("POST /tickets/42/close", bearer(api.mint()), CLOSE, ...more)
    expect((await post()).status).toBe(200)
    expect((await post("Content-Length: 3", "", "abc")).status).toBe(200)
    expect((await post("Transfer-Encoding: chunked", "", "3;x=y", "abc", "0")).status).toBe(200)
    const framing = got.map(({ headers }) => [headers["content-length"], headers["transfer-encoding"]])
    expect(framing).toEqual([
      ["0", undefined],
      ["3", undefined],
      [undefined, "chunked"],
    ])
    expect((await post("Transfer-Encoding: gzip, chunked", "", "0")).status).toBe(400)
    expect(got.length).toBe(3)
  })

  test("C34 is nothing of what could be read as two requests", async () => {
    const { send, got } = await api.beforeWitness()
    const smuggled = "GET /tickets/43 HTTP/1.1\r\nHost: x\r\n\r\n"
    for (const headers of [
      ["Content-Length: 4", "Transfer-Encoding: chunked", "", "0", "", smuggled],
      ["Transfer-Encoding: chunked", "Content-Length: 4", "", "0", "", smuggled],
      ["Content-Length: 0", "Content-Length: 40", "", smuggled],
      ["Transfer-Encoding: xchunked", "", "0", "", smuggled],
      ["Transfer-Encoding : chunked", "", "0", "", smuggled],
      ["Content_Length: 0", "Transfer-Encoding: chunked, identity", "", smuggled],
    ])
      expect((await send("POST /tickets/42/close", bearer(api.mint()), ...headers)).status).toBe(400)
    const bare = await send(
      `GET /tickets/42 HTTP/1.1\nHost: x\n${bearer(api.mint())}\n\nGET /tickets/43`,
      CLOSE,
    )
    expect([bare.status, got.length]).toEqual([400, 0])
  })

  test("C34 is nothing of a request with so many headers that Node may have dropped some, and framed by them", async () => {
    const { proxy, upstream, got } = await api.beforeWitness()
    upstream.maxHeadersCount = 0
    const smuggled = "DELETE /tickets/43 HTTP/1.1\r\nHost: x\r\nTaskmint-Agent: x\r\n\r\n"
    // As Node before 22.23 does by itself: what comes after the thousandth is in none of the lists.
    const server = createServer((incoming, outgoing) => {
      incoming.rawHeaders.splice(2000)
      delete incoming.headers["content-length"]
      void proxy.serve(incoming, outgoing)
    })
    server.maxHeadersCount = 0
    const { port } = (await listen(server)).address() as AddressInfo
    for (const line of ["GET /tickets/42", "POST /tickets/42/close"]) {
      const many = [bearer(api.mint()), ...Array.from({ length: 1100 }, () => "a:")]
      const head = [`${line} HTTP/1.1`, "Host: x", ...many, `Content-Length: ${smuggled.length}`, CLOSE]
      const answer = await sendRaw(String(port), [...head, "", smuggled].join("\r\n"))
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('"pointer":"/headers"')])
    }
    expect(got.map(({ method, url }) => [method, url])).toEqual([])
    await closeServer(server)
  })

  test.each([
    "?_%6dethod=DELETE",
    "?a=b&%5F%6D%45thod=DELETE",
    "?a;_method=DELETE",
    "?%&+.method=DELETE",
    "?[_method]=DELETE",
  ])("C27 is no %s, whoever decodes it", async (query) => {
    const { send, got } = await api.beforeWitness()
    const { status, text } = await send(`GET /tickets/42${query}`, bearer(api.mint()), CLOSE)
    expect([status, text]).toEqual([400, expect.stringContaining('"pointer":"/method"')])
    expect(got).toEqual([])
  })

  test("is nothing at all of what was refused, and the caller hears it before the body is sent", async () => {
    const { send, got } = await api.beforeWitness()
    const answer = await send(
      "POST /tickets/43/close",
      bearer(api.mint()),
      CLOSE,
      "Expect: 100-continue",
      "Content-Length: 5",
    )
    expect([answer.status, got.length]).toEqual([403, 0])
    const allowed = await send(
      "POST /tickets/42/close",
      bearer(api.mint()),
      CLOSE,
      "Expect: 100-continue",
      "Content-Length: 3",
      "",
      "abc",
    )
    expect(allowed.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    expect(got[0]?.headers.expect).toBeUndefined()
  })
})

describe("the answer", () => {
  test("comes as it is: status, every header, and none of the upstream's connection", async () => {
    const { send } = await api.before((_, res) => {
      const headers = [
        "Set-Cookie",
        "a=1",
        "Set-Cookie",
        "b=2",
        "X-Hop",
        "x",
        "Connection",
        "close, X-Hop",
        "WWW-Authenticate",
        "Basic",
      ]
      res.writeHead(418, "Short And Stout", headers).end("tea")
    })
    const { text } = await send("GET /tickets/42", bearer(api.mint()), CLOSE)
    expect(text).toMatch(/^HTTP\/1\.1 418 Short And Stout\r\n/)
    expect(text).toMatch(/Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/)
    expect(text).toMatch(/WWW-Authenticate: Basic[\s\S]*tea/)
    expect(text).not.toMatch(/X-Hop/)
  })

  test("streams while the request does, both ways", async () => {
    const { port } = await api.before((req, res) => {
      res.writeHead(200).flushHeaders()
      req.pipe(res)
    })
    const headers = { authorization: `Bearer ${api.mint()}` }
    const sent = request({ port, method: "POST", path: "/tickets/42/close", headers })
    sent.write("one")
    const [answer] = (await once(sent, "response")) as [IncomingMessage]
    answer.setEncoding("utf8")
    expect(await once(answer, "data")).toEqual(["one"])
    sent.write("two")
    expect(await once(answer, "data")).toEqual(["two"])
    sent.end()
    await once(answer, "end")
  })

  test("waits for a caller that does not read: the sidecar holds little of it", async () => {
    let written = 0
    const { port } = await api.before((_, res) => {
      const more = () => {
        while (written < 256 * 1024 ** 2) {
          written += 64 * 1024
          if (!res.write(Buffer.alloc(64 * 1024))) return void res.once("drain", more)
        }
        res.end()
      }
      more()
    })
    const socket = connect(port, "127.0.0.1")
    socket.write(`GET /tickets/42 HTTP/1.1\r\nHost: x\r\n${bearer(api.mint())}\r\n\r\n`)
    await once(socket, "readable")
    let last = -1
    await vi.waitFor(
      () => {
        const before = last
        last = written
        expect(written).toBe(before)
      },
      { timeout: 10_000, interval: 300 },
    )
    expect(written).toBeLessThan(64 * 1024 ** 2)
    socket.destroy()
  })

  test("may take longer than an idle connection is kept", async () => {
    const { send } = await api.before((_, res) => {
      const late = setTimeout(() => res.end("late"), 2500)
      res.once("close", () => clearTimeout(late))
    })
    expect((await send("GET /tickets/42", bearer(api.mint()), CLOSE)).text).toMatch(/200 OK[\s\S]*late/)
  })
})
