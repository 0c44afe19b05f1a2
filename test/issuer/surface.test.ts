import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"
import { type Asked, surfaceOf } from "../support/surface.ts"
import { told } from "../support/token-desk.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const post = (body: string | Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
  house.call("POST", "/tasks", {
    as: "support-orchestrator",
    body,
    headers: { "content-type": "application/json", ...headers },
  })

/** A stream that never ends; tells how much of it was taken. */
function endless(): { stream: ReadableStream; taken: () => number } {
  let taken = 0
  const stream = new ReadableStream({
    pull(controller) {
      taken += 4096
      controller.enqueue(new Uint8Array(4096).fill(0x20))
    },
  })
  return { stream, taken: () => taken }
}

test("whatever changes something takes no body over its limit, of another type or coded", async () => {
  const surface = await surfaceOf(house)
  // Nobody approves in this house, and the console takes forms of its own.
  const asked = ({ path, callers }: Asked) => callers.length > 0 || path === "/token"
  const changing = surface.filter(
    (one) => one.method !== "GET" && asked(one) && !one.path.startsWith("/console"),
  )
  expect(changing.length).toBeGreaterThan(20)
  for (const { method, path, callers, bodyType: type = "application/json" } of changing) {
    const send = async (body: string, headers: Record<string, string>) => {
      const who = callers[0] && { as: callers[0] }
      return (await house.call(method, path.replaceAll(/\{\w+\}/g, "x"), { ...who, body, headers })).status
    }
    const large = "x".repeat(path === "/uses" ? 1_048_577 : 65_537)
    const answers = [
      await send(large, { "content-type": type }),
      await send("{}", { "content-type": "text/plain" }),
      await send("{}", { "content-type": type, "content-encoding": "gzip" }),
    ]
    expect(answers, `${method} ${path}`).toEqual([413, 415, 415])
  }
})

test.each<[string, (tag: string) => string, number]>([
  ["the tag", (tag) => tag, 304],
  ["a weak one", (tag) => `W/${tag}`, 304],
  ["a list with it", (tag) => `"x", W/"y" ,${tag}`, 304],
  ["anything", () => "*", 304],
  ["another", () => '"x"', 200],
  ["a list of others", () => '"x", W/"y"', 200],
  ["no tag", (tag) => tag.slice(1, -1), 200],
])("who has %s is told so by 304 (RFC 9110 section 13.1.2)", async (_what, kept, status) => {
  for (const path of ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"]) {
    const tag = (await house.call("GET", path)).headers.get("etag") ?? ""
    const again = await house.call("GET", path, { headers: { "if-none-match": kept(tag) } })
    expect([again.status, again.headers.get("etag")]).toEqual([status, tag])
  }
})

describe("an empty body", () => {
  test.each([
    ["application/json", { "content-type": "application/json" }],
    [
      "a form's, as curl -d '' has it",
      { "content-type": "application/x-www-form-urlencoded", "content-length": "0" },
    ],
    ["text", { "content-type": "text/plain;charset=UTF-8", "content-length": "0" }],
  ])("is none where none is needed, whatever type it is said to have: %s", async (_, headers) => {
    const of = { as: "operations-team", body: "", headers } as const
    expect((await house.call("POST", "/policy/reload", of)).status).toBe(200)
  })

  test("is none of a type that has to be there", async () => {
    const headers = { "content-type": "text/plain", "content-length": "0" }
    expect(
      (await house.call("POST", "/tasks", { as: "support-orchestrator", body: "", headers })).status,
    ).toBe(415)
  })
})

describe("bodies", () => {
  const text = JSON.stringify(START)

  test.each([
    ["one byte over 64 KiB", () => " ".repeat(65_537 - text.length) + text, 413],
    ["64 KiB exactly", () => " ".repeat(65_536 - text.length) + text, 201],
  ])("%s", async (_what, body, status) => {
    expect((await post(body())).status).toBe(status)
  })

  test("a declared length over the limit is refused before a byte is read", async () => {
    const { stream, taken } = endless()
    const answer = await post(stream, { "content-length": "65537" })
    expect(answer.status).toBe(413)
    expect(taken()).toBeLessThanOrEqual(4096)
  })

  test("a body without an end is refused at the limit", async () => {
    const { stream, taken } = endless()
    expect((await post(stream)).status).toBe(413)
    expect(taken()).toBeLessThan(128 * 1024)
  })

  test.each([
    ["text/plain", 415],
    ["application/json; charset=utf-16", 415],
    ["application/json-patch+json", 415],
    ["application/json; charset=utf-8", 201],
    ["Application/JSON", 201],
  ])("as %s get %i", async (type, status) => {
    expect((await post(text, { "content-type": type })).status).toBe(status)
  })

  test.each([
    ["an empty one", ""],
    ["an array", "[]"],
    ["null", "null"],
    ["two values", "{}{}"],
    ["a duplicate member", text.replace('"type"', '"type":"x","type"')],
    ["an escaped duplicate", text.replace('"type"', '"type":"x","t\\u0079pe"')],
    ["a prototype", text.replace('"type"', '"__proto__":{"a":1},"type"')],
    ["nine levels", `{"a":${"[".repeat(9)}${"]".repeat(9)}}`],
    ["a BOM", `\ufeff${text}`],
    ["half a surrogate", text.replace("Triage", "\\ud800")],
    ["an unknown member", text.replace('"type"', '"ttl":1e9,"type"')],
  ])("%s is a malformed request", async (_what, body) => {
    expect(await told(post(body))).toMatchObject({
      status: 400,
      body: { code: "invalid_request", next: "stop" },
    })
  })

  test("bytes that are not UTF-8 are a malformed request", async () => {
    expect((await post(Uint8Array.of(0x7b, 0xff, 0x7d))).status).toBe(400)
  })

  test("errors point to the fields and repeat nothing", async () => {
    const secret = "c4nary-value"
    const json = { ...START, agent: { id: 5, instance: `${secret} ` }, purpose: "a\u202eb", [secret]: 1 }
    const { body } = await told(house.call("POST", "/tasks", { as: "support-orchestrator", json }))
    expect((body.errors as { pointer: string }[]).map((one) => one.pointer)).toEqual([
      "/agent/id",
      "/agent/instance",
      "/purpose",
      "",
    ])
    expect(JSON.stringify(body)).not.toContain(secret)
  })
})

describe("methods and paths", () => {
  test.each([
    ["PUT", "/tasks", "POST, GET, HEAD"],
    ["DELETE", "/tasks/x", "GET, HEAD"],
    ["GET", "/tasks/x/pause", "POST"],
    ["POST", "/livez", "GET, HEAD"],
    ["PATCH", "/revocations/x", "GET, HEAD, DELETE"],
    ["OPTIONS", "/token", "POST"],
  ])("%s %s is 405 with Allow", async (method, path, allow) => {
    const answer = await house.call(method, path)
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow])
  })

  test.each(["/", "/nope", "/tasks/", "/TASKS", "//tasks", "/ledger", "/tasks/a/b/c"])(
    "%s is 404",
    async (path) => {
      const answer = await house.call("GET", path)
      expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "application/problem+json"])
    },
  )

  test("HEAD answers like GET, without a body", async () => {
    const answer = await house.call("HEAD", "/livez")
    expect([answer.status, await answer.text()]).toEqual([200, ""])
  })

  test("unknown and repeated query parameters are refused", async () => {
    for (const query of [
      "?limit=1&limit=2",
      "?colour=red",
      "?limit=0",
      "?limit=201",
      "?state=odd",
      "?after=1",
    ])
      expect((await house.call("GET", `/tasks${query}`, { as: "support-orchestrator" })).status, query).toBe(
        400,
      )
  })

  test("a body is read only after the caller is known", async () => {
    const { stream, taken } = endless()
    const answer = await house.call("POST", "/tasks", { body: stream })
    expect([answer.status, taken() <= 4096]).toEqual([401, true])
  })
})

describe("what is public", () => {
  test.each([
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
  ])("%s has an ETag that holds, and may be kept", async (path) => {
    const first = await house.call("GET", path)
    const etag = first.headers.get("etag") ?? ""
    expect(first.headers.get("cache-control")).toMatch(/^public, max-age=\d+$/)
    const again = await house.call("GET", path, { headers: { "if-none-match": etag } })
    expect([again.status, await again.text()]).toEqual([304, ""])
    expect((await house.call("GET", path, { headers: { "if-none-match": '"x"' } })).status).toBe(200)
  })

  test("metadata names this issuer and its endpoints", async () => {
    const { body } = await house.ask("GET", "/.well-known/oauth-authorization-server")
    expect(body).toMatchObject({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
      token_endpoint_auth_methods_supported: ["private_key_jwt"],
    })
  })

  test("wherever a token is, it is not kept", async () => {
    const started = await house.call("POST", "/tasks", { as: "support-orchestrator", json: START })
    expect(started.headers.get("cache-control")).toBe("no-store")
  })
})
