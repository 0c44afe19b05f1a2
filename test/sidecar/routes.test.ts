// Which request is which route, in tables: what matches, what is nobody's, and what could be read in two ways.
import { describe, expect, test } from "vitest"
import { createRoutes, readRoute } from "../../src/sidecar/routes.ts"

const rule = (method: string, path: string, resource = "tickets/{id}", operation = "tickets:read") => ({
  method,
  path,
  operation,
  resource,
})
const find = createRoutes([
  rule("GET", "/tickets/{id}"),
  rule("GET", "/tickets/mine", "tickets/mine"),
  rule("POST", "/tickets/{id}/close"),
  rule("GET", "/folder/", "folder"),
  rule("GET", "/", "root"),
  rule("HEAD", "/probe", "probe"),
  rule("GET", "/{a}/pair/{id}"),
])
const matched = (method: string, target: string) => {
  const match = find(method, target)
  if (typeof match === "string") return match
  return [match.route.rule.path, { ...match.parameters }, match.path, match.query]
}

describe("a canonical target", () => {
  test.each([
    ["GET", "/tickets/42", "/tickets/{id}", { id: "42" }, "/tickets/42", ""],
    ["HEAD", "/tickets/42", "/tickets/{id}", { id: "42" }, "/tickets/42", ""],
    ["GET", "/tickets/mine", "/tickets/mine", {}, "/tickets/mine", ""],
    ["HEAD", "/probe", "/probe", {}, "/probe", ""],
    ["POST", "/tickets/42/close", "/tickets/{id}/close", { id: "42" }, "/tickets/42/close", ""],
    ["GET", "/folder/", "/folder/", {}, "/folder/", ""],
    ["GET", "/", "/", {}, "/", ""],
    ["GET", "http://evil.example", "not_canonical"],
    ["GET", "http://evil.example/", "/", {}, "/", ""],
    ["GET", "HTTPS://u@evil.example:1/tickets/42?a=b", "/tickets/{id}", { id: "42" }, "/tickets/42", "?a=b"],
    ["GET", "/x/pair/y", "/{a}/pair/{id}", { a: "x", id: "y" }, "/x/pair/y", ""],
    ["GET", "/tickets/42?", "/tickets/{id}", { id: "42" }, "/tickets/42", "?"],
    ["GET", "/tickets/42?x=%2e%2e//;?y", "/tickets/{id}", { id: "42" }, "/tickets/42", "?x=%2e%2e//;?y"],
    ["GET", "/tickets/a%20b", "/tickets/{id}", { id: "a b" }, "/tickets/a%20b", ""],
    ["GET", "/tickets/a:b@c", "/tickets/{id}", { id: "a:b@c" }, "/tickets/a%3Ab%40c", ""],
    ["GET", "/tickets/%c3%a9", "/tickets/{id}", { id: "é" }, "/tickets/%C3%A9", ""],
    ["GET", "/tickets/...", "/tickets/{id}", { id: "..." }, "/tickets/...", ""],
  ])("%s %s", (method, target, ...expected) => {
    expect(matched(method, target)).toEqual(expected.length === 1 ? expected[0] : expected)
  })
})

describe("C26, C28 what is no route", () => {
  test.each([
    ["POST", "/tickets/42"],
    ["GET", "/tickets/42/close"],
    ["GET", "/probe"],
    ["get", "/tickets/42"],
    ["GET", "/Tickets/42"],
    ["GET", "/tickets"],
    ["GET", "/tickets/"],
    ["GET", "/tickets/42/"],
    ["GET", "/folder"],
    ["GET", "/tickets/42/43"],
    ["GET", "/tickets/constructor/close"],
    ["OPTIONS", "/"],
    ["", "/"],
  ])("%s %s", (method, target) => {
    expect(matched(method, target)).toBe("unmapped")
  })
})

describe("C24 what could be read in two ways", () => {
  const TARGETS =
    `* tickets/42 ?x //tickets/42 /tickets//42 /tickets/42// /tickets/./42 /tickets/../tickets/42 /tickets/42/..
    /tickets/42;v=1 /;/tickets/42 /tickets\\42 /tickets/42#x /tickets/42?a#b /tickets/4%32 /%74ickets/42 /tickets/%7E
    /tickets/42%2f43 /tickets/42%2F43 /tickets/42%5c43 /tickets/%2e%2e /tickets/%2E /tickets/42%00 /tickets/42%0a
    /tickets/42%0D /tickets/42%7f /tickets/42%25 /tickets/%252e /tickets/42% /tickets/42%4 /tickets/%zz /tickets/%u0034
    /tickets/%c0%ae /tickets/%ff /tickets/%e0%a4 /tickets/é ftp://evil/tickets/42 //evil/tickets/42 http:/tickets/42
    /tickets/%5f /tickets/%2D`.split(/\s+/)
  test.each([...TARGETS, "/tickets/4 2", "/tickets/42\n", "/tickets/42?\r\n", "/tickets/42\0", ""])(
    "%j",
    (target) => {
      expect(matched("GET", target)).toBe("not_canonical")
    },
  )
})

describe("a rule", () => {
  test.each([
    ["method", rule("get", "/x", "x")],
    ["method", rule("*", "/x", "x")],
    ["method", rule("CONNECT", "/x", "x")],
    ["method", rule("TRACE", "/x", "x")],
    ["path", rule("GET", "x", "x")],
    ["path", rule("GET", "", "x")],
    ["path", rule("GET", "//x", "x")],
    ["path", rule("GET", "/x//y", "x")],
    ["path", rule("GET", "/x/../y", "x")],
    ["path", rule("GET", "/x%20y", "x")],
    ["path", rule("GET", "/x?y", "x")],
    ["path", rule("GET", "/tickets/{id}.json")],
    ["path", rule("GET", "/tickets/:id/{id}/{id}")],
    ["path", rule("GET", "/tickets/{}")],
    ["operation", rule("GET", "/x", "x", "read")],
    ["resource", rule("GET", "/tickets/{key}")],
    ["resource", rule("GET", "/tickets/{id}", "tickets/*")],
    ["resource", rule("GET", "/tickets/{id}", "tickets//{id}")],
    ["resource", rule("GET", "/tickets/{id}", "tickets/x{id}")],
  ])("with a faulty %s is refused: %o", (member, wrong) => {
    expect(readRoute(wrong)).toMatchObject({ member })
    expect(() => createRoutes([wrong])).toThrow(TypeError)
  })

  test("of a shape that is there already is refused, whatever its parameters are called", () => {
    const twice = [rule("GET", "/tickets/{id}"), rule("GET", "/tickets/{key}", "tickets/{key}")]
    expect(() => createRoutes(twice)).toThrow(/each method and path once/)
  })

  test("with a literal wins over one with a parameter, in any order", () => {
    const rules = [rule("GET", "/a/{id}/c"), rule("GET", "/a/b/{id}"), rule("GET", "/{x}/b/c", "x/{x}")]
    for (const some of [rules, rules.toReversed()]) {
      const match = createRoutes(some)("GET", "/a/b/c")
      expect(match).toMatchObject({ route: { rule: { path: "/a/b/{id}" } } })
    }
  })
})
