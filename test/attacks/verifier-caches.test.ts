// C36 Caches in front of a guarded API: no answer to a guarded request may be kept for others, whatever its handler says.
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener, type HttpBindings } from "@hono/node-server"
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response"
import { Hono } from "hono"
import { etag } from "hono/etag"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { guard as guardHono } from "../../src/guard/hono.ts"
import { guard as guardNode } from "../../src/guard/node.ts"
import { closeServer, sendRaw, startVerifier } from "../support/guarded-api.ts"
import { bearer, partsOf } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { callOf, openMcp } from "../support/mcp-host.ts"
import { ONE_ROUTE, type Said } from "../support/one-route.ts"

let started: Awaited<ReturnType<typeof startVerifier>>
beforeAll(async () => {
  started = await startVerifier()
})
afterAll(() => started.close())

const VARY = "Authorization, DPoP"

async function get(server: Server, ...headers: string[]) {
  const { port } = server.address() as AddressInfo
  const head = ["GET /tickets/SUP-1042 HTTP/1.1", "Host: x", "Connection: close", ...headers, "", ""]
  const { status, text } = await sendRaw(String(port), head.join("\r\n"))
  const { header } = partsOf(text)
  const named = (name: string) => [...text.matchAll(new RegExp(`^${name}: (.*)\r$`, "gim"))].map(([, v]) => v)
  return { status, header, caching: [named("cache-control"), named("vary")] }
}
const authorized = () => bearer(started.stub.mint())

const ANSWERS: readonly (readonly [what: string, says: Said, caching: string, vary: string])[] = [
  ["nothing", {}, "no-store", VARY],
  ["public", { headers: { "Cache-Control": "public, max-age=600" } }, "no-store", VARY],
  ["how long alone", { headers: { "cache-control": "max-age=600" } }, "no-store", VARY],
  ["to ask again, alone", { headers: { "cache-control": "no-cache" } }, "no-store", VARY],
  ["for shared caches", { headers: { "Cache-Control": "s-maxage=9, must-revalidate" } }, "no-store", VARY],
  [
    "one header to be private",
    { headers: { "Cache-Control": 'private="set-cookie", max-age=9' } },
    "no-store",
    VARY,
  ],
  [
    "a word that only begins so",
    { headers: { "Cache-Control": "private-ish, max-age=9" } },
    "no-store",
    VARY,
  ],
  ["private", { headers: { "Cache-Control": "max-age=60, private" } }, "max-age=60, private", VARY],
  [
    "more than we",
    { headers: { "Cache-Control": "no-store, no-transform" } },
    "no-store, no-transform",
    VARY,
  ],
  ["a Vary of its own", { headers: { Vary: "Accept-Encoding" } }, "no-store", `Accept-Encoding, ${VARY}`],
  ["half of ours", { headers: { vary: "authorization" } }, "no-store", "authorization, DPoP"],
  ["everything", { headers: { Vary: "*" } }, "no-store", "*"],
  [
    "private and a Vary",
    { headers: { "cache-control": "private", vary: "Origin, DPoP" } },
    "private",
    "Origin, DPoP, Authorization",
  ],
  ["not modified", { status: 304, headers: { ETag: '"1"', "Cache-Control": "public" } }, "no-store", VARY],
  ["a part", { status: 206, headers: { "Content-Range": "bytes 0-1/9" }, body: "ab" }, "no-store", VARY],
  ["no content", { status: 204 }, "no-store", VARY],
  ["an error", { status: 500, headers: { "Cache-Control": "public, max-age=600" } }, "no-store", VARY],
]

describe.each(ONE_ROUTE)("$name", ({ start }) => {
  let says: Said = {}
  let server: Server
  beforeAll(async () => {
    server = await start(started.verifier, () => says)
  })
  afterAll(() => closeServer(server))

  test.each(ANSWERS)("C36 what a handler says of caches: %s", async (_, said, caching, vary) => {
    says = said
    const answer = await get(server, authorized())
    expect(answer.status).toBe(said.status ?? 200)
    expect(answer.caching).toEqual([[caching], [vary]])
  })

  test("C36 a refusal says the same, also for who asks with a validator or for a part", async () => {
    says = { headers: { ETag: '"1"', "Cache-Control": "public" }, body: "for one alone" }
    for (const headers of [[], ['If-None-Match: "1"'], ["Range: bytes=0-1"], [bearer("junk")]]) {
      const answer = await get(server, ...headers)
      expect([answer.status, answer.caching]).toEqual([401, [["no-store"], [VARY]]])
    }
  })

  test("C36 a stream says it before its first byte", async () => {
    says = { headers: { "Content-Type": "text/event-stream" }, body: oneEvent() }
    expect((await get(server, authorized())).caching).toEqual([["no-store"], [VARY]])
  })
})

async function* oneEvent() {
  yield "data: 1\n\n"
}

describe("a plain server's answer", () => {
  type Answer = Parameters<RequestListener>[1]
  const WAYS: [string, (res: Answer) => unknown, string, string][] = [
    ["nothing but an end", (res) => res.end("x"), "no-store", VARY],
    ["a first write", (res) => res.write("x") && res.end(), "no-store", VARY],
    ["a status with a text", (res) => res.writeHead(200, "Fine").end(), "no-store", VARY],
    [
      "flushed headers",
      (res) => {
        res.flushHeaders()
        res.end()
      },
      "no-store",
      VARY,
    ],
    [
      "a list",
      (res) => res.writeHead(200, ["cache-control", "public", "Vary", "Origin", "x", "y"]).end(),
      "no-store",
      `Origin, ${VARY}`,
    ],
    [
      "a list of pairs, with a text",
      (res) => res.writeHead(200, "Fine", [...Object.entries({ VARY: "Origin", X: "y" })]).end(),
      "no-store",
      `Origin, ${VARY}`,
    ],
    [
      "a header that was set, and another one with the status",
      (res) =>
        res
          .setHeader("vary", "A")
          .writeHead(200, { Vary: ["Origin", "Accept"] })
          .end(),
      "no-store",
      `Origin, Accept, ${VARY}`,
    ],
    [
      "headers that were set, several at a time",
      (res) => res.setHeader("Vary", ["Origin", "Accept"]).setHeader("Cache-Control", "public").end(),
      "no-store",
      `Origin, Accept, ${VARY}`,
    ],
  ]
  test.each(WAYS)("C36 begun by %s", async (_, act, caching, vary) => {
    const guard = guardNode(started.verifier, "tickets:read", "tickets/{id}")
    const server = await listen(
      createServer((req, res) => void guard(req, res, { parameters: { id: "SUP-1042" } }, () => act(res))),
    )
    const answer = await get(server, authorized())
    expect([answer.status, answer.caching]).toEqual([200, [[caching], [vary]]])
    await closeServer(server)
  })
})

describe("Hono's answers", () => {
  const app = new Hono()
  beforeAll(() => {
    const read = guardHono(started.verifier, "tickets:read", "tickets/{id}")
    app.use("/etag/*", etag())
    app.get("/etag/:id", read, (c) => c.text("same", 200, { "Cache-Control": "public", Vary: "Origin" }))
    app.get("/header/:id", read, (c) => {
      c.header("Vary", "Origin")
      return c.json({})
    })
    app.get("/fixed/:id", read, () => Response.redirect("https://tickets.internal.example/elsewhere"))
    app.get("/thrown/:id", read, () => {
      throw new Error("broken")
    })
    app.onError((_, c) => c.text("broken", 500, { "Cache-Control": "public" }))
  })
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const all = { authorization: `Bearer ${started.stub.mint()}`, ...headers }
    return app.request(path, { headers: all })
  }
  const cachingOf = ({ headers }: Response) => [headers.get("cache-control"), headers.get("vary")]

  test("C36 not modified, by its own middleware", async () => {
    const first = await ask("/etag/SUP-1042")
    expect(cachingOf(first)).toEqual(["no-store", `Origin, ${VARY}`])
    const again = await ask("/etag/SUP-1042", { "If-None-Match": first.headers.get("etag") ?? "" })
    expect([again.status, cachingOf(again)]).toEqual([304, ["no-store", `Origin, ${VARY}`]])
  })

  test.each([
    ["/header", 200, `Origin, ${VARY}`],
    ["/fixed", 302, VARY],
    ["/thrown", 500, VARY],
  ])("C36 %s", async (path, status, vary) => {
    const answer = await ask(`${path}/SUP-1042`)
    expect([answer.status, cachingOf(answer)]).toEqual([status, ["no-store", vary]])
  })
})

test("C36 what a Hono handler writes past Hono", async () => {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.get("/tickets/:id", guardHono(started.verifier, "tickets:read", "tickets/{id}"), (c) => {
    c.env.outgoing.writeHead(200, { "Cache-Control": "public" }).end("written")
    return RESPONSE_ALREADY_SENT
  })
  const server = await listen(createServer(getRequestListener(app.fetch)))
  const answer = await get(server, authorized())
  expect([answer.status, answer.caching]).toEqual([200, [["no-store"], [VARY]]])
  await closeServer(server)
})

test("C36 an MCP server's answers, to calls, lists and what it does not serve", async () => {
  const api = await openMcp()
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" }
  for (const body of [
    callOf("read_ticket", { id: "42" }),
    callOf("read_ticket", { id: "43" }),
    list,
    "no JSON",
  ]) {
    const answer = await api.post(body, [bearer(api.mint())])
    expect([answer.header("cache-control"), answer.header("vary")]).toEqual(["no-store", VARY])
  }
  await api.close()
})
