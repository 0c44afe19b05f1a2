// Where a request to the session's proxy goes: everything that is not the task's, or not asked by whoever was given the
// secret, goes nowhere.
import { describe, expect, test } from "vitest"
import { type Asked, type Routing, routeOf, tunnelOf } from "../../src/cli/session-route.ts"

const SECRET = "s3cret"
const AUTHORITY = "127.0.0.1:4711"
const apis = [
  { name: "tickets", resource: "https://tickets.internal.example" },
  { name: "deep", resource: "https://tickets.internal.example/deep/" },
  { name: "wiki", resource: "http://127.0.0.1:9/v1" },
]
const ROUTING: Routing = { secret: SECRET, apis, authority: AUTHORITY, passOthers: false, givesTokens: true }
const basic = (password: string) => `Basic ${Buffer.from(`session:${password}`).toString("base64")}`
const PROXIED = { "proxy-authorization": basic(SECRET), host: "tickets.internal.example" }
const own = (target: string, more: Partial<Asked> = {}): Asked => ({
  method: "GET",
  target,
  headers: { host: AUTHORITY },
  ...more,
})
const proxied = (target: string): Asked => ({ method: "GET", target, headers: PROXIED })
const outcome = (asked: Asked, routing: Partial<Routing> = {}): string => {
  const route = routeOf({ ...ROUTING, ...routing }, asked)
  if (route.to === "nowhere") return `${route.status} ${route.code}`
  return "url" in route ? `${route.to} ${route.url.href}` : route.to
}

describe("a path below an API's own address", () => {
  const cases: readonly (readonly [path: string, outcome: string])[] = [
    ["/s3cret/tickets/tickets/1?full=1", "api https://tickets.internal.example/tickets/1?full=1"],
    ["/s3cret/tickets", "api https://tickets.internal.example/"],
    ["/s3cret/wiki/pages/a%2Fb", "api http://127.0.0.1:9/v1/pages/a%2Fb"],
    ["/s3cret/tickets//evil.example/x", "api https://tickets.internal.example//evil.example/x"],
    ["/s3cret/tickets/@evil.example", "api https://tickets.internal.example/@evil.example"],
    ["/s3cret/wiki/../other", "403 url_not_granted"],
    ["/s3cret/wiki/%2e%2e/other", "403 url_not_granted"],
    ["/s3cret/wiki/..\\other", "403 url_not_granted"],
    // Another API of the task has a token of its own for this place.
    ["/s3cret/tickets/deep/x", "403 url_not_granted"],
    ["/s3cret/other/x", "404 not_found"],
    ["/wrong/tickets/x", "404 not_found"],
    ["/s3cre/tickets/x", "404 not_found"],
    ["//tickets/x", "404 not_found"],
    ["/", "404 not_found"],
    ["*", "400 invalid_request"],
  ]
  test.each(cases)("%s -> %s", (path, expected) => {
    expect(outcome(own(path))).toBe(expected)
  })

  test.each([
    "evil.example",
    "evil.example:4711",
    "127.0.0.1",
    "localhost:4711",
    "127.0.0.1:4712",
    undefined,
  ])("asked as host %s, as a page does whose name was made to point here: nowhere", (host) => {
    const headers = host === undefined ? {} : { host }
    expect(outcome(own("/s3cret/tickets/x", { headers }))).toBe("421 invalid_request")
    expect(outcome(own("/token?resource=x", { headers }))).toBe("421 invalid_request")
  })

  test("is known in a whole URL, too", () => {
    expect(outcome(own(`http://${AUTHORITY}/s3cret/tickets/1`))).toMatch(/^api https:/)
    expect(outcome(own(`http://${AUTHORITY}/wrong/tickets/1`))).toBe("404 not_found")
    expect(outcome(own(`http://${AUTHORITY}.evil.example/x`))).toBe("407 invalid_request")
  })
})

describe("a whole URL, as proxies get it", () => {
  const cases: readonly (readonly [url: string, outcome: string])[] = [
    ["http://127.0.0.1:9/v1/pages", "api http://127.0.0.1:9/v1/pages"],
    ["https://tickets.internal.example/deep/1", "api https://tickets.internal.example/deep/1"],
    ["http://127.0.0.1:9/v10", "403 url_not_granted"],
    ["http://127.0.0.1:9/v1/../x", "403 url_not_granted"],
    ["http://127.0.0.1:9@evil.example/v1/x", "400 invalid_request"],
    ["http://tickets.internal.example/", "403 url_not_granted"],
    ["https://tickets.internal.example.evil.example/", "403 url_not_granted"],
    ["http://[", "400 invalid_request"],
  ]
  test.each(cases)("%s -> %s", (url, expected) => {
    expect(outcome(proxied(url))).toBe(expected)
  })

  test.each([undefined, "", "Bearer s3cret", basic("wrong"), basic(""), "Basic !!!"])(
    "with proxy credentials %s it goes nowhere",
    (shown) => {
      const headers = shown === undefined ? {} : { "proxy-authorization": shown }
      expect(outcome({ ...proxied("http://127.0.0.1:9/v1/x"), headers })).toBe("407 invalid_request")
    },
  )

  test("others' hosts only when they are let through", () => {
    expect(outcome(proxied("http://example.com/x"), { passOthers: true })).toBe("other http://example.com/x")
  })

  test("on a socket its file says who may ask", () => {
    const asked = { ...proxied("http://127.0.0.1:9/v1/x"), headers: {} }
    expect(outcome(asked, { authority: undefined })).toMatch(/^api/)
    expect(outcome(own("/s3cret/tickets/x", { headers: { host: "any" } }), { authority: undefined })).toMatch(
      /^api/,
    )
  })
})

describe("a tunnel", () => {
  const connect = (target: string, routing: Partial<Routing> = {}, headers: Asked["headers"] = PROXIED) => {
    const place = tunnelOf({ ...ROUTING, ...routing }, { method: "CONNECT", target, headers })
    return "to" in place ? `${place.status} ${place.code}` : `${place.host} ${place.port}`
  }
  const passOthers = true
  test.each([
    ["tickets.internal.example:443", { passOthers }, "403 url_not_granted"],
    ["TICKETS.internal.example:443", { passOthers }, "403 url_not_granted"],
    ["tickets.internal.example:8443", { passOthers }, "tickets.internal.example 8443"],
    ["example.com:443", { passOthers }, "example.com 443"],
    ["[::1]:443", { passOthers }, "::1 443"],
    ["example.com:443", {}, "403 url_not_granted"],
    ["example.com", { passOthers }, "400 invalid_request"],
    ["a@example.com:443", { passOthers }, "400 invalid_request"],
  ])("to %s with %o -> %s", (target, routing, expected) => {
    expect(connect(target, routing)).toBe(expected)
  })

  test("says where to call an API instead", () => {
    const asked = { method: "CONNECT", target: "tickets.internal.example:443", headers: PROXIED }
    expect(tunnelOf(ROUTING, asked)).toMatchObject({
      title: expect.stringContaining("$TASKMINT_API_TICKETS"),
    })
  })

  test("without the secret there is none", () => {
    expect(connect("example.com:443", { passOthers }, {})).toBe("407 invalid_request")
  })
})

describe("the credential endpoint", () => {
  const ask = (path: string, secret?: string, more: Partial<Asked> = {}) =>
    own(path, {
      headers: { host: AUTHORITY, ...(secret !== undefined && { "taskmint-session": secret }) },
      ...more,
    })
  test.each([
    ["/token?resource=x", SECRET, "token"],
    ["/headers?url=x", SECRET, "headers"],
    ["/token?resource=x", undefined, "401 invalid_request"],
    ["/token?resource=x", "wrong", "401 invalid_request"],
    ["/token?resource=x&secret=s3cret", undefined, "401 invalid_request"],
  ])("%s with the secret %s -> %s", (path, secret, expected) => {
    expect(outcome(ask(path, secret))).toBe(expected)
  })

  test("gives nothing where it was not asked for, and by GET only", () => {
    expect(outcome(ask("/token", SECRET), { givesTokens: false })).toBe("403 access_denied")
    expect(outcome(ask("/token", SECRET, { method: "POST" }))).toBe("405 method_not_allowed")
  })
})
