// Catalogue K18: paths as they come over the wire, spelled so that a proxy, a router or a file system would read another one.
// Nothing is served from a disk; what is looked for is an answer that the plain spelling does not give.
import { createConnection } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Listening, listen } from "../../src/cli/server.ts"
import { type House, openHouse } from "../support/issuer-house.ts"
import { surfaceOf } from "../support/surface.ts"
import { traversals } from "../support/traversals.ts"

let house: House
let server: Listening
/** Paths that answer anybody with 200. */
const open: string[] = []

beforeAll(async () => {
  house = await openHouse()
  server = await listen("127.0.0.1", 0)
  server.serve(house.issuer.fetch)
  for (const { method, path } of await surfaceOf(house))
    if (method === "GET" && (await statusOf(path)) === 200) open.push(path)
})
afterAll(async () => {
  await server.drain(100)
  await house.remove()
})

/** One request with exactly this target. */
function raw(target: string, method = "GET"): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const socket = createConnection(server.port, "127.0.0.1")
    socket.on("data", (part) => parts.push(part))
    socket.on("error", reject)
    socket.on("close", () => resolve(Buffer.concat(parts).toString("latin1")))
    socket.end(Buffer.from(`${method} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`, "latin1"))
  })
}

const statusOf = async (target: string, method?: string): Promise<number> =>
  Number((await raw(target, method)).slice(9, 12))

test("K18 what is open is known, and nothing else is reached by these tests", () => {
  expect(open).toEqual(
    expect.arrayContaining(["/livez", "/openapi.json", "/.well-known/jwks.json", "/console/icon.svg"]),
  )
})

describe("K18 a path has one spelling", () => {
  const hex = (text: string) => `%${text.charCodeAt(0).toString(16)}`
  const spellings: readonly [what: string, spell: (path: string) => string][] = [
    ["a folder that is left again", (path) => `/x/..${path}`],
    ["a folder above the root", (path) => `/..${path}`],
    ["the same, percent-encoded", (path) => `/%2e%2e${path}`],
    ["half of it encoded", (path) => `/x/.%2E${path}`],
    ["the folder itself", (path) => `/.${path}`],
    ["an empty segment", (path) => `/${path}`],
    ["three of them", (path) => `///${path}`],
    ["a segment at the end", (path) => `${path}/`],
    ["the folder at the end", (path) => `${path}/.`],
    ["its last letter encoded", (path) => `${path.slice(0, -1)}${hex(path.slice(-1))}`],
    ["its first letter encoded", (path) => `/${hex(path.slice(1, 2))}${path.slice(2)}`],
    ["encoded twice", (path) => `/%25${hex(path.slice(1, 2)).slice(1)}${path.slice(2)}`],
    ["slashes encoded", (path) => `/x%2f..%2f${path.slice(1)}`],
    ["backslashes", (path) => `/x\\..\\${path.slice(1)}`],
    ["a backslash for the first", (path) => `/\\${path.slice(1)}`],
    ["upper case", (path) => path.toUpperCase()],
    ["a parameter", (path) => `${path};x=1`],
    ["a zero byte, encoded", (path) => `${path}%00`],
    ["a fragment", (path) => `${path}#x`],
    ["space, encoded", (path) => `${path}%20`],
    ["overlong UTF-8", (path) => `/%c0%ae%c0%ae${path}`],
    ["out of another endpoint", (path) => `/tasks/..${path}`],
    ["out of the one that takes deep paths", (path) => `/ledger/tile/0/../../..${path}`],
  ]
  test.each(spellings)("K18 %s", async (_what, spell) => {
    for (const path of open) {
      const answer = await raw(spell(path))
      expect(["400", "404"], `${spell(path)}: ${answer.slice(0, 40)}`).toContain(answer.slice(9, 12))
      expect(answer).toContain("x-content-type-options: nosniff")
    }
  })

  test("K18 what is no path at all is a malformed request, and no fault", async () => {
    for (const [target, method] of [
      ["*", "OPTIONS"],
      ["*", "GET"],
      ["/\\", "GET"],
      ["/a\\b", "GET"],
      ["//[::", "GET"],
    ] as const)
      expect([400, 404], `${method} ${target}`).toContain(await statusOf(target, method))
    expect(house.faults).toEqual([])
  })

  test("K18 in a query everything is data", async () => {
    expect(await statusOf("/livez?x=/../%2e%2e/%6c#y")).not.toBe(404)
    expect(await statusOf("/.well-known/jwks.json?..%2f=%41")).toBe(200)
  })
})

test("K18 ids, tiles and assets are names and never files, however they climb", async () => {
  const texts = traversals("x")
  const some = texts.filter((_, at) => at % Math.ceil(texts.length / 400) === 0)
  expect(some.length).toBeGreaterThan(200)
  for (const [at, text] of some.entries()) {
    const path = ["/ledger/tile/", "/tasks/", "/status-lists/", "/console/"][at % 4] ?? ""
    const as = "audit-team"
    const answer = await house.call("GET", `${path}${encodeURI(text).replaceAll("%25", "%")}`, { as })
    expect([400, 401, 404], `${path} ${JSON.stringify(text)}`).toContain(answer.status)
    expect(await answer.text()).not.toMatch(/root:|\[boot|BEGIN/)
  }
  expect(house.faults).toEqual([])
})
