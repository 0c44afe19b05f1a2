import { connect } from "node:net"
import { afterEach, describe, expect, test } from "vitest"
import { Stop } from "../../src/cli/exit.ts"
import { type Listening, listen } from "../../src/cli/server.ts"

const open: Listening[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.drain(0)))
})

async function start(): Promise<{ server: Listening; url: string }> {
  const server = await listen("127.0.0.1", 0)
  open.push(server)
  return { server, url: `http://127.0.0.1:${server.port}/` }
}

/** What a raw request is answered, whole. */
function send(port: number, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`))
    let text = ""
    socket.on("data", (part) => {
      text += part.toString("utf8")
    })
    socket.on("close", () => resolve(text))
    socket.on("error", reject)
  })
}

test("until it serves, it can't tell: 503, to be asked again", async () => {
  const { server, url } = await start()
  const early = await fetch(url)
  expect([early.status, early.headers.get("retry-after")]).toEqual([503, "2"])
  server.serve(() => new Response("here"))
  expect(await (await fetch(url)).text()).toBe("here")
})

describe("one credential a request", () => {
  const cases: readonly (readonly [what: string, headers: readonly string[], status: string])[] = [
    ["one Authorization", ["Authorization: Bearer a"], "200"],
    ["two Authorization", ["Authorization: Bearer a", "authorization: Bearer b"], "400"],
    ["two proofs", ["DPoP: a", "dpop: b"], "400"],
    ["none", [], "200"],
  ]
  for (const [what, headers, status] of cases)
    test(what, async () => {
      const { server } = await start()
      server.serve(() => new Response("here"))
      const answer = await send(server.port, ["GET / HTTP/1.1", "Host: x", "Connection: close", ...headers])
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    })
})

describe("what the server itself refuses is a problem with a request_id", () => {
  const host = "Host: x\r\nConnection: close"
  test.each<[what: string, lines: readonly string[], status: number]>([
    ["two credentials", ["GET / HTTP/1.1", host, "Authorization: a", "Authorization: b"], 400],
    ["a path in another spelling", ["GET /x/../y HTTP/1.1", host], 400],
    ["a line that is no header", ["GET / HTTP/1.1", host, "bad line"], 400],
    ["a method that there is not", ["NONE / HTTP/1.1", host], 400],
    ["no HTTP at all", ["hello"], 400],
    ["headers without an end", ["GET / HTTP/1.1", host, `X: ${"x".repeat(20_000)}`], 431],
    ["more than 100-continue", ["POST / HTTP/1.1", host, "Expect: more", "Content-Length: 0"], 417],
  ])("%s", async (_what, lines, status) => {
    const { server } = await start()
    server.serve(() => new Response("here"))
    const [head = "", body = ""] = (await send(server.port, lines)).split("\r\n\r\n")
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head.toLowerCase()).toContain("content-type: application/problem+json")
    const { request_id, ...problem } = JSON.parse(body)
    expect(problem).toMatchObject({ status, next: "stop", code: expect.any(String) })
    expect(head.toLowerCase()).toContain(`x-request-id: ${request_id}`)
  })
})

test("draining finishes what is under way and takes nothing more", async () => {
  const { server, url } = await start()
  const held = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  server.serve(async () => {
    entered.resolve()
    await held.promise
    return new Response("finished")
  })
  const under = fetch(url)
  await entered.promise
  const drained = server.drain(10_000)
  await expect(fetch(url)).rejects.toThrow()
  held.resolve()
  expect(await (await under).text()).toBe("finished")
  await drained
})

test("a request that comes on an open connection while it drains is refused, to be asked elsewhere", async () => {
  const { server } = await start()
  const held = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  let served = 0
  server.serve(async () => {
    served += 1
    entered.resolve()
    await held.promise
    return new Response("finished")
  })
  const socket = connect(server.port, "127.0.0.1")
  let text = ""
  socket.on("data", (part) => {
    text += part.toString("utf8")
  })
  const closed = new Promise((resolve) => socket.once("close", resolve))
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  await entered.promise
  const drained = server.drain(10_000)
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n", () => setImmediate(held.resolve))
  await Promise.all([drained, closed])
  expect(text).toMatch(/^HTTP\/1.1 200 [\s\S]*finished/)
  expect(served).toBe(1)
})

test("a request that outlasts the grace is cut off", async () => {
  const { server, url } = await start()
  const entered = Promise.withResolvers<void>()
  server.serve(() => {
    entered.resolve()
    return new Promise<Response>(() => undefined)
  })
  const under = expect(fetch(url)).rejects.toThrow()
  await entered.promise
  await server.drain(50)
  await under
})

test("a port that is taken is wrong use, with what to do", async () => {
  const { server } = await start()
  await expect(listen("127.0.0.1", server.port)).rejects.toThrow(Stop)
})

test("an exception becomes 503 and says nothing", async () => {
  const { server, url } = await start()
  server.serve(() => {
    throw new Error("secret")
  })
  const answer = await fetch(url)
  expect(answer.status).toBe(503)
  expect(await answer.text()).not.toContain("secret")
})
