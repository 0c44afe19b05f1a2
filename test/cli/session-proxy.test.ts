// The session's proxy on real sockets, between an agent and an API: what reaches the API, what comes back, and what never
// leaves.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net"
import { afterEach, expect, test } from "vitest"
import { createSessionProxy } from "../../src/cli/session-proxy.ts"
import type { Routing } from "../../src/cli/session-route.ts"
import { openSession } from "../../src/client/session.ts"
import { readSessionOptions } from "../../src/client/session-options.ts"
import { surroundingsOf } from "../../src/client/surroundings.ts"
import { sendRaw } from "../support/guarded-api.ts"

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse, body: string) => void

const listen = async (server: ReturnType<typeof createServer>): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  ending.push(
    () => void server.closeAllConnections(),
    () => server.close(),
  )
  return (server.address() as AddressInfo).port
}

/** `handler` gets whole bodies; `raw` gets requests as they come. */
async function openStage(handler: Handler, more: Partial<Routing> = {}, raw = false) {
  const seen: IncomingMessage[] = []
  const api = createServer(async (incoming, outgoing) => {
    seen.push(incoming)
    let body = ""
    if (!raw) for await (const part of incoming) body += part
    handler(incoming, outgoing, body)
  })
  const origin = `http://127.0.0.1:${await listen(api)}`
  let renewals = 0
  const handed = () => ({
    resource: `${origin}/v1`,
    accessToken: `token-${renewals}`,
    tokenType: "Bearer" as const,
    expiresAt: Date.now() + 600_000,
    renewAt: Date.now() + 450_000,
    scope: ["tickets:read"],
    authorizationDetails: [],
  })
  const renew = async () => {
    renewals++
    return [handed()]
  }
  const around = surroundingsOf()
  const session = openSession(
    await readSessionOptions({ tokens: [handed()], renew, waitSeconds: 3 }, around),
    around,
  )
  const apis = [{ name: "tickets", resource: `${origin}/v1` }]
  let authority = ""
  const routing = (): Routing => ({
    secret: "s3cret",
    apis,
    authority,
    passOthers: false,
    givesTokens: false,
    ...more,
  })
  const proxy = createSessionProxy(session, routing)
  authority = `127.0.0.1:${await listen(proxy.server)}`
  ending.push(session.close, proxy.close)
  return { base: `http://${authority}/s3cret/tickets`, authority, origin, seen }
}

const refuse = (outgoing: ServerResponse, status: number, code: string, next: string, more: object = {}) =>
  outgoing
    .writeHead(status, { "content-type": "application/problem+json", ...more })
    .end(JSON.stringify({ code, next, status, title: "No" }))

test("the token goes along, and nothing that the agent says of itself", async () => {
  const { base, origin, seen } = await openStage((_, outgoing, body) => outgoing.end(`got ${body}`))
  const headers = {
    authorization: "Bearer mine",
    dpop: "mine",
    "proxy-authorization": "Basic x",
    "taskmint-task": "task_other",
    "x-forwarded-for": "10.0.0.1",
    "x-mine": "kept",
  }
  const answer = await fetch(`${base}/tickets/1?full=1`, { method: "POST", headers, body: "whole" })
  expect([answer.status, await answer.text()]).toEqual([200, "got whole"])
  expect(seen[0]).toMatchObject({ method: "POST", url: "/v1/tickets/1?full=1" })
  const got = seen[0]?.headers ?? {}
  expect(got).toMatchObject({ authorization: "Bearer token-0", "x-mine": "kept", host: new URL(origin).host })
  for (const name of ["dpop", "proxy-authorization", "taskmint-task", "x-forwarded-for"])
    expect(got).not.toHaveProperty(name)
})

test("C34 a request with so many headers that Node may have dropped some is not sent", async () => {
  const { base, seen } = await openStage((_, outgoing) => outgoing.end())
  const { port, pathname } = new URL(base)
  const lines = [`GET ${pathname}/tickets/1 HTTP/1.1`, "Host: x", "Connection: close"]
  const many = Array.from({ length: 998 }, () => "a:")
  const answer = await sendRaw(port, [...lines, ...many, "", ""].join("\r\n"))
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("fewer than 1000 headers")])
  expect(seen).toEqual([])
})

test("a redirect is not followed; a place below the API is named as the agent knows it", async () => {
  const places: Record<string, string> = {
    "/v1/near": "/v1/tickets/2?x=1",
    "/v1/far": "https://evil.example/x",
    "/v1/out": "/v2/x",
  }
  const { base, seen } = await openStage((incoming, outgoing) =>
    outgoing.writeHead(302, { location: places[incoming.url ?? ""] }).end(),
  )
  const told = async (path: string) =>
    (await fetch(base + path, { redirect: "manual" })).headers.get("location")
  expect(await told("/near")).toBe("/s3cret/tickets/tickets/2?x=1")
  expect(await told("/far")).toBe("https://evil.example/x")
  expect(await told("/out")).toBe("/v2/x")
  expect(seen).toHaveLength(3)
})

test("a call that is refused for its token's age is made again with a fresh one, body and all", async () => {
  const { base, seen } = await openStage((incoming, outgoing, body) =>
    incoming.headers.authorization === "Bearer token-0"
      ? refuse(outgoing, 401, "token_expired", "renew")
      : outgoing.end(body),
  )
  const answer = await fetch(`${base}/x`, { method: "PUT", body: "whole" })
  expect([answer.status, await answer.text(), seen.length]).toEqual([200, "whole", 2])
})

test("what can't be sent twice is not: the refusal is told", async () => {
  const { base, seen } = await openStage((_, outgoing) => refuse(outgoing, 401, "token_expired", "renew"))
  const answer = await fetch(`${base}/x`, { method: "PUT", body: "x".repeat(100_000) })
  expect([answer.status, await answer.json()]).toEqual([
    401,
    expect.objectContaining({ code: "token_expired", next: "renew" }),
  ])
  expect(seen).toHaveLength(1)
})

test("a busy guard is waited for, and what is left of it is told with Retry-After", async () => {
  const { base, seen } = await openStage((incoming, outgoing) =>
    incoming.url === "/v1/never" || seen.length < 2
      ? refuse(outgoing, 503, "revocations_stale", "wait", { "retry-after": "1" })
      : outgoing.end("served"),
  )
  expect(await (await fetch(`${base}/x`, { method: "POST", body: "b" })).text()).toBe("served")
  const left = await fetch(`${base}/never`)
  expect([left.status, left.headers.get("retry-after"), await left.json()]).toEqual([
    503,
    "1",
    expect.objectContaining({ code: "revocations_stale" }),
  ])
})

test("streams both ways while both go on", async () => {
  const { base } = await openStage((incoming, outgoing) => void incoming.pipe(outgoing), {}, true)
  const sent = request(`${base}/echo`, { method: "POST" })
  const answered = new Promise<IncomingMessage>((resolve) => sent.once("response", resolve))
  sent.write("first")
  const answer = await answered
  const next = () => new Promise<string>((resolve) => answer.once("data", (part) => resolve(String(part))))
  expect(await next()).toBe("first")
  const second = next()
  sent.write("second")
  expect(await second).toBe("second")
  sent.end()
  answer.resume()
  await new Promise((resolve) => answer.once("end", resolve))
})

test("an answer that is cut short is cut short for the agent, never completed", async () => {
  const { base } = await openStage((_, outgoing) => {
    outgoing.writeHead(200, { "content-length": "100" }).write("half")
    setTimeout(() => outgoing.destroy(), 20)
  })
  await expect(fetch(`${base}/x`).then((answer) => answer.text())).rejects.toThrow()
})

test("an API's reason that HTTP does not have is left out, and the proxy goes on", async () => {
  const { base } = await openStage((incoming) =>
    incoming.socket.end("HTTP/1.1 201 O\x01K\r\nContent-Length: 2\r\n\r\nok"),
  )
  const answer = await fetch(base)
  expect([answer.status, answer.statusText, await answer.text()]).toEqual([201, "Created", "ok"])
})

test("an API that is not there is 502, and an agent that leaves takes its request along", async () => {
  const left = Promise.withResolvers<void>()
  const { base, seen } = await openStage((incoming, outgoing) => {
    if (incoming.url === "/v1/gone") return void incoming.socket.destroy()
    outgoing.once("close", () => left.resolve())
  })
  const gone = await fetch(`${base}/gone`)
  expect([gone.status, await gone.json()]).toEqual([
    502,
    expect.objectContaining({ code: "upstream_failed" }),
  ])
  const controller = new AbortController()
  const call = fetch(`${base}/slow`, { signal: controller.signal }).catch((error: unknown) => error)
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  controller.abort()
  await Promise.all([call, left.promise])
})

test("others' hosts get the agent's own credential, and no token of the task", async () => {
  const seen: string[] = []
  const other = createServer((incoming, outgoing) => {
    seen.push(String(incoming.headers.authorization))
    outgoing.end("theirs")
  })
  const elsewhere = `http://127.0.0.1:${await listen(other)}`
  const ask = async (authority: string) => {
    const [host, port] = authority.split(":")
    const headers = {
      authorization: "Bearer mine",
      "proxy-authorization": `Basic ${Buffer.from("session:s3cret").toString("base64")}`,
    }
    const sent = request({ host, port, path: `${elsewhere}/x`, headers })
    const answer = await new Promise<IncomingMessage>((resolve) => sent.once("response", resolve).end())
    answer.resume()
    return answer.statusCode
  }
  const fenced = await openStage((_, outgoing) => outgoing.end())
  expect([await ask(fenced.authority), seen]).toEqual([403, []])
  const open = await openStage((_, outgoing) => outgoing.end(), { passOthers: true })
  expect([await ask(open.authority), seen]).toEqual([200, ["Bearer mine"]])
})

test("a tunnel carries bytes both ways where others' hosts are let through, and nowhere else", async () => {
  const echo = createTcpServer((socket) => void socket.on("error", () => undefined).pipe(socket))
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve))
  ending.push(() => void echo.close())
  const { port } = echo.address() as AddressInfo
  const connect = (authority: string) => {
    const [host, at] = authority.split(":")
    const headers = { "proxy-authorization": `Basic ${Buffer.from("session:s3cret").toString("base64")}` }
    const sent = request({ host, port: at, method: "CONNECT", path: `127.0.0.1:${port}`, headers })
    return new Promise<{ status: number | undefined; socket: Socket }>((resolve) =>
      sent.once("connect", ({ statusCode }, socket) => resolve({ status: statusCode, socket })).end(),
    )
  }
  const fenced = await connect((await openStage((_, outgoing) => outgoing.end())).authority)
  expect(fenced.status).toBe(403)
  fenced.socket.destroy()
  const open = await connect(
    (await openStage((_, outgoing) => outgoing.end(), { passOthers: true })).authority,
  )
  expect(open.status).toBe(200)
  open.socket.on("error", () => undefined).write("ping")
  expect(String(await new Promise((resolve) => open.socket.once("data", resolve)))).toBe("ping")
  open.socket.destroy()
})

test("an upgrade is asked as any other request, and the connection stays the proxy's", async () => {
  const { base, seen } = await openStage((_, outgoing) => outgoing.end("plain"))
  const sent = request(`${base}/ws`, { headers: { connection: "Upgrade", upgrade: "websocket" } })
  const answer = await new Promise<IncomingMessage>((resolve) => sent.once("response", resolve).end())
  answer.resume()
  expect([answer.statusCode, seen[0]?.headers.upgrade]).toEqual([200, undefined])
})
