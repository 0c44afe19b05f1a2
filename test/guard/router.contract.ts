// Request lines that routers read differently: whatever a framework makes of them, its handler runs only for what was
// checked. Which lines reach a handler is in the table, so that a framework's change of mind is seen.
import { describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { bearer, type HostedApi } from "../support/hosted-api.ts"
import type { Host } from "../support/hosts.ts"

const ALL = "hono express fastify node"
const SIDECAR_TOO = `${ALL} sidecar`
/** Each with a token for ticket 42 alone; the frameworks whose handler it reaches, with "42". */
const LINES: readonly (readonly [line: string, reaches?: string])[] = [
  ["GET /tickets/42", SIDECAR_TOO],
  ["HEAD /tickets/42", SIDECAR_TOO],
  ["GET /tickets/42/", "express"],
  ["GET //tickets/42"],
  ["GET /tickets//42"],
  ["GET /TICKETS/42", "express"],
  ["GET /Tickets/42/", "express"],
  ["GET /tickets/42/../43"],
  ["GET /tickets/42%2F..%2F43"],
  ["GET /tickets/..%2f43"],
  ["GET /tickets/%2e%2e%2f43"],
  ["GET /tickets/%252e%252e%252f43"],
  ["GET /tickets/%34%32", ALL],
  ["GET /%74ickets/42", "hono fastify"],
  ["GET /tickets/42%00"],
  ["GET /tickets/42%0d%0aX"],
  ["GET /tickets/42;v=1"],
  ["GET /tickets/42%3Fx=1"],
  ["GET /tickets/%E0%A4%A"],
  ["GET /tickets/%c0%ae%c0%ae"],
  ["GET /tickets/%EF%BC%94%EF%BC%92"],
  ["GET /tickets/42%20"],
  ["GET /tickets/*"],
  ["GET /tickets/:id"],
  ["GET /tickets/%7Bid%7D"],
  ["GET http://evil/tickets/42", SIDECAR_TOO],
  ["GET http://evil/tickets/42/../43"],
  ["GET http://evil/tickets/43"],
  ["GET /tickets/./42", "hono"],
  ["GET /tickets/%2e/42", "hono"],
  ["GET /tickets/%2e%2e/tickets/42", "hono"],
  ["GET /tickets/\\..\\43"],
  ["GET /tickets/42?id=43", SIDECAR_TOO],
  ["GET /tickets/42?id=43&id=44&id[]=45", SIDECAR_TOO],
  ["GET /tickets/43?id=42"],
  ["GET /tickets/42#frag", ALL],
  ["GET /tickets/43#/tickets/42"],
  ["GET /tickets/42,43"],
  ["TRACE /tickets/42", ALL],
  ["QUERY /tickets/42", "hono express node"],
  ["PROPFIND /tickets/42", "hono express node"],
  ["PROPFIND /tickets/43"],
  ["get /tickets/42"],
  ["CONNECT /tickets/42"],
  ["GET /nested/42", SIDECAR_TOO],
  ["GET /nested/42/", "express"],
  ["GET /nested//42"],
  ["GET /nested/../tickets/43"],
  ["GET /tickets/42/close"],
  ["GET /nested/42%2f..%2f43"],
]
const PARTS =
  "42%2f43 42%5c43 42%2e%2e %2e%2e %2e 42%252f43 42%00 42%0a 42%0d 42%25 42%7b 42%7d 42%23 42%2a %2a %2a%2a 42%e2%80%8b 42%e2%80%ae 42%cc%81 %c1%9c %ff%fe 42%3b 42%7f 42%c2%a0 42%f0%80%80%80 %u0034 42%09 42%1b 042 4%32%30 42. %34%32%2f"

export function describeRouter(api: () => HostedApi, { name }: Host): void {
  describe("C23 what is checked is what the handler sees", () => {
    test.each(LINES.map(([line, reaches = ""]) => [line, reaches] as const))("%s", async (line, reaches) => {
      const { status } = await api().send(line, bearer(api().mint()))
      const { handled } = api().seen
      expect(handled.map(({ id }) => id)).toEqual(reaches.split(" ").includes(name) ? ["42"] : [])
      for (const { id, use } of handled) {
        expect(use.resource).toEqual(["tickets", "42"])
        expect(use.parameters).toEqual({ id })
      }
      expect(status === 201).toBe(handled.length === 1)
      if (handled.length === 0) expect(Math.floor(status / 100)).not.toBe(2)
    })
  })

  test("C24 a part of the path that is not the token's own text, as plain data, reaches no handler", async () => {
    const token = api().mint()
    const long = ["4".repeat(257), "4".repeat(8000), "42/".repeat(1000)]
    for (const part of [...PARTS.split(" "), ...long]) {
      const { status } = await api().send(`GET /tickets/${part}`, bearer(token))
      expect([part, Math.floor(status / 100)]).toEqual([part, 4])
    }
    expect(api().seen.handled).toEqual([])
  })

  test("C27, C33 headers that would rename the method, the host or the path change nothing", async () => {
    const [task, token] = [newId("task"), () => api().mint({ txn: task })]
    const route = name === "sidecar" ? "/tickets/{id}" : "/tickets/:id"
    const RENAMES = "X-HTTP-Method-Override: POST"
    const SPOOFS = [
      "X-Forwarded-Host: evil.example",
      "X-Forwarded-Prefix: /tickets/43",
      "Forwarded: host=evil.example;proto=http",
      "X-Original-URL: /tickets/43",
      "X-Rewrite-URL: /tickets/43/close",
    ]
    if (name === "sidecar") {
      // Who is behind it could do as they say.
      for (const [line, ...headers] of [["GET /tickets/42?_method=POST"], ["GET /tickets/42", RENAMES]])
        expect((await api().send(line ?? "", bearer(token()), ...headers)).status).toBe(400)
      expect((await api().send("GET /tickets/42", bearer(token()), ...SPOOFS)).status).toBe(201)
      expect(api().seen.handled[0]?.headers).not.toMatch(/forwarded|x-original|x-rewrite|evil/i)
    } else {
      const renamed = await api().send("GET /tickets/42?_method=POST", bearer(token()), RENAMES, ...SPOOFS)
      expect(renamed.status).toBe(201)
    }
    expect((await api().send("GET /tickets/43", bearer(token()), "X-Original-URL: /tickets/42")).status).toBe(
      403,
    )
    const uses = await api().usesOf(task)
    expect(uses.map(({ method, route, resource, decision }) => [method, route, resource, decision])).toEqual([
      ["GET", route, ["tickets", "42"], "allowed"],
      ["GET", route, ["tickets", "43"], "refused"],
    ])
  })

  test("C34 requests that servers could read as two reach no handler", async () => {
    const token = bearer(api().mint())
    for (const headers of [
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
      ["Content-Length: 5", "Content-Length: 6"],
      ["Transfer-Encoding: chunked, identity"],
      [" folded: x"],
      ["Content-Length : 5"],
    ])
      expect((await api().send("POST /tickets/42/close", token, ...headers)).status).toBe(400)
    expect(api().seen.handled).toEqual([])
  })
}
